// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is printed.  Counts: the number first, plain digits, then the name, so
 * that awk reads it as easily as people do.
 */

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "perfex.h"

#define NUMBER_WIDTH 20

/* ------------------------------- one event's text ------------------------ */

static const char *mode_name(const struct event *event,
			     const struct perfctr_dev_info *info)
{
	uint64_t modes = event->evtsel & (EVTSEL_USR | EVTSEL_OS);

	if (event->host)
		return modes ? "user, kernel and Xen" : "Xen";
	/* Said once, below the counts, where the two can't be told apart. */
	if (!(info->features & PERFCTR_FEAT_SPLIT))
		return "";
	switch (modes) {
	case EVTSEL_USR:
		return "user";
	case EVTSEL_OS:
		return "kernel";
	default:
		return "user and kernel";
	}
}

/* Of event @i in @sums: was it counted for all of the time, none, or some? */
static bool counted_always(const struct perfctr_dev_sums *sums, unsigned int i)
{
	return sums->loaded[i] >= sums->tsc;
}

static bool never_counted(const struct perfctr_dev_sums *sums, unsigned int i)
{
	return !sums->loaded[i] && sums->tsc;
}

/*
 * The number: "123"; "~369" for an estimate, so that no script takes it for a
 * count; "-" if there is neither.
 */
static void number_text(char text[32], const struct report *report,
			const struct perfctr_dev_sums *sums, unsigned int i)
{
	if (report->multiplexed && never_counted(sums, i))
		strcpy(text, "-");
	else if (report->multiplexed && report->scale &&
		 !counted_always(sums, i))
		snprintf(text, 32, "~%llu",
			 (unsigned long long)perfctr_estimate(
				 sums->pmc[i], sums->tsc, sums->loaded[i]));
	else
		snprintf(text, 32, "%llu", (unsigned long long)sums->pmc[i]);
}

/* "(33.3 %)": of the running time, how much it was counted. */
static void share_text(char text[16], const struct perfctr_dev_sums *sums,
		       unsigned int i)
{
	double share = counted_always(sums, i)
			       ? 1
			       : (double)sums->loaded[i] / (double)sums->tsc;

	snprintf(text, 16, "(%.1f %%)", 100 * share);
}

/* ---------------------------------- derived ------------------------------ */

#define NO_EVENT UINT32_MAX

/* The first event that is an unmodified @what; or NO_EVENT. */
static unsigned int find_event(const char *what, const struct report *report)
{
	size_t length = strlen(what);
	unsigned int i;

	for (i = 0; i < report->nr; i++) {
		const char *name = report->events[i].name;

		if (!strncasecmp(name, what, length) &&
		    strchr(":@", name[length]))
			return i;
	}
	return NO_EVENT;
}

/*
 * Two counts are only to be compared if they are of the same modes and of the
 * same time.
 */
static bool comparable(const struct event *a, const struct event *b)
{
	return !((a->evtsel ^ b->evtsel) & (EVTSEL_USR | EVTSEL_OS)) &&
	       a->host == b->host && a->slot == b->slot;
}

static void print_derived(FILE *stream, const struct report *report)
{
	unsigned int instructions = find_event("instructions", report);
	unsigned int cycles = find_event("cycles", report);
	const __u64 *counts = report->result->group.sums.pmc;

	if (instructions != NO_EVENT && cycles != NO_EVENT && counts[cycles] &&
	    comparable(&report->events[instructions], &report->events[cycles]))
		fprintf(stream, "%*.2f  instructions per cycle\n", NUMBER_WIDTH,
			(double)counts[instructions] / (double)counts[cycles]);
	fprintf(stream, "%*.6f  seconds elapsed\n", NUMBER_WIDTH,
		report->result->seconds);
	if (report->nr && !(report->info->features & PERFCTR_FEAT_SPLIT))
		fprintf(stream,
			"%*s  user mode and the guest's kernel together\n",
			NUMBER_WIDTH, "");
}

/* ----------------------------------- notes ------------------------------- */

/* One line, its number where the counts have theirs. */
static __attribute__((format(printf, 4, 5))) unsigned int
note(FILE *stream, const char *prefix, unsigned int threads, const char *format,
     ...)
{
	va_list arguments;

	if (!threads)
		return 0;
	fprintf(stream, "%s%*u%s%s ", prefix, *prefix ? 0 : NUMBER_WIDTH,
		threads, *prefix ? " " : "  ",
		threads == 1 ? "thread" : "threads");
	va_start(arguments, format);
	vfprintf(stream, format, arguments);
	va_end(arguments);
	fputc('\n', stream);
	return 1;
}

unsigned int report_notes(FILE *stream, const char *prefix,
			  const struct result *result)
{
	const struct perfctr_dev_group *group = &result->group;
	int error = group->sums.status & PERFCTR_STATUS_ERROR
			    ? perfctr_device_errno(group->sums.error)
			    : result->first_error;
	unsigned int errors = group->errors, lines = 0;

	if (result->first_error && !errors && !group->refused)
		errors = 1;
	lines += note(
		stream, prefix, group->refused,
		"not counted from an exec on that raised privileges (a set-user-ID program or the like)");
	/* With both, the first error may be of the other kind. */
	if (error == EPERM && group->refused)
		lines += note(stream, prefix, errors,
			      "counted until an error only");
	else
		lines += note(
			stream, prefix, errors,
			"counted until an error only: %s%s", strerror(error),
			error == EPERM || error == EACCES
				? " (the host's policy does not allow it any more)"
				: "");
	lines += note(stream, prefix, group->lost,
		      "not counted: no memory for their counters");
	lines += note(
		stream, prefix, group->live,
		"still running when the command had ended: counted until then");
	lines += note(stream, prefix, group->records_lost,
		      "not in the list, which has room for %d, but in the sums",
		      PERFCTR_MAX_RECORDS);
	return lines;
}

static bool incomplete(const struct result *result)
{
	const struct perfctr_dev_group *group = &result->group;

	return group->errors || group->refused || group->lost ||
	       result->first_error;
}

/* ----------------------------------- lists ------------------------------- */

struct cell {
	char text[64];
};

/* A thread's count, with its share where that is not the same for all. */
static void count_cell(struct cell *cell, const struct report *report,
		       const struct perfctr_dev_sums *sums, unsigned int i)
{
	char number[32], share[16] = "";

	number_text(number, report, sums, i);
	if (report->multiplexed)
		share_text(share, sums, i);
	snprintf(cell->text, sizeof(cell->text), "%s%s%s", number,
		 *share ? " " : "", share);
}

enum { PID, TID, COMM, TSC, FIRST_EVENT };

/* A name comes from whatever runs: no control characters. */
static void comm_cell(struct cell *cell, const char *comm)
{
	size_t i;

	for (i = 0; comm[i] && i < sizeof(cell->text) - 1; i++)
		cell->text[i] = (unsigned char)comm[i] < ' ' || comm[i] == 0x7f
					? '?'
					: comm[i];
	cell->text[i] = '\0';
}

static void make_row(struct cell *row, const struct report *report,
		     const struct perfctr_dev_sums *sums)
{
	unsigned int i;

	snprintf(row[TSC].text, sizeof(row[TSC].text), "%llu",
		 (unsigned long long)sums->tsc);
	for (i = 0; i < report->nr; i++)
		count_cell(&row[FIRST_EVENT + i], report, sums, i);
}

static void record_row(struct cell *row, const struct report *report,
		       const struct perfctr_dev_record *record)
{
	snprintf(row[PID].text, sizeof(row->text), "%d", record->pid);
	snprintf(row[TID].text, sizeof(row->text), "%d", record->tid);
	comm_cell(&row[COMM], record->comm);
	make_row(row, report, &record->sums);
}

static void total_row(struct cell *row, const struct report *report)
{
	*row[PID].text = *row[TID].text = '\0';
	strcpy(row[COMM].text, "total");
	make_row(row, report, &report->result->group.sums);
}

static void head_row(struct cell *row, const struct report *report)
{
	unsigned int i;

	strcpy(row[PID].text, "pid");
	strcpy(row[TID].text, "tid");
	strcpy(row[COMM].text, "comm");
	strcpy(row[TSC].text, "tsc");
	for (i = 0; i < report->nr; i++)
		snprintf(row[FIRST_EVENT + i].text, sizeof(row->text), "%.63s",
			 report->events[i].name);
}

static void print_row(FILE *stream, const struct report *report,
		      const struct cell *row, const unsigned int *widths,
		      const char *remark)
{
	unsigned int i;

	for (i = 0; i < FIRST_EVENT + report->nr; i++)
		fprintf(stream, i == COMM ? "%s%-*s" : "%s%*s", i ? "  " : "",
			(int)widths[i], row[i].text);
	fprintf(stream, "%s%s\n", *remark ? "  " : "", remark);
}

static const char *remark(const struct perfctr_dev_sums *sums)
{
	if (sums->status & PERFCTR_STATUS_ERROR)
		return "(incomplete)";
	if (sums->status & PERFCTR_STATUS_RUNNING &&
	    !(sums->status & PERFCTR_STATUS_EXITED))
		return "(still running)";
	return "";
}

static void print_threads(FILE *stream, const struct report *report)
{
	const struct result *result = report->result;
	unsigned int widths[FIRST_EVENT + PERFCTR_MAX_COUNTERS] = {5, 5};
	struct cell row[FIRST_EVENT + PERFCTR_MAX_COUNTERS];
	unsigned int column;
	size_t pass, i;

	/* Twice over all rows: measure, then print. */
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < result->nr_records + 2; i++) {
			const char *text = "";

			if (i == 0) {
				head_row(row, report);
			} else if (i <= result->nr_records) {
				record_row(row, report,
					   &result->records[i - 1]);
				text = remark(&result->records[i - 1].sums);
			} else {
				total_row(row, report);
			}
			if (pass) {
				print_row(stream, report, row, widths, text);
				continue;
			}
			for (column = 0; column < FIRST_EVENT + report->nr;
			     column++)
				if (strlen(row[column].text) > widths[column])
					widths[column] = (unsigned int)strlen(
						row[column].text);
		}
	}
	fputc('\n', stream);
}

static void print_ticks(FILE *stream, const struct report *report, int width,
			const char *mark)
{
	const struct perfctr_dev_sums *sums = &report->result->group.sums;
	double khz = report->info->tsc_khz ? report->info->tsc_khz : 1;

	fprintf(stream, "%*llu  %-*s  %.6f seconds at %.3f MHz%s\n",
		NUMBER_WIDTH, (unsigned long long)sums->tsc, width, "tsc",
		(double)sums->tsc / khz / 1e3, report->info->tsc_khz / 1e3,
		mark);
	fprintf(stream,
		"%*llu  %-*s  %.6f seconds waiting for a physical CPU%s\n",
		NUMBER_WIDTH, (unsigned long long)sums->stolen, width, "stolen",
		(double)sums->stolen / khz / 1e3, mark);
}

static void print_event(FILE *stream, const struct report *report,
			unsigned int i, int width, int mode_width,
			const char *mark)
{
	const struct perfctr_dev_sums *sums = &report->result->group.sums;
	const struct event *event = &report->events[i];
	char number[32], share[16], name[16], note[64] = "";
	const char *mode = mode_name(event, report->info);

	number_text(number, report, sums, i);
	fprintf(stream, "%*s  %-*s  ", NUMBER_WIDTH, number, width,
		event->name);
	counter_name(event->index, name);
	if (!report->multiplexed) {
		fprintf(stream, *mode ? "%-6s %s%s\n" : "%s%s%s\n", name, mode,
			mark);
		return;
	}
	share_text(share, sums, i);
	if (never_counted(sums, i))
		strcpy(note, "  its turn never came");
	else if (*number == '~')
		snprintf(note, sizeof(note), "  estimate; counted: %llu",
			 (unsigned long long)sums->pmc[i]);
	fprintf(stream, "%-6s %-*s  %9s%s%s\n", name, mode_width, mode, share,
		note, mark);
}

void report_counts(FILE *stream, const struct report *report)
{
	/* Where something is missing every number says so. */
	const char *mark = incomplete(report->result) ? "  (incomplete)" : "";
	size_t width = 12, mode_width = 0;
	unsigned int i;

	if (report->per_thread)
		print_threads(stream, report);

	for (i = 0; i < report->nr; i++) {
		size_t length = strlen(report->events[i].name);
		size_t mode =
			strlen(mode_name(&report->events[i], report->info));

		if (length > width)
			width = length;
		if (mode > mode_width)
			mode_width = mode;
	}

	print_ticks(stream, report, (int)width, mark);
	for (i = 0; i < report->nr; i++)
		print_event(stream, report, i, (int)width, (int)mode_width,
			    mark);
	fputc('\n', stream);
	print_derived(stream, report);
	report_notes(stream, "", report->result);
}

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
