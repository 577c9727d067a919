// SPDX-License-Identifier: GPL-2.0-or-later
/* For libFuzzer. */

#include "fuzz.h"

bool fuzz_inject_faults = true;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_sequence(data, size);
	return 0;
}
