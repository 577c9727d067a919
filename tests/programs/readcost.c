// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * readcost [PMC-LIMIT [CTRS-LIMIT]]
 *
 * What a read costs, by the emulated machine's ruler, in TAP: instructions
 * retired by one call of vperfctr_read_pmc (CALL and RET included), and of
 * vperfctr_read_ctrs with four counters; and that a read is one RDPMC per
 * counter, without system call, hypercall or fault.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "../machine/ruler/ruler.h"
#include "self.h"

#define REPETITIONS 2000

static sigjmp_buf no_ruler;

static void on_fault(int signal_number)
{
	(void)signal_number;
	siglongjmp(no_ruler, 1);
}

static int ruler_is_there(void)
{
	int there = 0;

	signal(SIGSEGV, on_fault);
	signal(SIGILL, on_fault);
	if (!sigsetjmp(no_ruler, 1))
		there = ruler_read(RULER_VERSION) == RULER_VERSION_1;
	signal(SIGSEGV, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	return there;
}

/* What is called with the ruler read before and after; all called alike. */
typedef void call(const struct vperfctr *self, void *to);

void region_empty(uint64_t n, void *memory);

static __attribute__((noinline)) uint64_t
ruler_delta(uint32_t what, call *call, const void *self, void *to)
{
	uint64_t before = ruler_read(what);

	call(self, to);
	return ruler_read(what) - before;
}

static uint64_t least(uint32_t what, call *call, const void *self, void *to)
{
	uint64_t least = UINT64_MAX;
	int i;

	for (i = 0; i < REPETITIONS; i++) {
		uint64_t delta = ruler_delta(what, call, self, to);

		if (delta < least)
			least = delta;
	}
	return least;
}

static int failed;
static int number;

static void test(int good, const char *what, const char *name,
		 unsigned long long is, const char *relation,
		 unsigned long long limit)
{
	failed |= !good;
	printf("%sok %d - %s: %s %llu (%s %llu)\n", good ? "" : "not ",
	       ++number, what, name, is, relation, limit);
}

/* @to is the second argument: an index or a pointer. */
static void test_call(const char *what, call *call, const void *self, void *to,
		      uint64_t instructions, uint64_t rdpmcs)
{
	static const struct {
		const char *name;
		uint32_t index;
	} none[] = {
		{"system calls", RULER_SYSCALLS},
		{"hypercalls", RULER_HYPERCALLS},
		{"#GP faults", RULER_GP_FAULTS},
	};
	uint32_t user = RULER_EV(RULER_INSN, RULER_HOST_USER);
	uint64_t is;
	size_t i;

	/* In a guest of SVM the program is elsewhere. */
	if (!ruler_delta(user, call, self, to))
		user = RULER_EV(RULER_INSN, RULER_GUEST_USER);
	/* Less a call of "ret", which is a CALL and a RET. */
	is = least(user, call, self, to) + 2 -
	     least(user, (void *)region_empty, NULL, NULL);
	test(is <= instructions, what, "instructions", is, "at most",
	     instructions);
	is = least(RULER_RDPMC, call, self, to);
	test(is == rdpmcs, what, "RDPMC", is, "exactly", rdpmcs);
	for (i = 0; i < sizeof(none) / sizeof(*none); i++) {
		is = least(none[i].index, call, self, to);
		test(is == 0, what, none[i].name, is, "exactly", 0);
	}
}

int main(int argc, char **argv)
{
	uint64_t pmc_limit = argc > 1 ? parse_number(argv[1]) : 20;
	uint64_t ctrs_limit = argc > 2 ? parse_number(argv[2]) : 50;
	struct vperfctr_control control;
	struct perfctr_sum_ctrs sums;
	struct vperfctr *self;
	unsigned int i;

	if (!ruler_is_there()) {
		puts("1..0 # SKIP no ruler in this machine");
		return 0;
	}
	self = self_open(0, code_of(INSTRUCTIONS));
	test_call("vperfctr_read_pmc", (void *)vperfctr_read_pmc, self, NULL,
		  pmc_limit, 1);

	one_counter(&control, 0, code_of(INSTRUCTIONS));
	control.cpu_control.nractrs = 4;
	for (i = 1; i < 4; i++) {
		control.cpu_control.pmc_map[i] = i;
		control.cpu_control.evntsel[i] = control.cpu_control.evntsel[0];
	}
	if (vperfctr_control(self, &control) < 0) {
		perror("vperfctr_control of four counters");
		return 1;
	}
	test_call("vperfctr_read_ctrs of four", (void *)vperfctr_read_ctrs,
		  self, &sums, ctrs_limit, 4);
	printf("1..%d\n", number);
	return failed;
}
