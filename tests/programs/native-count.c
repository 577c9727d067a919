// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * native-count FILE CODE... -- COMMAND [ARGUMENT]...
 *
 * What perfex does, by the kernel's own perf, where there is no Xen: counts
 * COMMAND in user mode, from its exec on, with all its threads and children,
 * and writes a line "CODE COUNT" for each event select (hexadecimal) to FILE.
 * All events are counted all the time, or it fails.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"

#define MOST_EVENTS 8

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "native-count: %s: %s\n", what, strerror(errno));
	exit(125);
}

static int open_event(uint64_t code, pid_t pid)
{
	struct perf_event_attr attr = native_event(code);
	int fd;

	attr.inherit = 1;
	attr.disabled = 1;
	attr.enable_on_exec = 1;
	fd = (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1,
			  PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		die("perf_event_open");
	return fd;
}

int main(int argc, char **argv)
{
	uint64_t codes[MOST_EVENTS], count;
	int fds[MOST_EVENTS], go[2], nr = 0, at, status;
	pid_t child;
	FILE *out;
	char byte = 0;

	for (at = 2; at < argc && strcmp(argv[at], "--"); at++) {
		if (nr == MOST_EVENTS)
			goto usage;
		codes[nr++] = strtoull(argv[at], NULL, 16);
	}
	if (!nr || at + 1 >= argc)
		goto usage;

	/* The child waits until its events are there. */
	if (pipe2(go, O_CLOEXEC) < 0)
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		if (read(go[0], &byte, 1) != 1)
			_exit(125);
		execv(argv[at + 1], argv + at + 1);
		die(argv[at + 1]);
	}
	for (int i = 0; i < nr; i++)
		fds[i] = open_event(codes[i], child);
	if (write(go[1], &byte, 1) != 1)
		die("pipe");
	if (waitpid(child, &status, 0) < 0)
		die("waitpid");

	out = fopen(argv[1], "w");
	if (!out)
		die(argv[1]);
	for (int i = 0; i < nr; i++) {
		if (read(fds[i], &count, sizeof(count)) != sizeof(count)) {
			fprintf(stderr, "native-count: 0x%llx: not counted\n",
				(unsigned long long)codes[i]);
			return 125;
		}
		fprintf(out, "0x%llx %llu\n", (unsigned long long)codes[i],
			(unsigned long long)count);
	}
	if (fclose(out))
		die(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
usage:
	fprintf(stderr,
		"usage: native-count FILE CODE... -- COMMAND [ARGUMENT]...\n");
	return 125;
}
