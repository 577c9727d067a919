// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Metrics: what two counts say together.  Only counts of the same modes and of
 * the same time are ever divided by each other.
 */

#include <stdlib.h>
#include <string.h>

#include "perfex.h"

static const struct metric metrics[] = {
	{"ipc", "instructions", "cycles", 1, "instructions per cycle",
	 "how much of what the CPU could do it does"},
	{"branch-rate", "branches", "instructions", 1,
	 "branches per instruction", "how many of the instructions branch"},
	{"branch-miss-ratio", "branch-misses", "branches", 100,
	 "% of branches mispredicted",
	 "how many branches go where the CPU did not expect"},
	{"branch-mpki", "branch-misses", "instructions", 1000,
	 "mispredicted branches per 1000 instructions",
	 "what mispredicted branches weigh in the whole"},
	{"cache-miss-ratio", "cache-misses", "cache-references", 100,
	 "% of cache references missed",
	 "how often what was looked for was not in that cache"},
	{"cache-mpki", "cache-misses", "instructions", 1000,
	 "cache misses per 1000 instructions",
	 "what cache misses weigh in the whole"},
	{"load-rate", "loads", "instructions", 1, "loads per instruction",
	 "how many of the instructions load"},
	{"store-rate", "stores", "instructions", 1, "stores per instruction",
	 "how many of the instructions store"},
	/* In all the time on a CPU are all cycles, the kernel's, too. */
	{"frequency", "cycles:u:k", NULL, 1e-9, "GHz while on a CPU",
	 "cycles per second of the time on a physical CPU"},
};

#define NR_METRICS (sizeof(metrics) / sizeof(metrics[0]))

const struct metric *metric_next(unsigned int *i)
{
	return *i < NR_METRICS ? &metrics[(*i)++] : NULL;
}

/* --------------------------------- values -------------------------------- */

static bool is_event(const struct event *event, const char *what)
{
	size_t length = strcspn(what, ":");

	/* With its end, ":" and "@" all that may follow. */
	return !strncasecmp(event->name, what, length) &&
	       strchr(":@", event->name[length]);
}

/* Of the same modes and of the same time. */
static bool comparable(const struct event *a, const struct event *b)
{
	return !((a->evtsel ^ b->evtsel) & (EVTSEL_USR | EVTSEL_OS)) &&
	       a->host == b->host && a->slot == b->slot;
}

static bool ratio(struct metric_value *value, const struct report *report,
		  unsigned int event)
{
	const __u64 *counts = report->result->group.sums.pmc;
	unsigned int i;

	for (i = 0; i < report->nr; i++) {
		if (!is_event(&report->events[i], value->metric->denominator) ||
		    !comparable(&report->events[event], &report->events[i]) ||
		    !counts[i])
			continue;
		value->value = value->metric->factor * (double)counts[event] /
			       (double)counts[i];
		return true;
	}
	return false;
}

/* Xen's own work is in other time than the thread's. */
static bool rate(struct metric_value *value, const struct report *report,
		 unsigned int event)
{
	const struct perfctr_dev_sums *sums = &report->result->group.sums;

	const struct event *cycles = &report->events[event];

	if ((~cycles->evtsel & (EVTSEL_USR | EVTSEL_OS)) || cycles->host ||
	    !sums->loaded[event] || !report->info->tsc_khz)
		return false;
	value->value = value->metric->factor * (double)sums->pmc[event] *
		       report->info->tsc_khz * 1e3 /
		       (double)sums->loaded[event];
	return true;
}

/* The user may count the same twice. */
static bool said_before(const struct report *report,
			const struct metric *metric, unsigned int event)
{
	unsigned int i;

	for (i = 0; i < event; i++)
		if (is_event(&report->events[i], metric->numerator) &&
		    comparable(&report->events[i], &report->events[event]))
			return true;
	return false;
}

bool metric_value_next(unsigned int *i, const struct report *report,
		       struct metric_value *value)
{
	for (; *i < NR_METRICS * report->nr; (*i)++) {
		unsigned int event = *i % report->nr;

		value->metric = &metrics[*i / report->nr];
		value->event = &report->events[event];
		if (!is_event(value->event, value->metric->numerator) ||
		    said_before(report, value->metric, event))
			continue;
		if (value->metric->denominator ? ratio(value, report, event)
					       : rate(value, report, event)) {
			(*i)++;
			return true;
		}
	}
	return false;
}

/* ---------------------------------- -M NAMES ------------------------------ */

/* Is it there already, plain, in @group? */
static bool has(const struct options *options, const char *text,
		unsigned int group)
{
	unsigned int i;

	for (i = 0; i < options->nr_events; i++)
		if (options->event_groups[i] == group &&
		    !strcasecmp(options->event_texts[i], text))
			return true;
	return false;
}

static int add_event(struct options *options, const char *text,
		     unsigned int group, struct message *message)
{
	if (!text || has(options, text, group))
		return 0;
	if (events_add(options->event_texts, options->event_groups,
		       &options->nr_events, PERFCTR_MAX_COUNTERS, text,
		       message) < 0)
		return -1;
	options->event_groups[options->nr_events - 1] = group;
	return 0;
}

static int add_metric(struct options *options, const struct metric *metric,
		      struct message *message)
{
	unsigned int group = 0, last, i;

	/* Where they take turns, its two events have theirs together. */
	if (options->multiplex && metric->denominator) {
		last = events_next_group(options->event_groups,
					 options->nr_events);
		for (i = 1; i < last; i++)
			if (has(options, metric->numerator, i) &&
			    has(options, metric->denominator, i))
				return 0;
		group = last;
	}
	if (add_event(options, metric->numerator, group, message) < 0)
		return -1;
	return add_event(options, metric->denominator, group, message);
}

int metrics_add_events(struct options *options, const char *names,
		       struct message *message)
{
	for (;;) {
		size_t length = strcspn(names, ","), i;

		for (i = 0; i < NR_METRICS; i++)
			if (strlen(metrics[i].name) == length &&
			    !strncasecmp(metrics[i].name, names, length))
				break;
		if (i == NR_METRICS)
			return complain(
				message,
				"-M %.*s: no such metric (perfex -M list lists them)",
				(int)(length < 40 ? length : 40), names);
		if (add_metric(options, &metrics[i], message) < 0)
			return -1;
		if (!names[length])
			return 0;
		names += length + 1;
	}
}

unsigned int metrics_list(FILE *stream, const char *pattern, const char *head)
{
	unsigned int nr = 0;
	size_t i;

	for (i = 0; i < NR_METRICS; i++) {
		const struct metric *metric = &metrics[i];

		if (!name_matches(metric->name, pattern))
			continue;
		if (!nr++)
			fputs(head, stream);
		fprintf(stream, "  %-18s%s%s%s: %s\n", metric->name,
			metric->numerator, metric->denominator ? " / " : "",
			metric->denominator ? metric->denominator : "",
			metric->description);
	}
	return nr;
}
