/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What members.c and groups.c both have to know: who the members of a group
 * are, and what the work of each is.
 */
#ifndef TESTS_MEMBERS_H
#define TESTS_MEMBERS_H

#include <stdint.h>

#include "regions.h"

#define TREE_CHILDREN      7
#define TREE_GRANDCHILDREN 8 /* of each: 1 + 7 + 56 = 64 processes */
#define THREADS            64
#define EXECS              20
#define EXEC_MEMBER        100 /* its work's number: that and argc */
#define SIBLINGS           3   /* of the thread that executes another program */
#define SPINNERS           4   /* threads that are killed while they count */

#define WORK_STEPS   4
#define WORK_REGIONS 7

/* By number, because members.c is too small for the table. */
#define WORK_NAMES                                                             \
	{                                                                      \
		"loop", "branches", "loads", "stores", "updates", "calls",     \
			"syscalls"                                             \
	}

/* Where the spinners count: file descriptor 3, one number for each. */
#define SPIN_FD 3

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Step @step of the work of member @member: which region, how often. */
static inline unsigned int work_step(uint64_t seed, unsigned int member,
				     unsigned int step, uint64_t *n)
{
	uint64_t x = mix((seed << 20) + member * WORK_STEPS + step + 1);
	unsigned int region = (unsigned int)(x % WORK_REGIONS);

	/* 1 to 8191, any length as likely as any other; few system calls. */
	*n = 1 + (x >> 16) % (UINT64_C(1) << (x >> 8) % 14);
	if (region == WORK_REGIONS - 1)
		*n = 1 + *n % 8;
	return region;
}

/* How long thread @member sleeps before it ends, in ns: their order is random. */
static inline long nap_of(uint64_t seed, unsigned int member)
{
	return (long)(mix(seed * 3 + member) % 20000000);
}

#endif /* TESTS_MEMBERS_H */
