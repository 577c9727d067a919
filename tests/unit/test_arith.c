// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perfctr_arith.h against a model that can't be wrong: a 128-bit count of
 * events, of which the counter shows the low bits.
 */

#include <stdlib.h>

#include "test.h"

#include <perfctr_arith.h>

__extension__ typedef unsigned __int128 wide;

static const unsigned int widths[] = {32, 40, 48, 64};
#define NR_WIDTHS (sizeof(widths) / sizeof(*widths))

/* xorshift64: the same numbers in every run. */
static uint64_t random64(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void test_mask(void **state)
{
	unsigned int width;

	(void)state;
	for (width = 1; width < 64; width++)
		assert_int_equal(perfctr_width_mask(width),
				 (UINT64_C(1) << width) - 1);
	assert_int_equal(perfctr_width_mask(64), UINT64_MAX);
}

static void test_delta_at_the_wrap(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR_WIDTHS; i++) {
		uint64_t mask = perfctr_width_mask(widths[i]);

		assert_int_equal(perfctr_delta(0, 0, mask), 0);
		assert_int_equal(perfctr_delta(1, 0, mask), 1);
		assert_int_equal(perfctr_delta(mask, 0, mask), mask);
		assert_int_equal(perfctr_delta(0, mask, mask), 1);
		assert_int_equal(perfctr_delta(9, mask - 9, mask), 19);
		assert_int_equal(perfctr_delta(mask, mask, mask), 0);
	}
}

static void test_count_keeps_the_sum(void **state)
{
	uint64_t mask = perfctr_width_mask(40);

	(void)state;
	assert_int_equal(perfctr_count(1000, 5, 5, mask), 1000);
	assert_int_equal(perfctr_count(1000, 3, mask, mask), 1004);
	/* The sum is wider than the counter. */
	assert_int_equal(perfctr_count(UINT64_C(1) << 50, 3, 1, mask),
			 (UINT64_C(1) << 50) + 2);
}

/* A thread that is switched in and out at random, with reads in between. */
static void test_random_switches(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR_WIDTHS; i++) {
		uint64_t mask = perfctr_width_mask(widths[i]);
		wide events = random64(); /* of the counter, ever */
		uint64_t own = 0;         /* of the thread */
		uint64_t sum = 0;
		int n;

		for (n = 0; n < 20000; n++) {
			uint64_t start = (uint64_t)events & mask;
			uint64_t step = random64() & mask;

			/* Mostly small steps, sometimes nearly all of it. */
			if (n % 4)
				step >>= random64() % widths[i];
			events += step;
			own += step;
			assert_int_equal(perfctr_count(sum,
						       (uint64_t)events & mask,
						       start, mask),
					 own);
			sum = perfctr_count(sum, (uint64_t)events & mask, start,
					    mask);
			/* Somebody else's, while the thread is out. */
			events += random64();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_delta_at_the_wrap),
		cmocka_unit_test(test_count_keeps_the_sum),
		cmocka_unit_test(test_random_switches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
