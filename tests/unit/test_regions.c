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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
