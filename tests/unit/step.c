// SPDX-License-Identifier: GPL-2.0-or-later

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#include "step.h"

/* INT3 before and after: the parent counts what is between. */
static __attribute__((noinline)) void marked(step_call *call, const void *first,
					     const void *second)
{
	__asm__ __volatile__("int3" ::: "memory");
	call(first, second);
	__asm__ __volatile__("int3" ::: "memory");
}

/* A RET, whatever the compiler's options. */
void nothing(const void *first, const void *second);
__asm__(".text\n"
	"nothing: ret\n");

static int wait_stop(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	return WSTOPSIG(status);
}

static struct steps step(step_call *call, const void *first, const void *second)
{
	static const unsigned char int3 = 0xcc, rdpmc[] = {0x0f, 0x33},
				   syscall[] = {0x0f, 0x05};
	struct user_regs_struct regs;
	struct steps steps = {0, 0, 0};
	uint64_t rip_before = 0;
	pid_t child = fork();
	long text;

	assert_int_not_equal(child, -1);
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		marked(call, first, second);
		_exit(0);
	}
	assert_int_equal(wait_stop(child), SIGSTOP);
	assert_int_equal(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
	assert_int_equal(wait_stop(child), SIGTRAP);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &regs), 0);
		text = ptrace(PTRACE_PEEKTEXT, child, regs.rip, NULL);
		if (!memcmp(&text, &int3, 1))
			break;
		/* The next iteration of a REP is at the same place. */
		if (regs.rip != rip_before)
			steps.instructions++;
		rip_before = regs.rip;
		if (!memcmp(&text, syscall, 2))
			steps.syscalls++;
		if (!memcmp(&text, rdpmc, 2)) {
			steps.rdpmcs++;
			regs.rip += 2;
			regs.rax = 1234;
			regs.rdx = 0;
			assert_int_equal(
				ptrace(PTRACE_SETREGS, child, NULL, &regs), 0);
			continue;
		}
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL),
				 0);
		assert_int_equal(wait_stop(child), SIGTRAP);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return steps;
}

struct steps count_steps(void *function, const void *first, const void *second)
{
	struct steps steps = step((step_call *)function, first, second);
	struct steps empty = step(nothing, first, second);

	/* What prepares the call is not of the call; its RET is in both. */
	steps.instructions -= empty.instructions - 2;
	return steps;
}
