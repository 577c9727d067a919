// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A clock that goes the same everywhere: each time that a program asks, a
 * millisecond has passed.  Preloaded, it stands before the C library's
 * functions, and RDTSC faults and is answered here.  Programs print how long
 * they took, and another number takes other instructions to print.
 */

#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static long milliseconds = 1700000000000;

int clock_gettime(clockid_t which, struct timespec *now)
{
	(void)which;
	milliseconds++;
	now->tv_sec = milliseconds / 1000;
	now->tv_nsec = milliseconds % 1000 * 1000000;
	return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	(void)zone;
	milliseconds++;
	now->tv_sec = milliseconds / 1000;
	now->tv_usec = milliseconds % 1000 * 1000;
	return 0;
}

time_t time(time_t *where)
{
	time_t now = ++milliseconds / 1000;

	if (where)
		*where = now;
	return now;
}

clock_t clock(void)
{
	return ++milliseconds % 1000000 * 1000;
}

clock_t times(struct tms *of)
{
	clock_t now = ++milliseconds / 10;

	of->tms_utime = now % 1000000;
	of->tms_stime = of->tms_cutime = of->tms_cstime = 0;
	return now;
}

int getrusage(__rusage_who_t who, struct rusage *usage)
{
	(void)who;
	memset(usage, 0, sizeof(*usage));
	milliseconds++;
	usage->ru_utime.tv_sec = milliseconds / 1000 % 1000000;
	usage->ru_utime.tv_usec = milliseconds % 1000 * 1000;
	return 0;
}

static void rdtsc(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	const unsigned char *code = (const unsigned char *)registers[REG_RIP];

	(void)number;
	(void)info;
	milliseconds++;
	registers[REG_RAX] = (unsigned int)(milliseconds * 2000000);
	registers[REG_RDX] = milliseconds * 2000000 >> 32;
	if (code[0] == 0x0f && code[1] == 0x31) { /* RDTSC */
		registers[REG_RIP] += 2;
	} else if (code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xf9) {
		registers[REG_RCX] = 0; /* RDTSCP */
		registers[REG_RIP] += 3;
	} else {
		/* It was something else: die of it. */
		signal(SIGSEGV, SIG_DFL);
	}
}

__attribute__((constructor)) static void no_rdtsc(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = rdtsc;
	action.sa_flags = SA_SIGINFO;
	if (sigaction(SIGSEGV, &action, NULL) ||
	    prctl(PR_SET_TSC, PR_TSC_SIGSEGV))
		_exit(125);
}
