/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For programs that have to be where something is. */
#ifndef TESTS_PIN_H
#define TESTS_PIN_H

#include <sched.h>
#include <sys/types.h>

/* The thread @tid, 0 for the calling one, executes on @cpu only; 0, or -1 and errno. */
static inline int pin(pid_t tid, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(tid, sizeof(set), &set);
}

#endif /* TESTS_PIN_H */
