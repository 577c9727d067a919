/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xorshift64*: the same numbers for the same seed, which is not zero. */
#ifndef TESTS_RANDOM_H
#define TESTS_RANDOM_H

#include <stdint.h>

static uint64_t rng;

static inline uint64_t random64(void)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return rng * UINT64_C(2685821657736338717);
}

/* From 0 to n - 1. */
static inline unsigned int below(unsigned int n)
{
	return (unsigned int)((random64() >> 32) * n >> 32);
}

#endif /* TESTS_RANDOM_H */
