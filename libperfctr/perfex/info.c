// SPDX-License-Identifier: GPL-2.0-or-later
/* perfex info, perfex list: what there is to count, and with. */

#include <string.h>
#include <unistd.h>

#include "perfex.h"

/* -------------------------------- the machine ---------------------------- */

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
	fprintf(stream, "%-20s%s\n", "Xen's own work (:h)",
		info->features & PERFCTR_FEAT_HOST ? "yes" : "no");
	fprintf(stream, "%-20s%s\n", "event filter",
		info->features & PERFCTR_FEAT_FILTER
			? "yes: the host's policy allows only some events"
			: "no");
	if (info->features & PERFCTR_FEAT_SAMPLING)
		fprintf(stream,
			"%-20syes: periods from %u events, at most %u samples a second and CPU\n",
			"sampling", info->min_period, info->max_rate);
	else
		fprintf(stream, "%-20sno\n", "sampling");
}

unsigned int report_events(FILE *stream, const struct cpu *cpu,
			   const struct perfctr_dev_info *info,
			   const char *pattern)
{
	const char *name, *description;
	unsigned int i = 0, nr = 0, metrics;
	uint64_t code;

	while (alias_next(&i, cpu, info, &name, &description, &code)) {
		if (!name_matches(name, pattern))
			continue;
		if (!nr++)
			fputs("Common names:\n\n", stream);
		fprintf(stream, "  %-18s0x%04llx  %s\n", name,
			(unsigned long long)code, description);
	}
	if (!nr && !pattern)
		fputs("Common names:\n\n  none for this CPU\n", stream);
	metrics =
		metrics_list(stream, pattern,
			     nr ? "\nMetrics (-M):\n\n" : "Metrics (-M):\n\n");
	return nr + metrics + names_list(stream, pattern);
}

static int unknown_argument(const char *command, const char *argument,
			    const char *allowed)
{
	struct message message;

	complain(&message, "perfex %s takes %s, not %s (perfex -h explains)",
		 command, allowed, argument);
	return fail_with(EXIT_USAGE, &message);
}

int info_main(int argc, char **argv, const struct cpu *cpu)
{
	struct perfctr_dev_info info;
	struct message message;
	int fd;

	if (argc > 1)
		return unknown_argument(argv[0], argv[1], "no arguments");
	fd = open_device(&info, &message);
	if (fd < 0)
		return fail_with(EXIT_USAGE, &message);
	close(fd);
	report_info(stdout, cpu, &info);
	return finish_stdout();
}

int list_main(int argc, char **argv, const struct cpu *cpu)
{
	const char *pattern = argc > 1 ? argv[1] : NULL;
	struct perfctr_dev_info info;
	struct message message;
	unsigned int found;
	int fd;

	if (argc > 2)
		return unknown_argument(argv[0], argv[2], "one pattern");
	if (pattern && *pattern == '-')
		return unknown_argument(argv[0], pattern, "a part of a name");
	fd = open_device(&info, &message);
	/* Without counters there still are names. */
	names_initialize(cpu->vendor);
	found = report_events(stdout, cpu, fd < 0 ? NULL : &info, pattern);
	if (fd >= 0)
		close(fd);
	if (found || !pattern)
		return finish_stdout();
	complain(
		&message,
		"no event and no metric has %s in its name (perfex list shows all of them)",
		pattern);
	return fail_with(EXIT_USAGE, &message);
}
