// SPDX-License-Identifier: LGPL-2.1-or-later
/* Structures as text, on standard output. */

#include <stdio.h>

#include "internal.h"

/* A value beside its name, in columns. */
#define FIELD "%-20s "

void perfctr_info_print(const struct perfctr_info *info)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} features[] = {
		{PERFCTR_FEATURE_RDPMC, "rdpmc"},
		{PERFCTR_FEATURE_RDTSC, "rdtsc"},
		{PERFCTR_FEATURE_PCINT, "pcint"},
	};
	unsigned int i;

	printf(FIELD "%u.%u\n", "abi_version", info->abi_version >> 24,
	       info->abi_version >> 16 & 0xff);
	printf(FIELD "%.*s\n", "driver_version",
	       (int)sizeof(info->driver_version), info->driver_version);
	printf(FIELD "%u (%s)\n", "cpu_type", info->cpu_type,
	       perfctr_info_cpu_name(info));
	printf(FIELD "%#x", "cpu_features", info->cpu_features);
	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (info->cpu_features & features[i].bit)
			printf(" %s", features[i].name);
	printf("\n" FIELD "%u\n", "cpu_khz", info->cpu_khz);
	printf(FIELD "%u\n", "tsc_to_cpu_mult", info->tsc_to_cpu_mult);
	printf(FIELD "%u\n", "counters", perfctr_info_nrctrs(info));
}

static void print_mask(const char *name, const struct perfctr_cpu_mask *mask)
{
	unsigned int cpu, nr = 0;

	printf(FIELD, name);
	for (cpu = 0; cpu < 32 * mask->nrwords; cpu++)
		if (mask->mask[cpu / 32] >> cpu % 32 & 1)
			printf(nr++ ? ",%u" : "%u", cpu);
	printf("%s(%u)\n", nr ? " " : "", nr);
}

void perfctr_cpus_info_print(const struct perfctr_cpus_info *info)
{
	print_mask("cpus", info->cpus);
	print_mask("cpus_forbidden", info->cpus_forbidden);
}

void perfctr_cpu_control_print(const struct perfctr_cpu_control *control)
{
	unsigned int i;

	printf(FIELD "%u\n", "tsc_on", control->tsc_on);
	printf(FIELD "%u\n", "nractrs", control->nractrs);
	printf(FIELD "%u\n", "nrictrs", control->nrictrs);
	for (i = 0; i < PERFCTR_MAX_PMCS; i++) {
		char name[32];

		if (i >= control->nractrs &&
		    i - control->nractrs >= control->nrictrs)
			break;
		snprintf(name, sizeof(name), "entry %u", i);
		printf(FIELD "counter %s%u, event select 0x%08x", name,
		       control->pmc_map[i] & PERFCTR_PMC_FIXED ? "fixed " : "",
		       control->pmc_map[i] & ~PERFCTR_PMC_FIXED,
		       control->evntsel[i]);
		if (control->evntsel_high[i])
			printf(", high half 0x%08x", control->evntsel_high[i]);
		if (i >= control->nractrs)
			printf(", ireset %d", control->ireset[i]);
		printf("\n");
	}
}
