// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * count [-e EVENT[@INDEX]] REGION N [TIMES]
 * REGION [-e EVENT[@INDEX]] N [TIMES]		(by links of those names)
 *
 * Counts one region with libperfctr, read before and after it in user mode,
 * the least of TIMES (default 1) times, less what "empty" counts.  Prints
 * "count expected"; status 1 if they differ.  TIMES gets rid of what a read adds
 * that met a switch and tried again.
 */

#include <stdio.h>
#include <string.h>

#include "self.h"

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const struct region *region = find_region(slash ? slash + 1 : argv[0]);
	struct event_option event;
	struct vperfctr *self;
	uint64_t n, count, empty, expected;
	unsigned int times = 1;

	event_option(&event, &argc, &argv);
	if (!region && argc > 1) {
		region = find_region(argv[1]);
		argc--;
		argv++;
	}
	if (!region || argc < 2 || argc > 3) {
		fputs("usage: count [-e EVENT[@INDEX]] REGION N [TIMES]; regions:\n",
		      stderr);
		for (region = regions; region->name; region++)
			fprintf(stderr, "  %-10s %s\n", region->name,
				region->what);
		return 2;
	}
	n = parse_number(argv[1]);
	if (argc == 3)
		times = (unsigned int)parse_number(argv[2]);
	if (!n || !times) {
		fputs("N and TIMES are at least 1\n", stderr);
		return 2;
	}

	self = self_open(event.index, event.code);
	empty = self_least(self, &regions[0], n, 20);
	count = self_least(self, region, n, times) - empty;
	vperfctr_close(self);
	if (event.count == NR_COUNTS ||
	    !expected_count(region, event.count, n, &expected)) {
		printf("%llu unknown\n", (unsigned long long)count);
		return 0;
	}
	printf("%llu %llu\n", (unsigned long long)count,
	       (unsigned long long)expected);
	return count != expected;
}
