// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * members tree|threads|exec|thread-exec|blocked|spin 0|1 SEED [...]
 *
 * The members of a group, for groups.c.  With 1 each does its work (members.h),
 * with 0 it calls region_empty instead; nothing else differs, so the two
 * differ by the known counts of the work.
 *
 * There is no C library in here, nor anything else whose instructions depend
 * on addresses, locks or time: each system call is made once and blocks as long as it
 * has to.
 */

#include <asm/unistd.h>
#include <stddef.h>

#include "members.h"

#define SIGCHLD_NUMBER 17

static long call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ __volatile__("syscall"
			     : "=a"(result)
			     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10),
			       "r"(r8), "r"(r9)
			     : "rcx", "r11", "memory");
	return result;
}

/*
 * spawn(stack): a thread that takes from its stack first the argument, then the
 * function, which never returns.
 * spin(number): counts it up in memory until it is zero, then blocks for good:
 * one load, store and conditional branch each time.
 */
__asm__(".text\n"
	"spawn:	mov	%rdi, %rsi\n"
	"	mov	$0x50f00, %edi\n" /* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */
	"	xor	%edx, %edx\n"
	"	xor	%r10d, %r10d\n"
	"	xor	%r8d, %r8d\n"
	"	mov	$56, %eax\n" /* clone */
	"	syscall\n"
	"	test	%rax, %rax\n"
	"	jz	1f\n"
	"	ret\n"
	"1:	pop	%rdi\n"
	"	pop	%rax\n"
	"	call	*%rax\n"
	"	ud2\n"
	"spin:\n"
	"1:	incq	(%rdi)\n"
	"	jnz	1b\n"
	"	mov	$34, %eax\n" /* pause */
	"	syscall\n"
	"	ud2\n"
	".globl _start\n"
	"_start: mov	%rsp, %rdi\n"
	"	and	$-16, %rsp\n"
	"	call	start\n"
	"	ud2\n");

long spawn(void *stack);
__attribute__((noreturn)) void spin(volatile uint64_t *number);
__attribute__((noreturn)) void start(long *stack);

void region_empty(uint64_t n, void *memory);
void region_loop(uint64_t n, void *memory);
void region_branches(uint64_t n, void *memory);
void region_loads(uint64_t n, void *memory);
void region_stores(uint64_t n, void *memory);
void region_updates(uint64_t n, void *memory);
void region_calls(uint64_t n, void *memory);
void region_syscalls(uint64_t n, void *memory);

static uint64_t seed;
static unsigned int real;
static char memory[64] __attribute__((aligned(64)));

#define STACK 8192
static char stacks[THREADS][STACK] __attribute__((aligned(64)));

static void work(unsigned int member)
{
	static void (*const region[])(uint64_t, void *) = {
		region_loop,    region_branches, region_loads,   region_stores,
		region_updates, region_calls,    region_syscalls};
	/* An index, not a branch: both ways are the same instructions. */
	static void (*const way[])(uint64_t, void *) = {region_empty,
							region_sequence};
	struct step steps[WORK_STEPS];
	unsigned int i;

	for (i = 0; i < WORK_STEPS; i++) {
		steps[i].run = region[work_step(seed, member, i, &steps[i].n)];
		steps[i].memory = memory;
	}
	way[real](WORK_STEPS, steps);
}

static __attribute__((noreturn)) void die(long status)
{
	call(__NR_exit_group, status, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

static void end_thread(void)
{
	call(__NR_exit, 0, 0, 0, 0, 0, 0);
	__builtin_unreachable();
}

static void block(void)
{
	call(__NR_pause, 0, 0, 0, 0, 0, 0);
	die(9);
}

static void nap(long ns)
{
	long time[2] = {0, ns};

	call(__NR_nanosleep, (long)time, 0, 0, 0, 0, 0);
}

static long make_process(void)
{
	long pid = call(__NR_clone, SIGCHLD_NUMBER, 0, 0, 0, 0, 0);

	if (pid < 0)
		die(3);
	return pid;
}

static void wait_for(unsigned int children)
{
	while (children--)
		if (call(__NR_wait4, -1, 0, 0, 0, 0, 0) <= 0)
			die(4);
}

static void make_thread(unsigned int n, void (*function)(unsigned long),
			unsigned long argument)
{
	void **top = (void **)(stacks[n] + STACK);

	*--top = NULL; /* alignment, as the ABI wants it */
	*--top = NULL;
	*--top = (void *)function;
	*--top = (void *)argument;
	if (spawn(top) < 0)
		die(5);
}

static void tree(void)
{
	unsigned int i, k;

	for (i = 0; i < TREE_CHILDREN; i++) {
		if (make_process())
			continue;
		for (k = 0; k < TREE_GRANDCHILDREN; k++)
			if (!make_process()) {
				work(1 + TREE_CHILDREN +
				     i * TREE_GRANDCHILDREN + k);
				die(0);
			}
		work(1 + i);
		wait_for(TREE_GRANDCHILDREN);
		die(0);
	}
	work(0);
	wait_for(TREE_CHILDREN);
	die(0);
}

static void one_thread(unsigned long member)
{
	work((unsigned int)member);
	nap(nap_of(seed, (unsigned int)member));
	end_thread();
}

/* The first thread, the founder of the group, ends before the others. */
static void threads(void)
{
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		make_thread(i, one_thread, i + 1);
	work(0);
	end_thread();
}

static void working_sibling(unsigned long member)
{
	work((unsigned int)member);
	block();
}

static char **arguments;

/* It becomes the process's only thread, and takes over the first one's id. */
static void executing_thread(unsigned long member)
{
	work((unsigned int)member);
	/* By then the others are blocked, and their counts known. */
	nap(200000000);
	call(__NR_execve, (long)arguments[0], (long)arguments, 0, 0, 0, 0);
	die(6);
}

/* argv shrinks by one with each exec, down to the four that are needed. */
static void exec_chain(int argc, char **argv)
{
	char *no_environment = NULL;

	work(EXEC_MEMBER + (unsigned int)argc);
	if (argc == 4)
		die(0);
	argv[argc - 1] = NULL;
	call(__NR_execve, (long)argv[0], (long)argv, (long)&no_environment, 0,
	     0, 0);
	die(6);
}

static void thread_exec(char **argv)
{
	static char chain[] = "exec";
	unsigned int i;

	/* What it executes is the end of a chain. */
	arguments = argv;
	argv[1] = chain;
	argv[4] = NULL;
	for (i = 0; i < SIBLINGS; i++)
		make_thread(i, working_sibling, i + 1);
	make_thread(i, executing_thread, i + 1);
	work(0);
	block();
}

static void one_spinner(unsigned long number)
{
	spin((volatile uint64_t *)number);
}

static void spinners(void)
{
	long page = call(__NR_mmap, 0, 4096, 3, 1, SPIN_FD, 0);
	unsigned int i;

	if (page < 0)
		die(7);
	for (i = 1; i <= SPINNERS; i++)
		make_thread(i, one_spinner, (unsigned long)page + i * 64);
	one_spinner((unsigned long)page);
}

static int is(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

void start(long *stack)
{
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	const char *digit;

	if (argc < 4)
		die(2);
	real = argv[2][0] == '1';
	for (digit = argv[3]; *digit; digit++)
		seed = seed * 10 + (uint64_t)(*digit - '0');
	if (is(argv[1], "tree"))
		tree();
	if (is(argv[1], "threads"))
		threads();
	if (is(argv[1], "exec"))
		exec_chain(argc, argv);
	if (is(argv[1], "thread-exec"))
		thread_exec(argv);
	if (is(argv[1], "blocked")) {
		work(0);
		block();
	}
	if (is(argv[1], "spin"))
		spinners();
	die(2);
}
