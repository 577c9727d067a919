// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * self-count [-e EVENT[@INDEX]] [REPETITIONS [REGION]]
 *
 * Reads a counter before and after a loop of 10^3 to 10^6 instructions, 100
 * times each, and prints for each N the iterations, the least count, and the
 * count less what the loop is known to do: the constant that two reads and a
 * call add.  It has to be the same for all N: otherwise events are lost or
 * doubled, and the status is 1.  (Of "rep", whose instructions do not grow with
 * N, the iterations are N.)
 */

#include <stdio.h>

#include "self.h"

int main(int argc, char **argv)
{
	unsigned int repetitions = 100;
	const struct region *region = find_region("loop");
	struct event_option event;
	struct vperfctr *self;
	uint64_t n, each = 1, first = 0;
	int status = 0;

	event_option(&event, &argc, &argv);
	if (argc > 1)
		repetitions = (unsigned int)parse_number(argv[1]);
	if (argc > 2)
		region = find_region(argv[2]);
	if (argc > 3 || !repetitions || !region || event.count == NR_COUNTS) {
		fputs("usage: self-count [-e EVENT[@INDEX]] [REPETITIONS [REGION]]\n",
		      stderr);
		return 2;
	}

	self = self_open(event.index, event.code);
	printf("# least of %u counts of %s\n%10s %10s %12s %9s\n", repetitions,
	       event.name, "N", "iterations", "min", "constant");
	if (region->counts[INSTRUCTIONS].per_iteration > 0)
		each = (uint64_t)region->counts[INSTRUCTIONS].per_iteration;
	for (n = 1000; n <= 1000000; n *= 10) {
		uint64_t least, expected, constant;

		if (!expected_count(region, event.count, n / each, &expected)) {
			fputs("that count is not known\n", stderr);
			return 2;
		}
		least = self_least(self, region, n / each, repetitions);
		constant = least - expected;
		if (n == 1000)
			first = constant;
		if (constant != first)
			status = 1;
		printf("%10llu %10llu %12llu %9lld\n", (unsigned long long)n,
		       (unsigned long long)(n / each),
		       (unsigned long long)least, (long long)constant);
	}
	printf("# %s\n", status ? "the constant is not constant" : "exact");
	vperfctr_close(self);
	return status;
}
