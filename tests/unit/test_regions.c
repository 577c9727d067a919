// SPDX-License-Identifier: GPL-2.0-or-later
/* The instructions of tests/programs' regions, stepped: is their table right? */

#include "test.h"

#include "regions.h"
#include "step.h"

static void test_instructions(void **state)
{
	static const uint64_t repeats[] = {1, 2, 50};
	const struct region *region;
	uint64_t expected;
	size_t i;

	(void)state;
	for (region = regions; region->name; region++)
		for (i = 0; i < sizeof(repeats) / sizeof(*repeats); i++) {
			uint64_t n = repeats[i];
			void *memory = region_memory(region, n);
			struct steps steps = count_steps((void *)region->run,
							 (void *)n, memory);

			region_memory_free(region, n, memory);
			assert_true(expected_count(region, INSTRUCTIONS, n,
						   &expected));
			/* CALL and RET. */
			if (steps.instructions != expected + 2)
				fail_msg("%s of %d: %d steps, table says %d",
					 region->name, (int)n,
					 (int)steps.instructions - 2,
					 (int)expected);
		}
}

/* A sequence of all of them, twice. */
static void test_sequence(void **state)
{
	uint64_t counts[NR_COUNTS] = {0};
	const struct region *region;
	struct step steps[64];
	struct steps stepped;
	size_t n = 0;
	int twice;

	(void)state;
	for (twice = 0; twice < 2; twice++)
		for (region = regions; region->name; region++) {
			uint64_t times = 3 + n;

			steps[n].n = times;
			steps[n].memory = region_memory(region, times);
			steps[n].run = region->run;
			add_step(counts, region, times);
			n++;
		}
	add_sequence(counts);
	stepped = count_steps((void *)region_sequence, (void *)n, steps);
	/* CALL and RET. */
	assert_int_equal(stepped.instructions, counts[INSTRUCTIONS] + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
