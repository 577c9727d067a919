// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shares INSTRUCTIONS: executes that many, a multiple of 100,000, in four
 * functions, 50, 30, 15 and 5 % of them in each, in rounds of 100,000.  Besides
 * there are some 30 instructions a round, and some hundred to begin and to end.
 * To be sampled from outside: each function has a frame of its own, and is called
 * by "rounds".
 *
 * There is no C library, so nothing else is in the samples.
 */

#include <asm/unistd.h>
#include <stdint.h>

#define ROUND UINT64_C(100000)

/* A loop of two instructions, and four around it: 2 * n + 4. */
#define FUNCTION(name)                                                         \
	__asm__(".text\n"                                                      \
		".globl " #name "\n"                                           \
		".type " #name ", @function\n"                                 \
		".balign 64\n" #name ":	push %rbp\n"                           \
		"	mov %rsp, %rbp\n"                                            \
		"1:	dec %rdi\n"                                                \
		"	jnz 1b\n"                                                    \
		"	pop %rbp\n"                                                  \
		"	ret\n"                                                       \
		".size " #name ", . - " #name "\n");                           \
	void name(uint64_t n)

FUNCTION(spends_50);
FUNCTION(spends_30);
FUNCTION(spends_15);
FUNCTION(spends_5);

__asm__(".globl _start\n"
	"_start: xor	%ebp, %ebp\n"
	"	mov	%rsp, %rdi\n"
	"	and	$-16, %rsp\n"
	"	call	start\n"
	"	ud2\n");

__attribute__((noreturn)) void start(long *stack);
void rounds(uint64_t nr);

#define LOOPS(percent) (((percent)*ROUND / 100 - 4) / 2)

__attribute__((noinline)) void rounds(uint64_t nr)
{
	while (nr--) {
		spends_50(LOOPS(50));
		spends_30(LOOPS(30));
		spends_15(LOOPS(15));
		spends_5(LOOPS(5));
		/* No call in the last place: it would become a jump. */
		__asm__ __volatile__("");
	}
}

static __attribute__((noreturn)) void end(long status)
{
	__asm__ __volatile__("syscall" : : "a"(__NR_exit_group), "D"(status));
	__builtin_unreachable();
}

void start(long *stack)
{
	const char *text = (const char *)stack[2];
	uint64_t instructions = 0;

	if (stack[0] != 2)
		end(2);
	for (; *text >= '0' && *text <= '9'; text++)
		instructions = 10 * instructions + (uint64_t)(*text - '0');
	if (*text || !instructions || instructions % ROUND)
		end(2);
	rounds(instructions / ROUND);
	end(0);
}
