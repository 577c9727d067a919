// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sealed ROOT INPUT OUTPUT [NAME=VALUE]... COMMAND [ARGUMENT]...
 *
 * Executes COMMAND so that it does the same instructions wherever it runs: it
 * gets the directory ROOT as its root file system, where there is nothing of
 * the machine (no /proc, /sys, /dev), /work as its directory, INPUT and OUTPUT
 * (files there) as standard input, output and error, no environment but what
 * is given, memory at the same addresses, process id 1, and the same limits.
 *
 * What remains is what a program can learn by instructions (CPUID, RDTSC) and
 * system calls (time, memory size).
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Standard error as it was: for what goes wrong before the exec. */
static int told = 2;

static _Noreturn void die(const char *what)
{
	dprintf(told, "sealed: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void put_at(const char *path, int flags, int fd)
{
	int file = open(path, flags, 0644);

	if (file < 0 || dup2(file, fd) < 0)
		die(path);
	if (file != fd)
		close(file);
}

int main(int argc, char **argv)
{
	struct rlimit stack = {8 << 20, RLIM_INFINITY};
	int command = 4, status;
	char **environment;
	pid_t child;

	while (command < argc && strchr(argv[command], '='))
		command++;
	if (command >= argc) {
		fprintf(stderr, "usage: sealed ROOT INPUT OUTPUT [NAME=VALUE]... COMMAND [ARGUMENT]...\n");
		return 125;
	}
	environment = calloc((size_t)argc, sizeof(*environment));
	if (!environment)
		die("calloc");
	for (int i = 4; i < command; i++)
		environment[i - 4] = argv[i];

	/* Some print their process id, and a longer number takes longer. */
	if (unshare(CLONE_NEWPID) < 0)
		die("unshare");
	child = fork();
	if (child < 0)
		die("fork");
	if (child) {
		if (waitpid(child, &status, 0) < 0)
			die("waitpid");
		return WIFEXITED(status) ? WEXITSTATUS(status) :
					   128 + WTERMSIG(status);
	}
	if (chroot(argv[1]) < 0 || chdir("/work") < 0)
		die(argv[1]);
	put_at(argv[2], O_RDONLY, 0);
	put_at(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 1);
	if (setrlimit(RLIMIT_STACK, &stack) < 0)
		die("setrlimit");
	if (personality(ADDR_NO_RANDOMIZE) < 0)
		die("personality");
	told = fcntl(2, F_DUPFD_CLOEXEC, 3);
	if (told < 0 || dup2(1, 2) < 0)
		die("dup");
	if (syscall(SYS_close_range, (unsigned int)told + 1, ~0u, 0u) < 0)
		die("close_range");
	execve(argv[command], argv + command, environment);
	die(argv[command]);
}
