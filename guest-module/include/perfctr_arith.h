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

#endif /* PERFCTR_ARITH_H */
