// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tsc-share TICKS
 *
 * Spins for that many ticks of the machine's TSC, as RDTSC shows it, and prints
 *
 *	virtual T	what vperfctr_read_tsc() says that this thread had of them
 *	from A to B	the machine's TSC then
 *	gap A B		... a time for which this loop did not run, longer than LEAST
 *
 * Two domains that share a pCPU print this, and whoever has both can say by RDTSC
 * alone which ticks were whose: tests/system/guest/tsc.sh.  With --icount and
 * nothing else running a tick is an instruction of the emulated machine, so
 * this is the ruler's count, which knows nothing of Xen's stolen time, of
 * VIRQ_PERFCTR, or of this project.
 */

#include <stdio.h>

#include "self.h"

#define LEAST 20000
#define MOST  20000

static struct {
	uint64_t from, to;
} gaps[MOST];

static inline uint64_t machine_tsc(void)
{
	uint32_t low, high;

	__asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

int main(int argc, char **argv)
{
	uint64_t length, begin, now, before, first, last, nr = 0, i, back = 0;
	struct vperfctr *self;

	if (argc != 2) {
		fputs("usage: tsc-share TICKS\n", stderr);
		return 2;
	}
	length = parse_number(argv[1]);
	for (i = 0; i < MOST; i++)
		gaps[i].to = 1; /* no page fault later */
	self = self_open(0, code_of(INSTRUCTIONS));
	/* Again if something came between the two. */
	do {
		begin = machine_tsc();
		first = vperfctr_read_tsc(self);
		before = machine_tsc();
	} while (before - begin > 1000);
	last = first;
	do {
		uint64_t mine;

		now = machine_tsc();
		if (now - before > LEAST && nr < MOST) {
			gaps[nr].from = before;
			gaps[nr++].to = now;
		}
		before = now;
		/* After a switch this has to know what was stolen, at once. */
		mine = vperfctr_read_tsc(self);
		back += mine < last;
		last = mine;
	} while (now - begin < length);
	do {
		now = machine_tsc();
		last = vperfctr_read_tsc(self);
	} while (machine_tsc() - now > 1000);

	printf("virtual %llu\nfrom %llu to %llu\nback %llu\n",
	       (unsigned long long)(last - first), (unsigned long long)begin,
	       (unsigned long long)now, (unsigned long long)back);
	for (i = 0; i < nr; i++)
		printf("gap %llu %llu\n", (unsigned long long)gaps[i].from,
		       (unsigned long long)gaps[i].to);
	return nr == MOST;
}
