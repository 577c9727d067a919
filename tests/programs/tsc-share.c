// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tsc-share TICKS
 *
 * Spins for that many ticks of the machine's TSC, as RDTSC shows it, and for
 * MARGIN before and after them, so that it is there for all of another's time
 * who began not quite when it did. Prints
 *
 *	virtual T	what vperfctr_read_tsc() says that this thread had of them
 *	from A to B	the machine's TSC then
 *	spun A B	and with the margins
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

#define LEAST  20000
#define MOST   40000
#define MARGIN 400000000

static struct {
	uint64_t from, to;
} gaps[MOST];

static inline uint64_t machine_tsc(void)
{
	uint32_t low, high;

	__asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static struct vperfctr *self;
static uint64_t nr, back;

/* Until RDTSC shows @end; returns when. */
static uint64_t spin_until(uint64_t begin, uint64_t end)
{
	uint64_t now, before = begin, last = 0;

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
	} while (now < end);
	return now;
}

/* Both at one time. */
static uint64_t both_tscs(uint64_t *mine)
{
	uint64_t now;

	/* Again if something came between the two. */
	do {
		now = machine_tsc();
		*mine = vperfctr_read_tsc(self);
	} while (machine_tsc() - now > 1000);
	return now;
}

int main(int argc, char **argv)
{
	uint64_t begin, from, to, end, first, last, i;

	if (argc != 2) {
		fputs("usage: tsc-share TICKS\n", stderr);
		return 2;
	}
	for (i = 0; i < MOST; i++)
		gaps[i].to = 1; /* no page fault later */
	self = self_open(0, code_of(INSTRUCTIONS));
	begin = machine_tsc();
	end = spin_until(begin, begin + MARGIN);
	from = both_tscs(&first);
	end = spin_until(end, from + parse_number(argv[1]));
	to = both_tscs(&last);
	end = spin_until(end, to + MARGIN);

	printf("virtual %llu\nfrom %llu to %llu\nspun %llu %llu\nback %llu\n",
	       (unsigned long long)(last - first), (unsigned long long)from,
	       (unsigned long long)to, (unsigned long long)begin,
	       (unsigned long long)end, (unsigned long long)back);
	for (i = 0; i < nr; i++)
		printf("gap %llu %llu\n", (unsigned long long)gaps[i].from,
		       (unsigned long long)gaps[i].to);
	return nr == MOST;
}
