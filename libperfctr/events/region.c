// SPDX-License-Identifier: LGPL-2.1-or-later
/* Regions: what a part of the program counts, added up over its calls. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "set.h"

/* How often an empty region is tried. */
#define TRIES 16

static struct perfctr_region *find(const struct perfctr_events *events,
				   const char *name)
{
	struct perfctr_region *region;

	for (region = events->first; region; region = region->next)
		if (!strcmp(region->name, name))
			return region;
	return NULL;
}

static bool good_name(const char *name)
{
	size_t i, length = name ? strnlen(name, REGION_NAME_MAX + 1) : 0;

	if (!length || length > REGION_NAME_MAX)
		return false;
	for (i = 0; i < length; i++)
		if (iscntrl((unsigned char)name[i]))
			return false;
	return true;
}

struct perfctr_region *perfctr_region(struct perfctr_events *events,
				      const char *name)
{
	struct perfctr_region *region;

	if (check_owner(events) < 0)
		return NULL;
	if (!good_name(name)) {
		complain(
			last_error(),
			"a region's name has 1 to %d bytes and no control characters",
			REGION_NAME_MAX);
		failed(EINVAL);
		return NULL;
	}
	region = find(events, name);
	if (region)
		return region;
	region = calloc(1, sizeof(*region));
	if (!region) {
		failed_below(ENOMEM);
		return NULL;
	}
	region->events = events;
	strcpy(region->name, name);
	*events->end = region;
	events->end = &region->next;
	return region;
}

void regions_free(struct perfctr_events *events)
{
	struct perfctr_region *region;

	while ((region = events->first) != NULL) {
		events->first = region->next;
		free(region);
	}
}

/*
 * With turns, through the kernel: also for how long each was counted.  Else
 * @loaded is left alone.
 */
static int read_counts(const struct perfctr_events *events,
		       struct perfctr_sum_ctrs *counts,
		       unsigned long long *loaded)
{
	struct vperfctr_sums sums;

	if (!events->turns)
		return vperfctr_read_ctrs(events->self, counts);
	if (vperfctr_read_sums(events->self, &sums) < 0)
		return -1;
	counts->tsc = sums.tsc;
	memcpy(counts->pmc, sums.pmc, sizeof(counts->pmc));
	memcpy(loaded, sums.loaded, sizeof(sums.loaded));
	return 0;
}

static int begin_stopped(void)
{
	complain(last_error(),
		 "the events are stopped: perfctr_events_start() first");
	return failed(EBUSY);
}

/* The read comes last here, and first in the end. */
int perfctr_region_begin(struct perfctr_region *region)
{
	struct perfctr_events *events = region->events;

	if (check_owner(events) < 0)
		return -1;
	if (!events->running)
		return begin_stopped();
	if (region->depth++)
		return 0;
	events->begun++;
	if (!read_counts(events, &region->begin, region->begin_loaded))
		return 0;
	region->depth = 0;
	events->begun--;
	return failed_below(errno);
}

static int end_without_begin(const struct perfctr_region *region)
{
	complain(last_error(), "region %s has not begun", region->name);
	return failed(EINVAL);
}

static void add(struct perfctr_region *region,
		const struct perfctr_sum_ctrs *end,
		const unsigned long long *loaded)
{
	struct perfctr_region_sums *sums = &region->sums;
	unsigned int i;

	sums->calls++;
	sums->tsc += end->tsc - region->begin.tsc;
	for (i = 0; i < region->events->nr; i++) {
		sums->pmc[i] += end->pmc[i] - region->begin.pmc[i];
		sums->loaded[i] += region->events->turns
					   ? loaded[i] - region->begin_loaded[i]
					   : end->tsc - region->begin.tsc;
	}
}

int perfctr_region_end(struct perfctr_region *region)
{
	struct perfctr_events *events = region->events;
	unsigned long long loaded[PERFCTR_MAX_PMCS];
	struct perfctr_sum_ctrs end;
	int result;

	if (check_owner(events) < 0)
		return -1;
	if (region->depth > 1) {
		region->depth--;
		return 0;
	}
	result = read_counts(events, &end, loaded);
	if (!region->depth)
		return end_without_begin(region);
	region->depth = 0;
	events->begun--;
	if (result < 0)
		return failed_below(errno);
	add(region, &end, loaded);
	return 0;
}

int perfctr_region_read(const struct perfctr_region *region,
			struct perfctr_region_sums *sums)
{
	if (check_owner(region->events) < 0)
		return -1;
	*sums = region->sums;
	return 0;
}

const char *perfctr_region_name(const struct perfctr_region *region)
{
	return region->name;
}

struct perfctr_region *perfctr_region_next(const struct perfctr_events *events,
					   const struct perfctr_region *region)
{
	return region ? region->next : events->first;
}

static void take_least(unsigned long long *least, unsigned long long count)
{
	if (count < *least)
		*least = count;
}

int perfctr_region_overhead(struct perfctr_events *events,
			    struct perfctr_region_sums *sums)
{
	struct perfctr_region region = {.events = events};
	unsigned int i, try;

	memset(sums, 0, sizeof(*sums));
	for (try = 0; try < TRIES; try++) {
		memset(&region.sums, 0, sizeof(region.sums));
		if (perfctr_region_begin(&region) < 0 ||
		    perfctr_region_end(&region) < 0)
			return -1;
		if (!try)
			*sums = region.sums;
		take_least(&sums->tsc, region.sums.tsc);
		for (i = 0; i < events->nr; i++) {
			take_least(&sums->pmc[i], region.sums.pmc[i]);
			take_least(&sums->loaded[i], region.sums.loaded[i]);
		}
	}
	/* By chance, which one had its turn. */
	if (events->turns) {
		memset(sums->pmc, 0, sizeof(sums->pmc));
		memset(sums->loaded, 0, sizeof(sums->loaded));
	}
	return 0;
}
