// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is printed.  Counts: the number first, plain digits, then the name, so
 * that awk reads it as easily as people do.
 */

#include <string.h>

#include "perfex.h"

#define NUMBER_WIDTH 20

static const char *mode_name(uint64_t evtsel,
			     const struct perfctr_dev_info *info)
{
	/* Said once, below the counts, where the two can't be told apart. */
	if (!(info->features & PERFCTR_FEAT_SPLIT))
		return "";
	switch (evtsel & (EVTSEL_USR | EVTSEL_OS)) {
	case EVTSEL_USR:
		return "user";
	case EVTSEL_OS:
		return "kernel";
	default:
		return "user and kernel";
	}
}

/* The first event that is an unmodified @what, by its event select. */
static const unsigned long long *count_of(const char *what,
					  const struct event *events,
					  unsigned int nr,
					  const struct result *result)
{
	size_t length = strlen(what);
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (!strncasecmp(events[i].name, what, length) &&
		    strchr(":@", events[i].name[length]))
			return (const unsigned long long *)&result->sums.pmc[i];
	return NULL;
}

/* Two counts are only to be compared if they are of the same modes. */
static bool same_modes(const struct event *events, unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr; i++)
		if ((events[i].evtsel ^ events[0].evtsel) &
		    (EVTSEL_USR | EVTSEL_OS))
			return false;
	return true;
}

void report_counts(FILE *stream, const struct event *events, unsigned int nr,
		   const struct perfctr_dev_info *info,
		   const struct result *result)
{
	/* Counting ended early: every number says so. */
	const char *mark = result->sums.status & PERFCTR_STATUS_ERROR
				   ? "  (incomplete)"
				   : "";
	const unsigned long long *instructions, *cycles;
	unsigned int i, width = 12;
	char name[16];

	for (i = 0; i < nr; i++)
		if (strlen(events[i].name) > width)
			width = (unsigned int)strlen(events[i].name);

	fprintf(stream, "%*llu  %-*s  %.3f MHz%s\n", NUMBER_WIDTH,
		(unsigned long long)result->sums.tsc, (int)width, "tsc",
		info->tsc_khz / 1e3, mark);
	for (i = 0; i < nr; i++) {
		const char *mode = mode_name(events[i].evtsel, info);

		fprintf(stream, "%*llu  %-*s  %s%s%s%s\n", NUMBER_WIDTH,
			(unsigned long long)result->sums.pmc[i], (int)width,
			events[i].name, counter_name(events[i].index, name),
			*mode ? " " : "", mode, mark);
	}
	fputc('\n', stream);

	instructions = count_of("instructions", events, nr, result);
	cycles = count_of("cycles", events, nr, result);
	if (instructions && cycles && *cycles && same_modes(events, nr))
		fprintf(stream, "%*.2f  instructions per cycle\n", NUMBER_WIDTH,
			(double)*instructions / (double)*cycles);
	fprintf(stream, "%*.6f  seconds elapsed\n", NUMBER_WIDTH,
		result->seconds);
	if (nr && !(info->features & PERFCTR_FEAT_SPLIT))
		fprintf(stream,
			"%*s  user mode and the guest's kernel together\n",
			NUMBER_WIDTH, "");
}

/* Bits as "0-3, 5". */
static void print_bits(FILE *stream, uint64_t bits)
{
	const char *separator = "";

	while (bits) {
		int low = __builtin_ctzll(bits), high = low;

		while (high < 63 && bits >> (high + 1) & 1)
			high++;
		fprintf(stream, "%s%d", separator, low);
		if (high > low)
			fprintf(stream, "-%d", high);
		separator = ", ";
		bits = high == 63 ? 0 : bits >> (high + 1) << (high + 1);
	}
}

static void print_counters(FILE *stream, const char *label, uint64_t bits,
			   uint32_t width)
{
	fprintf(stream, "%-20s", label);
	if (!bits) {
		fputs("none\n", stream);
		return;
	}
	fprintf(stream, "%d of %u bits (number ", __builtin_popcountll(bits),
		width);
	print_bits(stream, bits);
	fputs(")\n", stream);
}

void report_info(FILE *stream, const struct cpu *cpu,
		 const struct perfctr_dev_info *info)
{
	const char *brand = cpu->brand + strspn(cpu->brand, " ");

	fprintf(stream, "%-20s%s\n", "CPU", *brand ? brand : "unknown");
	fprintf(stream, "%-20s%s, family %u, model %u\n", "PMU",
		info->vendor == PERFCTR_VENDOR_INTEL ? "Intel"
		: info->vendor == PERFCTR_VENDOR_AMD ? "AMD"
						     : "unknown vendor",
		cpu->family, cpu->model);
	fprintf(stream, "%-20s%s\n", "hypervisor", info->hypervisor);
	fprintf(stream, "%-20s%s, %u CPUs\n", "guest", info->guest, info->cpus);
	fprintf(stream, "%-20sperfctr %s (perfex %s)\n", "module",
		info->driver_version, PERFEX_VERSION);
	fprintf(stream, "%-20s%.3f MHz\n", "TSC", info->tsc_khz / 1e3);
	print_counters(stream, "general counters", info->general,
		       info->general_width);
	print_counters(stream, "fixed counters", info->fixed,
		       info->fixed_width);
	fprintf(stream, "%-20s0x%llx\n", "event select bits",
		(unsigned long long)info->evtsel_mask);
	fprintf(stream, "%-20s%s\n", "modes",
		info->features & PERFCTR_FEAT_SPLIT
			? "user and kernel told apart"
			: "user and kernel are counted together");
	fprintf(stream, "%-20s%s\n", "started and stopped",
		info->features & PERFCTR_FEAT_GLOBAL_CTRL
			? "all at once (global control)"
			: "one by one");
	fprintf(stream, "%-20s%s\n", "sampling",
		info->features & PERFCTR_FEAT_SAMPLING ? "yes" : "no");
}

void report_events(FILE *stream, const struct cpu *cpu,
		   const struct perfctr_dev_info *info)
{
	const char *name, *description;
	unsigned int i = 0, nr = 0;
	uint64_t code;

	fputs("Common names:\n\n", stream);
	while (alias_next(&i, cpu, info, &name, &description, &code)) {
		fprintf(stream, "  %-16s0x%04llx  %s\n", name,
			(unsigned long long)code, description);
		nr++;
	}
	if (!nr)
		fputs("  none for this CPU\n", stream);
	names_list(stream);
}
