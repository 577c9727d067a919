// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * forever-until SECONDS [-e EVENT[@INDEX]]
 *
 * Counts chunk after chunk of a loop of known counts, for that time, and
 * compares each.  No chunk may count less than the loop does; in a PV guest it
 * may count more, by what the kernel did meanwhile.  Prints at the end
 *
 *	total T expected E chunks C exact X short S
 *
 * Status 1 if a chunk was short, if none was exact, or if counting ended.
 * SIGTERM ends it early, in the same way.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "self.h"

#define CHUNK 20000

static volatile sig_atomic_t terminated;

static void on_sigterm(int signal_number)
{
	(void)signal_number;
	terminated = 1;
}

int main(int argc, char **argv)
{
	const struct region *loop = find_region("loop");
	uint64_t total = 0, expected_total = 0, chunks = 0, exact = 0, lost = 0;
	uint64_t empty, expected;
	struct perfctr_sum_ctrs sums;
	struct event_option event;
	struct vperfctr *self;
	uint64_t seconds;
	time_t end;

	if (argc < 2) {
		fputs("usage: forever-until SECONDS [-e EVENT[@INDEX]]\n",
		      stderr);
		return 2;
	}
	seconds = parse_number(argv[1]);
	argc--;
	argv++;
	event_option(&event, &argc, &argv);
	if (argc != 1 || event.count == NR_COUNTS) {
		fputs("usage: forever-until SECONDS [-e EVENT[@INDEX]]\n",
		      stderr);
		return 2;
	}
	signal(SIGTERM, on_sigterm);

	self = self_open(event.index, event.code);
	empty = self_least(self, &regions[0], CHUNK, 100);
	expected_count(loop, event.count, CHUNK, &expected);
	for (end = time(NULL) + (time_t)seconds;
	     !terminated && time(NULL) < end;) {
		/* Not less than "empty", whose least count it was. */
		uint64_t count = self_measure(self, loop, CHUNK, NULL) - empty;

		if (count == expected)
			exact++;
		else if (count < expected || count > UINT64_MAX / 2)
			lost++;
		total += count;
		expected_total += expected;
		chunks++;
	}
	printf("total %llu expected %llu chunks %llu exact %llu short %llu\n",
	       (unsigned long long)total, (unsigned long long)expected_total,
	       (unsigned long long)chunks, (unsigned long long)exact,
	       (unsigned long long)lost);
	if (vperfctr_read_ctrs(self, &sums) < 0) {
		printf("counting ended: %s\n", strerror(errno));
		return 1;
	}
	return lost || !exact;
}
