/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event selects of the CPU that we run on, for tests that do not go through
 * perfex.  As in its table, but written down a second time on purpose: a wrong
 * code there shall not be right here.
 */
#ifndef TESTS_CODES_H
#define TESTS_CODES_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libperfctr.h"
#include "regions.h"

static inline bool cpu_is_amd(void)
{
	unsigned int eax, ebx, ecx, edx;

	/* "Auth" of AuthenticAMD */
	return __get_cpuid(0, &eax, &ebx, &ecx, &edx) && ebx == 0x68747541;
}

/* Unit mask and event code.  Intel: Skylake; AMD: Zen. */
static inline uint32_t code_of(enum count count)
{
	static const uint32_t intel[NR_COUNTS] = {0x00c0, 0x00c4, 0x01c4,
						  0x81d0, 0x82d0};
	static const uint32_t amd[NR_COUNTS] = {0x00c0, 0x00c2, 0x00d1, 0x0129,
						0x0229};

	return cpu_is_amd() ? amd[count] : intel[count];
}

static inline uint32_t code_of_cycles(void)
{
	return cpu_is_amd() ? 0x0076 : 0x003c;
}

/* The name of a count, "cycles", or a hexadecimal event select: true. */
static inline bool parse_event(const char *text, uint32_t *code,
			       enum count *count)
{
	char *end;
	int i;

	*count = NR_COUNTS;
	for (i = 0; i < NR_COUNTS; i++)
		if (!strcmp(text, count_names[i])) {
			*count = (enum count)i;
			*code = code_of(*count);
			return true;
		}
	if (!strcmp(text, "cycles")) {
		*code = code_of_cycles();
		return true;
	}
	*code = (uint32_t)strtoul(text, &end, 16);
	return end != text && !*end;
}

/* A control that counts @code in user mode in counter @index, and the TSC. */
static inline void one_counter(struct vperfctr_control *control, uint32_t index,
			       uint32_t code)
{
	memset(control, 0, sizeof(*control));
	control->cpu_control.tsc_on = 1;
	control->cpu_control.nractrs = 1;
	control->cpu_control.pmc_map[0] = index;
	if (index & PERFCTR_PMC_FIXED)
		code = 0;
	control->cpu_control.evntsel[0] =
		(code & 0xffff) | PERFCTR_EVNTSEL_USR | PERFCTR_EVNTSEL_EN;
}

#endif /* TESTS_CODES_H */
