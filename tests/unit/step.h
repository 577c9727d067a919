/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counting instructions by single steps: a child calls a function, the parent
 * steps it.  RDPMC, which faults on a host that does not allow it, is done in
 * its place and counted as one.
 */
#ifndef TESTS_STEP_H
#define TESTS_STEP_H

#include <stdint.h>

/* What is called, whatever it returns. */
typedef void step_call(const void *first, const void *second);

struct steps {
	uint64_t instructions; /* CALL and RET included */
	uint64_t rdpmcs;
	uint64_t syscalls;
};

/* A REP instruction is one, however many iterations. */
struct steps count_steps(void *function, const void *first, const void *second);

#endif /* TESTS_STEP_H */
