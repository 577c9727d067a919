// SPDX-License-Identifier: LGPL-2.1-or-later
/* Counts for people. */

#include <errno.h>
#include <string.h>

#include "set.h"

/* What is printed below one another. */
struct lines {
	unsigned long long tsc;
	const unsigned long long *pmc, *loaded;
};

static void print_count(FILE *stream, const struct perfctr_events *events,
			const struct lines *lines, unsigned int i)
{
	unsigned long long loaded = lines->loaded[i];
	const char *name = perfctr_events_name(events, i);

	if (loaded == lines->tsc) {
		fprintf(stream, "%20llu  %s\n", lines->pmc[i], name);
	} else if (!loaded) {
		fprintf(stream, "%20s  %s\n", "not counted", name);
	} else {
		char estimate[24];

		snprintf(estimate, sizeof(estimate), "~%llu",
			 (unsigned long long)perfctr_estimate(
				 lines->pmc[i], lines->tsc, loaded));
		fprintf(stream, "%20s  %s (from %.2f %% of the time)\n",
			estimate, name,
			100.0 * (double)loaded / (double)lines->tsc);
	}
}

static void print_counts(FILE *stream, const struct perfctr_events *events,
			 const struct lines *lines)
{
	unsigned int i;

	for (i = 0; i < events->nr; i++)
		print_count(stream, events, lines, i);
}

static void print_region(FILE *stream, const struct perfctr_region *region,
			 double khz)
{
	const struct perfctr_region_sums *sums = &region->sums;
	struct lines lines = {sums->tsc, sums->pmc, sums->loaded};

	fprintf(stream, "%s: %llu call%s, %.6f s%s\n", region->name,
		sums->calls, sums->calls == 1 ? "" : "s",
		(double)sums->tsc / khz / 1e3,
		region->depth ? ", and one that has not ended" : "");
	if (sums->calls)
		print_counts(stream, region->events, &lines);
}

/* All of what was counted, where nobody has said what is what. */
static int print_all(FILE *stream, const struct perfctr_events *events,
		     double khz)
{
	struct vperfctr_group_sums group;
	struct lines lines = {.pmc = group.sums.pmc,
			      .loaded = group.sums.loaded};

	if (perfctr_events_read_all(events, &group) < 0)
		return -1;
	lines.tsc = group.sums.tsc;
	fprintf(stream, "%u thread%s, %.6f s\n", group.live + group.ended,
		group.live + group.ended == 1 ? "" : "s",
		(double)lines.tsc / khz / 1e3);
	print_counts(stream, events, &lines);
	return 0;
}

int perfctr_events_print(const struct perfctr_events *events, FILE *stream)
{
	const struct perfctr_region *region;

	if (check_owner(events) < 0)
		return -1;
	if (!events->first && print_all(stream, events, events->tsc_khz) < 0)
		return -1;
	for (region = events->first; region; region = region->next)
		print_region(stream, region, events->tsc_khz);
	if (!ferror(stream))
		return 0;
	complain(last_error(), "can't write: %s", strerror(errno));
	return failed(errno ? errno : EIO);
}
