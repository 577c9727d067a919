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

const char *mode_name(const struct event *event,
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

/* ---------------------------------- a count ------------------------------ */

struct value event_value(const struct report *report,
			 const struct perfctr_dev_sums *sums, unsigned int i)
{
	unsigned int runs = report->series ? report->series->runs : 1;
	uint64_t number = sums->pmc[i];
	struct value value = {.status = COUNTED, .share = 1};

	if (!sums->tsc) {
		value.status = NOTHING_RAN;
		value.share = 0;
	} else if (!report->multiplexed) {
		/* All of the time. */
	} else if (!sums->loaded[i]) {
		value.status = TURN_NEVER_CAME;
		value.share = 0;
	} else if (sums->loaded[i] < sums->tsc) {
		value.status = report->scale ? ESTIMATE : PARTIAL;
		value.share = (double)sums->loaded[i] / (double)sums->tsc;
		if (report->scale)
			number = perfctr_estimate(number, sums->tsc,
						  sums->loaded[i]);
	}
	value.mean = (double)number / runs;
	value.number = (number + runs / 2) / runs;
	return value;
}

const char *status_name(const struct value *value)
{
	switch (value->status) {
	case COUNTED:
		return "counted";
	case PARTIAL:
		return "partial";
	case ESTIMATE:
		return "estimate";
	default:
		return "not counted";
	}
}

/*
 * The number: "123"; "~369" for an estimate, so that no script takes it for a
 * count; "-" if there is neither.
 */
static void number_text(char text[32], const struct value *value)
{
	if (value->status == TURN_NEVER_CAME || value->status == NOTHING_RAN)
		strcpy(text, "-");
	else
		snprintf(text, 32, "%s%llu",
			 value->status == ESTIMATE ? "~" : "",
			 (unsigned long long)value->number);
}

/* "(33.3 %)": of the running time, how much it was counted. */
static void share_text(char text[16], const struct value *value)
{
	snprintf(text, 16, "(%.1f %%)", 100 * value->share);
}

/* "  +- 1.23 %", of several runs; nothing of one. */
static const char *deviation_text(char text[32], const struct report *report,
				  const struct stats *stats)
{
	*text = '\0';
	if (report->series)
		snprintf(text, 32, "  +- %.2f %%", stats_relative(stats));
	return text;
}

/* ------------------------------------ lines ------------------------------ */

/* An interval's lines have its end before them. */
static void begin_line(FILE *stream, const struct report *report)
{
	if (report->interval)
		fprintf(stream, "%14.6f ", report->time);
}

static void print_metrics(FILE *stream, const struct report *report)
{
	struct metric_value value;
	unsigned int i = 0;

	while (metric_value_next(&i, report, &value)) {
		const char *mode = mode_name(value.event, report->info);
		bool said = *mode && strcmp(mode, "user");

		begin_line(stream, report);
		fprintf(stream, "%*.2f  %s%s%s%s\n", NUMBER_WIDTH, value.value,
			value.metric->unit, said ? " (" : "", said ? mode : "",
			said ? ")" : "");
	}
}

static void print_seconds(FILE *stream, const struct report *report)
{
	const struct series *series = report->series;
	char deviation[32];

	fprintf(stream, "%*.6f  seconds elapsed%s\n", NUMBER_WIDTH,
		series ? series->seconds.mean : report->result->seconds,
		series ? deviation_text(deviation, report, &series->seconds)
		       : "");
	if (series)
		fprintf(stream,
			"%*u  runs: these are means, with relative standard deviations\n",
			NUMBER_WIDTH, series->runs);
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

bool incomplete(const struct result *result)
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
	struct value value = event_value(report, sums, i);
	char number[32], share[16] = "";

	number_text(number, &value);
	if (report->multiplexed)
		share_text(share, &value);
	snprintf(cell->text, sizeof(cell->text), "%s%s%s", number,
		 *share ? " " : "", share);
}

enum { PID, TID, COMM, TSC, FIRST_EVENT };

/* A name comes from whatever runs. */
void comm_text(char *text, size_t size, const char *comm)
{
	size_t i;

	for (i = 0; comm[i] && i < size - 1; i++)
		text[i] = (unsigned char)comm[i] < ' ' || comm[i] == 0x7f
				  ? '?'
				  : comm[i];
	text[i] = '\0';
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
	comm_text(row[COMM].text, sizeof(row->text), record->comm);
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
	const struct series *series = report->series;
	double khz = report->info->tsc_khz ? report->info->tsc_khz : 1;
	unsigned int runs = series ? series->runs : 1;
	char deviation[32] = "";

	if (series)
		deviation_text(deviation, report, &series->tsc);
	begin_line(stream, report);
	fprintf(stream, "%*llu  %-*s  %.6f seconds at %.3f MHz%s%s\n",
		NUMBER_WIDTH, (unsigned long long)sums->tsc / runs, width,
		"tsc", (double)sums->tsc / runs / khz / 1e3,
		report->info->tsc_khz / 1e3, deviation, mark);
	if (series)
		deviation_text(deviation, report, &series->stolen);
	begin_line(stream, report);
	fprintf(stream,
		"%*llu  %-*s  %.6f seconds waiting for a physical CPU%s%s\n",
		NUMBER_WIDTH, (unsigned long long)sums->stolen / runs, width,
		"stolen", (double)sums->stolen / runs / khz / 1e3, deviation,
		mark);
}

static void print_event(FILE *stream, const struct report *report,
			unsigned int i, int width, int mode_width,
			const char *mark)
{
	const struct perfctr_dev_sums *sums = &report->result->group.sums;
	struct value value = event_value(report, sums, i);
	const struct event *event = &report->events[i];
	char number[32], share[16], name[16], said[96] = "";
	char deviation[32];
	const char *mode = mode_name(event, report->info);

	number_text(number, &value);
	begin_line(stream, report);
	fprintf(stream, "%*s  %-*s  ", NUMBER_WIDTH, number, width,
		event->name);
	counter_name(event->index, name);
	if (value.status == NOTHING_RAN)
		strcpy(said, "  not counted: nothing ran");
	else if (value.status == TURN_NEVER_CAME)
		strcpy(said, "  not counted: its turn never came");
	else if (value.status == ESTIMATE)
		snprintf(said, sizeof(said), "  estimate; counted: %llu",
			 (unsigned long long)sums->pmc[i]);
	if (report->series && value.share > 0)
		strcat(said, deviation_text(deviation, report,
					    &report->series->events[i]));
	if (!report->multiplexed) {
		fprintf(stream, *mode ? "%-6s %s%s%s\n" : "%s%s%s%s\n", name,
			mode, said, mark);
		return;
	}
	share_text(share, &value);
	fprintf(stream, "%-6s %-*s  %9s%s%s\n", name, mode_width, mode, share,
		said, mark);
}

static void print_unsupported(FILE *stream, const struct report *report,
			      int width)
{
	unsigned int i;

	for (i = 0; i < report->nr_unsupported; i++) {
		begin_line(stream, report);
		fprintf(stream, "%*s  %-*s  not supported: %s\n", NUMBER_WIDTH,
			"-", width, report->unsupported[i].name,
			report->unsupported[i].why.text);
	}
}

/* The longest name and mode. */
static void measure(const struct report *report, size_t *width,
		    size_t *mode_width)
{
	unsigned int i;
	size_t length;

	*width = 12;
	*mode_width = 0;
	for (i = 0; i < report->nr; i++) {
		length = strlen(report->events[i].name);
		if (length > *width)
			*width = length;
		length = strlen(mode_name(&report->events[i], report->info));
		if (length > *mode_width)
			*mode_width = length;
	}
	for (i = 0; i < report->nr_unsupported; i++) {
		length = strlen(report->unsupported[i].name);
		if (length > *width)
			*width = length;
	}
}

void report_counts(FILE *stream, const struct report *report)
{
	/* Where something is missing every number says so. */
	const char *mark = incomplete(report->result) ? "  (incomplete)" : "";
	size_t width, mode_width;
	unsigned int i;

	if (report->per_thread)
		print_threads(stream, report);
	measure(report, &width, &mode_width);
	print_ticks(stream, report, (int)width, mark);
	for (i = 0; i < report->nr; i++)
		print_event(stream, report, i, (int)width, (int)mode_width,
			    mark);
	print_unsupported(stream, report, (int)width);
	if (report->interval) {
		print_metrics(stream, report);
		return;
	}
	fputc('\n', stream);
	print_metrics(stream, report);
	print_seconds(stream, report);
	report_notes(stream, "", report->result);
}
