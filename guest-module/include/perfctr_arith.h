/* SPDX-License-Identifier: MIT */
/*
 * The arithmetic of a counter that is narrower than its count.
 *
 * A counter of w bits runs freely and wraps.  Its user keeps a sum and the
 * counter's value at the start of the present interval, and the count is
 *
 *     count = sum + ((now - start) mod 2^w)
 *
 * (equation 2 of the paper, with the modulus that the released code forgot).
 * This is right as long as fewer than 2^w events lie between start and now;
 * whoever keeps the sum has to fold before that.
 *
 * Pure: no dependencies but fixed-width integer types, which the includer
 * provides (kernel, Xen and <stdint.h> all do).
 */
#ifndef PERFCTR_ARITH_H
#define PERFCTR_ARITH_H

/* All ones in the low @width bits.  @width: 1 to 64. */
static inline uint64_t perfctr_width_mask(unsigned int width)
{
	return ~(uint64_t)0 >> (64 - width);
}

/* Events between two values of a counter; @mask from perfctr_width_mask(). */
static inline uint64_t perfctr_delta(uint64_t now, uint64_t start,
				     uint64_t mask)
{
	return (now - start) & mask;
}

/* The count: what was summed up before @start, and the events since. */
static inline uint64_t perfctr_count(uint64_t sum, uint64_t now,
				     uint64_t start, uint64_t mask)
{
	return sum + perfctr_delta(now, start, mask);
}

/*
 * Ticks between two values of the TSC, which need not be of one CPU: 0 if the
 * later one is behind.
 */
static inline uint64_t perfctr_ticks(uint64_t now, uint64_t start)
{
	return (int64_t)(now - start) > 0 ? now - start : 0;
}

/*
 * Of @ticks, those for which the vCPU did not run: what its stolen ticks have
 * grown by.  Never more than there were, so what is left is never negative.
 */
static inline uint64_t perfctr_ticks_stolen(uint64_t ticks, uint64_t stolen,
					    uint64_t stolen_start)
{
	uint64_t delta = perfctr_ticks(stolen, stolen_start);

	return delta < ticks ? delta : ticks;
}

#endif /* PERFCTR_ARITH_H */
