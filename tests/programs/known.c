// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * known EVENT N: does N events (instructions: N or one more), prints how many,
 * and knows nothing of counters: to be counted from outside.  Besides there is
 * what a static program needs to start and to print a line: some thousand
 * instructions.
 */

#include <stdio.h>
#include <string.h>

#include "regions.h"

/* A region with one event an iteration (instructions: two, and one before). */
static const struct {
	const char *event;
	const char *region;
	unsigned int each;
	enum count count;
} known[] = {
	{"instructions", "loop", 2, INSTRUCTIONS},
	{"branches", "loop", 1, BRANCHES},
	{"cond-branches", "loop", 1, COND_BRANCHES},
	{"loads", "loads", 4, LOADS},
	{"stores", "stores", 4, STORES},
};

int main(int argc, char **argv)
{
	uint64_t n, count;
	size_t i;

	for (i = 0; argc == 3 && i < sizeof(known) / sizeof(*known); i++) {
		const struct region *region;

		if (strcmp(known[i].event, argv[1]))
			continue;
		region = find_region(known[i].region);
		n = parse_number(argv[2]) / known[i].each;
		if (!n)
			n = 1;
		region->run(n, region_memory(region, n));
		expected_count(region, known[i].count, n, &count);
		printf("%s %llu\n", argv[1], (unsigned long long)count);
		return 0;
	}
	fputs("usage: known instructions|branches|cond-branches|loads|stores N\n",
	      stderr);
	return 2;
}
