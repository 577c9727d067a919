// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * steps PERIOD COMMAND [ARGUMENT...]: executes the command by single steps, and
 * prints the address of the instruction that follows each PERIODth one, counted
 * from the first that it executes: where samples have to be.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "regions.h"

static int wait_stopped(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid) {
		perror("waitpid");
		exit(1);
	}
	return status;
}

int main(int argc, char **argv)
{
	struct user_regs_struct registers;
	uint64_t period, steps = 0;
	int status;
	pid_t pid;

	if (argc < 3) {
		fputs("usage: steps PERIOD COMMAND [ARGUMENT...]\n", stderr);
		return 2;
	}
	period = parse_number(argv[1]);
	pid = fork();
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	/* It stops before its first instruction. */
	status = wait_stopped(pid);
	while (WIFSTOPPED(status)) {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0) {
			perror("ptrace");
			return 1;
		}
		status = wait_stopped(pid);
		if (!WIFSTOPPED(status) || ++steps % period)
			continue;
		if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0) {
			perror("ptrace");
			return 1;
		}
		printf("%llx\n", registers.rip);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
