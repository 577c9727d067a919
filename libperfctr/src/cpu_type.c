// SPDX-License-Identifier: LGPL-2.1-or-later
/* CPUs in perfctr 2.6's terms: type, name, events. */

#include <cpuid.h>
#include <stddef.h>
#include <stdint.h>

#include "internal.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

uint32_t perfctr_cpu_signature(void)
{
	uint32_t eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) ? eax : 0;
}

/* SDM vol. 2, CPUID, fig. 3-6; APM vol. 3, appendix E. */
static unsigned int family(uint32_t signature)
{
	unsigned int base = signature >> 8 & 0xf;

	return base == 0xf ? base + (signature >> 20 & 0xff) : base;
}

static unsigned int model(uint32_t signature)
{
	unsigned int base = signature >> 8 & 0xf;
	unsigned int low = signature >> 4 & 0xf;

	return base == 0xf || base == 6 ? (signature >> 12 & 0xf0) | low : low;
}

static unsigned int intel_type(uint32_t signature)
{
	if (family(signature) != 6)
		return PERFCTR_X86_INTEL_ARCH;
	switch (model(signature)) {
	case 15:
	case 22:
	case 23:
	case 29:
		return PERFCTR_X86_INTEL_CORE2;
	case 28:
		return PERFCTR_X86_INTEL_ATOM;
	case 26:
	case 30:
	case 46:
		return PERFCTR_X86_INTEL_NHLM;
	case 37:
	case 44:
		return PERFCTR_X86_INTEL_WSTMR;
	case 42:
	case 45:
		return PERFCTR_X86_INTEL_SNB;
	default:
		return PERFCTR_X86_INTEL_ARCH;
	}
}

unsigned int perfctr_cpu_type(uint32_t vendor, uint32_t signature)
{
	switch (vendor) {
	case PERFCTR_VENDOR_INTEL:
		return intel_type(signature);
	case PERFCTR_VENDOR_AMD:
		return family(signature) == 0x10 || family(signature) == 0x11
			       ? PERFCTR_X86_AMD_FAM10H
			       : PERFCTR_X86_AMD_CORE;
	default:
		return PERFCTR_X86_GENERIC;
	}
}

const char *perfctr_info_cpu_name(const struct perfctr_info *info)
{
	switch (info->cpu_type) {
	case PERFCTR_X86_GENERIC:
		return "Generic x86 with TSC";
	case PERFCTR_X86_INTEL_CORE2:
		return "Intel Core 2";
	case PERFCTR_X86_AMD_FAM10H:
		return "AMD Family 10h";
	case PERFCTR_X86_INTEL_ATOM:
		return "Intel Atom";
	case PERFCTR_X86_INTEL_NHLM:
		return "Intel Nehalem";
	case PERFCTR_X86_INTEL_WSTMR:
		return "Intel Westmere";
	case PERFCTR_X86_INTEL_SNB:
		return "Intel Sandy Bridge";
	case PERFCTR_X86_INTEL_ARCH:
		return "Intel with architectural performance monitoring";
	case PERFCTR_X86_AMD_CORE:
		return "AMD with core performance counters";
	default:
		return "unknown CPU type";
	}
}

/* --------------------------------- events -------------------------------- */

#define ANY_COUNTER 0xffff

static const struct perfctr_unit_mask mask_01 = {
	.default_value = 0x01,
	.type = perfctr_um_type_fixed,
};
static const struct perfctr_unit_mask mask_41 = {
	.default_value = 0x41,
	.type = perfctr_um_type_fixed,
};
static const struct perfctr_unit_mask mask_4f = {
	.default_value = 0x4f,
	.type = perfctr_um_type_fixed,
};

/* SDM vol. 3, table 20-1 */
static const struct perfctr_event intel_events[] = {
	{0x3c, ANY_COUNTER, NULL, "UNHALTED_CORE_CYCLES",
	 "core cycles while the core is not halted"},
	{0xc0, ANY_COUNTER, NULL, "INSTRUCTIONS_RETIRED",
	 "instructions at retirement"},
	{0x3c, ANY_COUNTER, &mask_01, "UNHALTED_REFERENCE_CYCLES",
	 "cycles of the bus or TSC clock while the core is not halted"},
	{0x2e, ANY_COUNTER, &mask_4f, "LAST_LEVEL_CACHE_REFERENCES",
	 "requests to the last level cache"},
	{0x2e, ANY_COUNTER, &mask_41, "LAST_LEVEL_CACHE_MISSES",
	 "requests that the last level cache could not answer"},
	{0xc4, ANY_COUNTER, NULL, "BRANCH_INSTRUCTIONS_RETIRED",
	 "branch instructions at retirement"},
	{0xc5, ANY_COUNTER, NULL, "MISPREDICTED_BRANCH_RETIRED",
	 "mispredicted branch instructions at retirement"},
};

/* The BKDGs and PPRs of families 10h to 19h agree on these. */
static const struct perfctr_event amd_events[] = {
	{0x76, ANY_COUNTER, NULL, "CPU_CLOCKS_NOT_HALTED",
	 "core clocks while not halted"},
	{0xc0, ANY_COUNTER, NULL, "RETIRED_INSTRUCTIONS",
	 "instructions retired"},
	{0xc1, ANY_COUNTER, NULL, "RETIRED_UOPS", "micro-ops retired"},
	{0xc2, ANY_COUNTER, NULL, "RETIRED_BRANCH_INSTRUCTIONS",
	 "branch instructions retired, and other changes of control flow"},
	{0xc3, ANY_COUNTER, NULL, "RETIRED_MISPREDICTED_BRANCH_INSTRUCTIONS",
	 "those of them that were not predicted"},
	{0xc4, ANY_COUNTER, NULL, "RETIRED_TAKEN_BRANCH_INSTRUCTIONS",
	 "those of them that were taken"},
};

#define INTEL(type, prefix)                                                    \
	{                                                                      \
		PERFCTR_X86_##type, prefix, NULL, LENGTH(intel_events),        \
			intel_events                                           \
	}
#define AMD(type, prefix)                                                      \
	{                                                                      \
		PERFCTR_X86_##type, prefix, NULL, LENGTH(amd_events),          \
			amd_events                                             \
	}

static const struct perfctr_event_set event_sets[] = {
	INTEL(INTEL_CORE2, "CORE2_"), INTEL(INTEL_ATOM, "ATOM_"),
	INTEL(INTEL_NHLM, "NHLM_"),   INTEL(INTEL_WSTMR, "WSTMR_"),
	INTEL(INTEL_SNB, "SNB_"),     INTEL(INTEL_ARCH, "INTEL_"),
	AMD(AMD_FAM10H, "FAM10H_"),   AMD(AMD_CORE, "AMD_"),
};

const struct perfctr_event_set *perfctr_cpu_event_set(unsigned int cpu_type)
{
	size_t i;

	for (i = 0; i < LENGTH(event_sets); i++)
		if (event_sets[i].cpu_type == cpu_type)
			return &event_sets[i];
	return NULL;
}
