// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * family [-x] LEVELS CHILDREN THREADS N
 *
 * A tree of processes: each has CHILDREN children down to LEVELS generations,
 * made by fork(), or with -x by vfork() and exec; and THREADS threads beside
 * the first.  Every thread of every process runs the region "loop" of N
 * iterations.  Prints how many threads that is, all in all.
 *
 * To be counted from outside: what it does besides the loops is the same, to
 * the instruction, for each N of so many digits, however the threads are
 * scheduled.  So nobody waits in user mode, or by calls that may have to be
 * repeated: a process ends when the last of its threads has, as its parent
 * sees by one waitpid() for each child.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "regions.h"

#define STACK_BYTES  65536
#define MAX_CHILDREN 64

static const struct region *loop;
static uint64_t iterations;

/* This thread, not the process; and nothing of the C library. */
static _Noreturn void thread_exit(void)
{
	for (;;)
		__asm__ __volatile__("syscall"
				     :
				     : "a"(SYS_exit), "D"(0)
				     : "rcx", "r11", "memory");
}

static int run_thread(void *unused)
{
	(void)unused;
	loop->run(iterations, NULL);
	thread_exit();
}

static void start_thread(void)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED ||
	    clone(run_thread, stack + STACK_BYTES,
		  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			  CLONE_THREAD | CLONE_SYSVSEM,
		  NULL) < 0) {
		perror("clone");
		_exit(1);
	}
}

static void wait_for(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || status) {
		fputs("a child failed\n", stderr);
		_exit(1);
	}
}

/* The numbers of a child by vfork() and exec: all but LEVELS are ours. */
static pid_t exec_child(unsigned int levels, char **argv)
{
	char level[16];
	char *child_argv[] = {"family", "-x",    "-c",    level,
			      argv[1],  argv[2], argv[3], NULL};
	pid_t pid;

	snprintf(level, sizeof(level), "%u", levels);
	pid = vfork();
	if (!pid) {
		execv("/proc/self/exe", child_argv);
		_exit(1);
	}
	return pid;
}

/* @argv: LEVELS and so on if children are to be made by exec, or NULL. */
static _Noreturn void run_process(unsigned int levels, unsigned int children,
				  unsigned int threads, char **argv)
{
	pid_t pids[MAX_CHILDREN];
	unsigned int i, made = 0;

	while (levels && made < children) {
		pids[made] = argv ? exec_child(levels - 1, argv) : fork();
		if (pids[made] < 0) {
			perror("fork");
			_exit(1);
		}
		if (pids[made]) {
			made++;
		} else {
			/* The child goes on as one of the next generation. */
			levels--;
			made = 0;
		}
	}
	for (i = 0; i < threads; i++)
		start_thread();
	loop->run(iterations, NULL);
	for (i = 0; i < made; i++)
		wait_for(pids[i]);
	thread_exit();
}

int main(int argc, char **argv)
{
	bool exec = false, child = false;
	uint64_t levels, children, threads, processes, generation;
	unsigned int i;

	/* -c, "child": says nothing; ours alone. */
	for (; argc > 1 && argv[1][0] == '-'; argc--, argv++) {
		exec |= !strcmp(argv[1], "-x");
		child |= !strcmp(argv[1], "-c");
	}
	if (argc != 5) {
		fputs("usage: family [-x] LEVELS CHILDREN THREADS N\n", stderr);
		return 2;
	}
	levels = parse_number(argv[1]);
	children = parse_number(argv[2]);
	threads = parse_number(argv[3]);
	iterations = parse_number(argv[4]);
	if (levels > 8 || children > MAX_CHILDREN || threads > 1000 ||
	    !iterations) {
		fprintf(stderr, "at most 8 levels, %d children, 1000 threads\n",
			MAX_CHILDREN);
		return 2;
	}
	loop = find_region("loop");
	for (i = 0, processes = generation = 1; i < levels; i++) {
		generation *= children;
		processes += generation;
	}
	if (!child) {
		printf("%llu\n",
		       (unsigned long long)(processes * (threads + 1)));
		fflush(stdout);
	}
	run_process((unsigned int)levels, (unsigned int)children,
		    (unsigned int)threads, exec ? argv + 1 : NULL);
}
