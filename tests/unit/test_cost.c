// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How many instructions a read takes, in the shared library as it is built.
 */

#include <string.h>
#include <stdlib.h>

#include "test.h"

#include "internal.h"
#include "step.h"

static struct vperfctr *running(unsigned int nr)
{
	static struct vperfctr handle;
	unsigned int i;

	memset(&handle, 0, sizeof(handle));
	handle.page.nr = nr;
	handle.page.status = PERFCTR_STATUS_RUNNING;
	handle.page.tsc_running = 1;
	handle.page.all_running = nr;
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++)
		handle.page.counter[i].index = i < nr ? (int)i : -1;
	return &handle;
}

static void test_read_pmc(void **state)
{
	const struct vperfctr *self = running(4);
	uintptr_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct steps steps =
			count_steps((void *)vperfctr_read_pmc, self, (void *)i);

		assert_in_range(steps.instructions, 10, 20);
		assert_int_equal(steps.rdpmcs, 1);
		assert_int_equal(steps.syscalls, 0);
	}
}

static void test_read_ctrs(void **state)
{
	struct perfctr_sum_ctrs sums;
	unsigned int nr;

	(void)state;
	for (nr = 0; nr <= PERFCTR_MAX_PMCS; nr++) {
		struct steps steps = count_steps((void *)vperfctr_read_ctrs,
						 running(nr), &sums);

		if (nr >= 1 && nr <= 4)
			assert_in_range(steps.instructions, 20, 50);
		/* The TSC alone is not the fast path's: "all" of none is 0. */
		assert_in_range(steps.instructions, 15, nr ? 35 + 13 * nr : 60);
		assert_int_equal(steps.rdpmcs, nr);
		assert_int_equal(steps.syscalls, 0);
	}
}

/* The slow path is slow, not wrong: no system call, no counter that waits. */
static void test_read_ctrs_of_slots(void **state)
{
	struct perfctr_sum_ctrs sums = {0};
	struct vperfctr *self = running(8);
	struct steps steps;
	unsigned int i;

	(void)state;
	self->page.all_running = 0;
	for (i = 4; i < 8; i++)
		self->page.counter[i].index = -1;
	steps = count_steps((void *)vperfctr_read_ctrs, self, &sums);
	assert_in_range(steps.instructions, 50, 250);
	assert_int_equal(steps.rdpmcs, 4);
	assert_int_equal(steps.syscalls, 0);
}

static void test_read_stolen(void **state)
{
	struct steps steps =
		count_steps((void *)vperfctr_read_stolen, running(4), NULL);

	(void)state;
	assert_in_range(steps.instructions, 3, 6);
	assert_int_equal(steps.syscalls, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_pmc),
		cmocka_unit_test(test_read_ctrs),
		cmocka_unit_test(test_read_ctrs_of_slots),
		cmocka_unit_test(test_read_stolen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
