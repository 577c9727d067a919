// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sealed ROOT INPUT OUTPUT [NAME=VALUE]... COMMAND [ARGUMENT]...
 *
 * Executes COMMAND so that it does the same instructions wherever it runs: it
 * gets the directory ROOT as its root file system, where there is nothing of
 * the machine (no /proc, /sys, /dev), /work as its directory, INPUT and OUTPUT
 * (files there) as standard input, output and error, no environment but what
 * is given, memory at the same addresses, process id 1, the same limits, and
 * always the same "random" bytes from the kernel.
 *
 * What remains is what a program can learn by instructions (CPUID, RDTSC) and
 * system calls (time, memory size).
 */

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
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

/* getrandom(2) stops, so that the tracer answers it. */
static void no_getrandom(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrandom, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(*code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		die("seccomp");
}

#define RANDOM_WORD 0x5a17c93be4d06f82

static long word_at(pid_t pid, unsigned long address)
{
	errno = 0;
	long word = ptrace(PTRACE_PEEKDATA, pid, address, 0);

	if (errno)
		die("PTRACE_PEEKDATA");
	return word;
}

static void fill(pid_t pid, unsigned long address, unsigned long size)
{
	for (unsigned long at = 0; at < size; at += 8) {
		unsigned long word = RANDOM_WORD;

		/* Keep what is behind the end. */
		if (size - at < 8) {
			unsigned long mask = (1ul << 8 * (size - at)) - 1;

			word = (word & mask) |
			       ((unsigned long)word_at(pid, address + at) &
				~mask);
		}
		if (ptrace(PTRACE_POKEDATA, pid, address + at, word) < 0)
			die("PTRACE_POKEDATA");
	}
}

/* The new program has not run yet: argc, argv, envp and auxv are on its stack. */
static void replace_at_random(pid_t pid)
{
	struct user_regs_struct registers;
	unsigned long at;

	if (ptrace(PTRACE_GETREGS, pid, 0, &registers) < 0)
		die("PTRACE_GETREGS");
	at = registers.rsp +
	     8 * ((unsigned long)word_at(pid, registers.rsp) + 2);
	while (word_at(pid, at))
		at += 8;
	for (at += 8; word_at(pid, at) != AT_NULL; at += 16)
		if (word_at(pid, at) == AT_RANDOM)
			fill(pid, (unsigned long)word_at(pid, at + 8), 16);
}

static void answer_getrandom(pid_t pid)
{
	struct user_regs_struct registers;

	if (ptrace(PTRACE_GETREGS, pid, 0, &registers) < 0)
		die("PTRACE_GETREGS");
	fill(pid, registers.rdi, registers.rsi);
	registers.rax = registers.rsi;
	registers.orig_rax = ~0ull; /* no system call */
	if (ptrace(PTRACE_SETREGS, pid, 0, &registers) < 0)
		die("PTRACE_SETREGS");
}

/* Until the first process has ended; returns its status for wait(2). */
static int trace(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) < 0)
		die("waitpid");
	if (!WIFSTOPPED(status))
		return status;
	if (ptrace(PTRACE_SETOPTIONS, child, 0,
		   PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP |
			   PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			   PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL) < 0 ||
	    ptrace(PTRACE_CONT, child, 0, 0) < 0)
		die("ptrace");
	for (;;) {
		pid_t pid = waitpid(-1, &status, __WALL);
		int event, number;

		if (pid < 0)
			die("waitpid");
		if (!WIFSTOPPED(status)) {
			if (pid == child)
				return status;
			continue;
		}
		event = status >> 16;
		number = WSTOPSIG(status);
		if (event == PTRACE_EVENT_EXEC)
			replace_at_random(pid);
		else if (event == PTRACE_EVENT_SECCOMP)
			answer_getrandom(pid);
		/* That of a stop for the tracer, or of a thread that begins */
		if (event || number == SIGSTOP)
			number = 0;
		/* It may have been killed meanwhile. */
		if (ptrace(PTRACE_CONT, pid, 0, number) < 0 && errno != ESRCH)
			die("PTRACE_CONT");
	}
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
		fprintf(stderr,
			"usage: sealed ROOT INPUT OUTPUT [NAME=VALUE]... COMMAND [ARGUMENT]...\n");
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
		status = trace(child);
		return WIFEXITED(status) ? WEXITSTATUS(status)
					 : 128 + WTERMSIG(status);
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
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 || raise(SIGSTOP))
		die("ptrace");
	no_getrandom();
	execve(argv[command], argv + command, environment);
	die(argv[command]);
}
