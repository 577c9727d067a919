// SPDX-License-Identifier: GPL-2.0-or-later
/* spin: counts itself, and runs until it is killed. */

#include <stdio.h>

#include "self.h"

int main(void)
{
	struct vperfctr *self = self_open(0, code_of(INSTRUCTIONS));
	const struct region *loop = find_region("loop");

	for (;;) {
		printf("%llu\n", (unsigned long long)self_measure(
					 self, loop, 100000000, NULL));
		fflush(stdout);
	}
}
