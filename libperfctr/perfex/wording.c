// SPDX-License-Identifier: GPL-2.0-or-later
/* How errors about events speak to who uses perfex. */

#include "perfex.h"

const struct wording wording = {
	.list = "-e: ",
	.turns = "-m",
	.no_groups = "for counting (perfex -m), not here",
	.no_interrupt = "perfex counts, it does not sample",
	.alone = true,
};
