// SPDX-License-Identifier: GPL-2.0-or-later
/* Sums of groups: of several together, and since an earlier time. */

#include <stdlib.h>

#include "perfex.h"

static void sums_add(struct perfctr_dev_sums *to,
		     const struct perfctr_dev_sums *from)
{
	unsigned int i;

	to->tsc += from->tsc;
	to->stolen += from->stolen;
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++) {
		to->pmc[i] += from->pmc[i];
		to->loaded[i] += from->loaded[i];
	}
	if (from->nr > to->nr)
		to->nr = from->nr;
	to->status |= from->status;
	if (!to->error)
		to->error = from->error;
}

static void sums_subtract(struct perfctr_dev_sums *from,
			  const struct perfctr_dev_sums *before)
{
	unsigned int i;

	from->tsc -= before->tsc;
	from->stolen -= before->stolen;
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++) {
		from->pmc[i] -= before->pmc[i];
		from->loaded[i] -= before->loaded[i];
	}
}

void group_add(struct perfctr_dev_group *to,
	       const struct perfctr_dev_group *from)
{
	sums_add(&to->sums, &from->sums);
	to->live += from->live;
	to->ended += from->ended;
	to->errors += from->errors;
	to->refused += from->refused;
	to->lost += from->lost;
	to->records_lost += from->records_lost;
}

void group_subtract(struct perfctr_dev_group *from,
		    const struct perfctr_dev_group *before)
{
	sums_subtract(&from->sums, &before->sums);
}

void records_subtract(struct perfctr_dev_record *from, size_t nr,
		      const struct perfctr_dev_record *before, size_t nr_before)
{
	size_t i, j;

	for (i = 0; i < nr; i++)
		for (j = 0; j < nr_before; j++)
			if (from[i].serial == before[j].serial &&
			    from[i].pid == before[j].pid &&
			    from[i].tid == before[j].tid) {
				sums_subtract(&from[i].sums, &before[j].sums);
				break;
			}
}

void sums_of_records(struct result *result)
{
	struct perfctr_dev_sums *sums = &result->group.sums, all = {.tsc = 0};
	size_t i;

	for (i = 0; i < result->nr_records; i++)
		sums_add(&all, &result->records[i].sums);
	all.nr = sums->nr;
	all.status = sums->status;
	all.error = sums->error;
	*sums = all;
}

void result_free(struct result *result)
{
	free(result->records);
	result->records = NULL;
	result->nr_records = 0;
}
