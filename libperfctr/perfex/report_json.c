// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * JSON, an object on a line for each report.  The members are described in
 * perfex(1); new ones may be added.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <jansson.h>

#include "perfex.h"

/* JSON's texts are UTF-8; what a file or thread is called need not be. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	char *copy, *at;

	if (json)
		return json;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (at = copy; *at; at++)
		if (*at & 0x80)
			*at = '?';
	json = json_string(copy);
	free(copy);
	return json;
}

/* Beyond what JSON's integers are here, nearly. */
static json_t *count_json(uint64_t number)
{
	return number > INT64_MAX ? json_real((double)number)
				  : json_integer((json_int_t)number);
}

/* A mean of several runs has a fraction. */
static json_t *number_json(const struct report *report, double mean,
			   uint64_t exact)
{
	return report->series ? json_real(mean) : count_json(exact);
}

static void set_deviation(json_t *json, const struct stats *stats)
{
	json_object_set_new(json, "deviation_percent",
			    json_real(stats_relative(stats)));
}

static json_t *ticks_json(const struct report *report, uint64_t ticks,
			  const struct stats *stats)
{
	double khz = report->info->tsc_khz ? report->info->tsc_khz : 1;
	double mean = stats ? stats->mean : (double)ticks;
	json_t *json = json_object();

	json_object_set_new(json, "value",
			    stats ? json_real(mean) : count_json(ticks));
	json_object_set_new(json, "seconds", json_real(mean / khz / 1e3));
	if (stats)
		set_deviation(json, stats);
	return json;
}

static json_t *event_json(const struct report *report,
			  const struct perfctr_dev_sums *sums, unsigned int i)
{
	const struct event *event = &report->events[i];
	struct value value = event_value(report, sums, i);
	json_t *json = json_object();
	char name[16];

	json_object_set_new(json, "name", text_json(event->name));
	json_object_set_new(
		json, "value",
		value.share > 0 ? number_json(report, value.mean, value.number)
				: json_null());
	json_object_set_new(json, "status", json_string(status_name(&value)));
	json_object_set_new(json, "share_percent",
			    json_real(100 * value.share));
	if (value.status == ESTIMATE)
		json_object_set_new(json, "counted", count_json(sums->pmc[i]));
	json_object_set_new(json, "counter",
			    json_string(counter_name(event->index, name)));
	json_object_set_new(json, "slot", json_integer(event->slot));
	json_object_set_new(json, "modes",
			    json_string(mode_name(event, report->info)));
	if (report->series)
		set_deviation(json, &report->series->events[i]);
	return json;
}

static json_t *unsupported_json(const struct unsupported *unsupported)
{
	json_t *json = json_object();

	json_object_set_new(json, "name", text_json(unsupported->name));
	json_object_set_new(json, "value", json_null());
	json_object_set_new(json, "status", json_string("not supported"));
	json_object_set_new(json, "why", text_json(unsupported->why.text));
	return json;
}

static void set_sums(json_t *json, const struct report *report,
		     const struct perfctr_dev_sums *sums)
{
	const struct series *series = report->series;
	json_t *events = json_array();
	unsigned int i;

	json_object_set_new(
		json, "tsc",
		ticks_json(report, sums->tsc, series ? &series->tsc : NULL));
	json_object_set_new(json, "stolen",
			    ticks_json(report, sums->stolen,
				       series ? &series->stolen : NULL));
	for (i = 0; i < report->nr; i++)
		json_array_append_new(events, event_json(report, sums, i));
	json_object_set_new(json, "events", events);
}

static json_t *thread_json(const struct report *report,
			   const struct perfctr_dev_record *record)
{
	json_t *json = json_object();
	char comm[32];

	comm_text(comm, sizeof(comm), record->comm);
	json_object_set_new(json, "pid", json_integer(record->pid));
	json_object_set_new(json, "tid", json_integer(record->tid));
	json_object_set_new(json, "comm", text_json(comm));
	json_object_set_new(
		json, "incomplete",
		json_boolean(record->sums.status & PERFCTR_STATUS_ERROR));
	set_sums(json, report, &record->sums);
	return json;
}

static json_t *threads_json(const struct report *report)
{
	json_t *threads = json_array();
	size_t i;

	for (i = 0; i < report->result->nr_records; i++)
		json_array_append_new(
			threads,
			thread_json(report, &report->result->records[i]));
	return threads;
}

static json_t *metrics_json(const struct report *report)
{
	json_t *metrics = json_array();
	struct metric_value value;
	unsigned int i = 0;

	while (metric_value_next(&i, report, &value)) {
		json_t *json = json_object();

		json_object_set_new(json, "name",
				    json_string(value.metric->name));
		json_object_set_new(json, "value", json_real(value.value));
		json_object_set_new(json, "unit",
				    json_string(value.metric->unit));
		json_object_set_new(
			json, "modes",
			json_string(mode_name(value.event, report->info)));
		json_array_append_new(metrics, json);
	}
	return metrics;
}

/* The lines that the other formats have below the counts. */
static json_t *notes_json(const struct report *report)
{
	json_t *notes = json_array();
	char *text = NULL, *line, *rest;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	if (!stream)
		return notes;
	report_notes(stream, "  ", report->result);
	if (!fclose(stream))
		for (line = strtok_r(text, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			json_array_append_new(notes, text_json(line + 2));
	free(text);
	return notes;
}

static void set_target(json_t *json, const struct options *options)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < options->nr_targets; i++)
		json_array_append_new(list, json_integer(options->targets[i]));
	if (options->target) {
		json_object_set_new(json,
				    options->target == TARGET_PROCESS ? "pids"
								      : "tids",
				    list);
		return;
	}
	for (i = 0; options->command[i]; i++)
		json_array_append_new(list, text_json(options->command[i]));
	json_object_set_new(json, "command", list);
}

static void set_end(json_t *json, const struct report *report)
{
	const struct result *result = report->result;
	const struct series *series = report->series;
	json_t *elapsed = json_object();

	json_object_set_new(
		elapsed, "seconds",
		json_real(series ? series->seconds.mean : result->seconds));
	if (series)
		set_deviation(elapsed, &series->seconds);
	json_object_set_new(json, "elapsed", elapsed);
	if (series)
		json_object_set_new(json, "runs", json_integer(series->runs));
	if (WIFSIGNALED(result->wait_status))
		json_object_set_new(
			json, "signal",
			json_integer(WTERMSIG(result->wait_status)));
	else if (report->options && !report->options->target)
		json_object_set_new(
			json, "status",
			json_integer(WEXITSTATUS(result->wait_status)));
	json_object_set_new(json, "notes", notes_json(report));
}

bool report_json(FILE *stream, const struct report *report)
{
	json_t *json = json_object(), *events;
	unsigned int i;
	int failed;

	json_object_set_new(
		json, "type",
		json_string(report->interval ? "interval" : "total"));
	if (report->interval)
		json_object_set_new(json, "time", json_real(report->time));
	else if (report->options)
		set_target(json, report->options);
	json_object_set_new(json, "incomplete",
			    json_boolean(incomplete(report->result)));
	set_sums(json, report, &report->result->group.sums);
	events = json_object_get(json, "events");
	for (i = 0; i < report->nr_unsupported; i++)
		json_array_append_new(
			events, unsupported_json(&report->unsupported[i]));
	json_object_set_new(json, "metrics", metrics_json(report));
	if (report->per_thread)
		json_object_set_new(json, "threads", threads_json(report));
	if (!report->interval)
		set_end(json, report);
	/* Counts are integers, with all their digits. */
	failed = json_dumpf(json, stream,
			    JSON_COMPACT | JSON_REAL_PRECISION(15));
	fputc('\n', stream);
	json_decref(json);
	return !failed;
}
