// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * forever-until SECONDS [PAUSE] [-e EVENT[@INDEX]]
 *
 * Counts chunk after chunk of a loop of known counts, for that time, and
 * compares each: before and after it the counter is read through the kernel,
 * which always takes the same instructions, so that each chunk has to be what the loop
 * does and a constant.  A user-mode read follows, which a switch may make try
 * again: it must lie between the last read and the next.  Sleeps for PAUSE
 * milliseconds after each tenth chunk.  Prints at the end
 *
 *	total T expected E chunks C exact X short S
 *
 * Status 1 if a chunk was not exact, or if counting ended.
 * SIGTERM ends it early, in the same way.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "self.h"

#define CHUNK 20000

/* Events of entry 0 between two reads through the kernel, and none of a reader. */
static __attribute__((noinline)) uint64_t measure(const struct vperfctr *self,
						  const struct region *region,
						  uint64_t *last)
{
	void (*run)(uint64_t n, void *memory) = region->run;
	struct perfctr_sum_ctrs before, after;

	if (vperfctr_read_state(self, &before, NULL) < 0)
		return UINT64_MAX;
	run(CHUNK, NULL);
	if (vperfctr_read_state(self, &after, NULL) < 0)
		return UINT64_MAX;
	/* That of the chunk before was not later than this one's begin. */
	if (*last > before.pmc[0])
		return UINT64_MAX;
	*last = vperfctr_read_pmc(self, 0);
	if (*last < after.pmc[0])
		return UINT64_MAX;
	return after.pmc[0] - before.pmc[0];
}

static int usage(void)
{
	fputs("usage: forever-until SECONDS [PAUSE] [-e EVENT[@INDEX]]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const struct region *loop = find_region("loop");
	uint64_t total = 0, expected_total = 0, chunks = 0, exact = 0, lost = 0;
	uint64_t empty, expected, seen;
	struct perfctr_sum_ctrs sums;
	struct event_option event;
	struct vperfctr *self;
	uint64_t seconds, pause = 0;
	sigset_t ending;
	time_t end;

	if (argc < 2)
		return usage();
	seconds = parse_number(argv[1]);
	argc--;
	argv++;
	if (argc > 1 && argv[1][0] != '-') {
		pause = parse_number(argv[1]);
		argc--;
		argv++;
	}
	event_option(&event, &argc, &argv);
	if (argc != 1 || event.count == NR_COUNTS)
		return usage();
	/* Not handled, which would be counted: looked for between chunks. */
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	sigemptyset(&ending);

	self = self_open(event.index, event.code);
	for (empty = UINT64_MAX, seen = 0; chunks < 100; chunks++) {
		uint64_t count = measure(self, &regions[0], &seen);

		if (count < empty)
			empty = count;
	}
	chunks = 0;
	expected_count(loop, event.count, CHUNK, &expected);
	for (end = time(NULL) + (time_t)seconds;
	     !sigismember(&ending, SIGTERM) && time(NULL) < end;
	     sigpending(&ending)) {
		/* Not less than "empty", whose least count it was. */
		uint64_t count = measure(self, loop, &seen) - empty;

		/* Counting has ended, as is said below. */
		if (count != expected && vperfctr_read_ctrs(self, &sums) < 0)
			break;
		if (count == expected)
			exact++;
		else if (count < expected || count > UINT64_MAX / 2)
			lost++;
		total += count;
		expected_total += expected;
		chunks++;
		if (pause && chunks % 10 == 0)
			usleep((useconds_t)pause * 1000);
	}
	printf("total %llu expected %llu chunks %llu exact %llu short %llu\n",
	       (unsigned long long)total, (unsigned long long)expected_total,
	       (unsigned long long)chunks, (unsigned long long)exact,
	       (unsigned long long)lost);
	if (vperfctr_read_ctrs(self, &sums) < 0) {
		printf("counting ended: %s, last %llu\n", strerrorname_np(errno),
		       (unsigned long long)sums.pmc[0]);
		return 1;
	}
	return exact != chunks || !exact;
}
