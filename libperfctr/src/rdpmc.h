/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two instructions that read counters.  A unit test puts its own in their
 * place.
 */
#ifndef LIBPERFCTR_RDPMC_H
#define LIBPERFCTR_RDPMC_H

#include <stdint.h>

#ifdef PERFCTR_UNIT_TEST
uint64_t rdpmc(uint32_t index);
uint64_t rdtsc(void);
#else

/*
 * volatile, and "memory": two reads are two events, in the order and at the
 * place in which the program has them.  Both clear the upper halves of RAX and
 * RDX (SDM vol. 2), so these need no extension.
 */
static inline uint64_t rdpmc(uint32_t index)
{
	uint64_t low, high;

	__asm__ __volatile__("rdpmc"
			     : "=a"(low), "=d"(high)
			     : "c"(index)
			     : "memory");
	return low | high << 32;
}

static inline uint64_t rdtsc(void)
{
	uint64_t low, high;

	__asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return low | high << 32;
}
#endif

#endif /* LIBPERFCTR_RDPMC_H */
