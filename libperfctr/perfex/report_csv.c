// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Comma-separated values (RFC 4180), a row for each number.  The columns are
 * described in perfex(1); new ones are only ever added at the end.
 */

#include <string.h>

#include "perfex.h"

struct row {
	const struct perfctr_dev_record *thread; /* or NULL: of all together */
	const char *name;
	const char *value;
	const char *status;
	const char *unit;
	const char *counter;
	const char *modes;
	double share;              /* < 0: none */
	const struct stats *stats; /* of several runs, or NULL */
};

/* With quotes where it needs them. */
static void print_field(FILE *stream, const char *text)
{
	if (!text[strcspn(text, ",\"\r\n")]) {
		fputs(text, stream);
		return;
	}
	fputc('"', stream);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', stream);
		fputc(*text, stream);
	}
	fputc('"', stream);
}

static void print_row(FILE *stream, const struct report *report,
		      const struct row *row)
{
	char comm[32] = "";

	if (report->interval)
		fprintf(stream, "%.6f", report->time);
	fputc(',', stream);
	if (row->thread) {
		comm_text(comm, sizeof(comm), row->thread->comm);
		fprintf(stream, "%d,%d,", row->thread->pid, row->thread->tid);
	} else {
		fputs(",,", stream);
	}
	print_field(stream, comm);
	fputc(',', stream);
	print_field(stream, row->name);
	fprintf(stream, ",%s,%s,", row->value, row->status);
	if (row->share >= 0)
		fprintf(stream, "%.2f", 100 * row->share);
	fputc(',', stream);
	if (row->stats)
		fprintf(stream, "%.4f", stats_relative(row->stats));
	fprintf(stream, ",%s,%s,", row->unit, row->counter);
	print_field(stream, row->modes);
	fputc('\n', stream);
}

/* What every row has. */
static struct row make_row(const struct perfctr_dev_record *thread,
			   const char *name, const char *value,
			   const char *status, const char *unit)
{
	return (struct row){
		.thread = thread,
		.name = name,
		.value = value,
		.status = status,
		.unit = unit,
		.counter = "",
		.modes = "",
		.share = -1,
	};
}

/* Means of several runs have a fraction. */
static void number(char text[32], const struct report *report, double mean,
		   uint64_t exact)
{
	if (report->series)
		snprintf(text, 32, "%.2f", mean);
	else
		snprintf(text, 32, "%llu", (unsigned long long)exact);
}

static void print_ticks(FILE *stream, const struct report *report,
			const struct perfctr_dev_record *thread,
			const char *name, uint64_t ticks,
			const struct stats *stats, const char *status)
{
	char text[32];
	struct row row = make_row(thread, name, text, status, "ticks");

	number(text, report, stats ? stats->mean : 0, ticks);
	row.stats = stats;
	print_row(stream, report, &row);
}

static void print_event(FILE *stream, const struct report *report,
			const struct perfctr_dev_record *thread,
			const struct perfctr_dev_sums *sums, unsigned int i,
			bool lacks)
{
	struct value value = event_value(report, sums, i);
	bool counted = value.share > 0;
	char text[32] = "", name[16];
	struct row row =
		make_row(thread, report->events[i].name, text,
			 lacks && counted ? "incomplete" : status_name(&value),
			 "events");

	if (counted)
		number(text, report, value.mean, value.number);
	row.share = value.share;
	row.counter = counter_name(report->events[i].index, name);
	row.modes = mode_name(&report->events[i], report->info);
	if (report->series && counted)
		row.stats = &report->series->events[i];
	print_row(stream, report, &row);
}

static void print_sums(FILE *stream, const struct report *report,
		       const struct perfctr_dev_record *thread,
		       const struct perfctr_dev_sums *sums, bool lacks)
{
	const struct series *series = thread ? NULL : report->series;
	const char *status = lacks ? "incomplete" : "counted";
	unsigned int i;

	print_ticks(stream, report, thread, "tsc", sums->tsc,
		    series ? &series->tsc : NULL, status);
	print_ticks(stream, report, thread, "stolen", sums->stolen,
		    series ? &series->stolen : NULL, status);
	for (i = 0; i < report->nr; i++)
		print_event(stream, report, thread, sums, i, lacks);
}

static void print_unsupported(FILE *stream, const struct report *report)
{
	unsigned int i;

	for (i = 0; i < report->nr_unsupported; i++) {
		struct row row = make_row(NULL, report->unsupported[i].name, "",
					  "not supported", "events");

		print_row(stream, report, &row);
	}
}

static void print_metrics(FILE *stream, const struct report *report)
{
	struct metric_value value;
	unsigned int i = 0;
	char text[32];

	while (metric_value_next(&i, report, &value)) {
		struct row row = make_row(NULL, value.metric->name, text,
					  "metric", value.metric->unit);

		row.modes = mode_name(value.event, report->info);
		snprintf(text, sizeof(text), "%.6f", value.value);
		print_row(stream, report, &row);
	}
}

static void print_seconds(FILE *stream, const struct report *report)
{
	char text[32];
	struct row row = make_row(NULL, "elapsed", text, "counted", "seconds");

	snprintf(text, sizeof(text), "%.6f",
		 report->series ? report->series->seconds.mean
				: report->result->seconds);
	row.stats = report->series ? &report->series->seconds : NULL;
	print_row(stream, report, &row);
}

void report_csv(FILE *stream, const struct report *report, bool head)
{
	const struct result *result = report->result;
	size_t i;

	if (head)
		fputs("time,pid,tid,comm,name,value,status,share,deviation,unit,counter,modes\n",
		      stream);
	for (i = 0; report->per_thread && i < result->nr_records; i++)
		print_sums(stream, report, &result->records[i],
			   &result->records[i].sums,
			   result->records[i].sums.status &
				   PERFCTR_STATUS_ERROR);
	print_sums(stream, report, NULL, &result->group.sums,
		   incomplete(result));
	print_unsupported(stream, report);
	print_metrics(stream, report);
	if (!report->interval)
		print_seconds(stream, report);
}
