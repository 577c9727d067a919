// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line of counting; help.c explains it. */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "perfex.h"

/* What the module takes, in microseconds. */
#define SLICE_MIN 100
#define SLICE_MAX 1000000

/* In milliseconds: a shorter interval would show what perfex itself takes. */
#define INTERVAL_MIN 10
#define TIME_MAX     1000000000

#define RUNS_MAX 1000000

static int parse_number(unsigned int *value, const char *option,
			const char *text, unsigned int min, unsigned int max,
			const char *of, struct message *message)
{
	unsigned long number;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text) || number < min ||
	    number > max)
		return complain(
			message,
			"%s %.40s: not a whole number of %s from %u to %u",
			option, text, of, min, max);
	*value = (unsigned int)number;
	return 0;
}

static bool is_target(const struct options *options, int id)
{
	unsigned int i;

	for (i = 0; i < options->nr_targets; i++)
		if (options->targets[i] == id)
			return true;
	return false;
}

/* "123,456", behind those that there are; each once. */
static int parse_targets(struct options *options, enum target kind,
			 const char *text, struct message *message)
{
	const char *option = kind == TARGET_THREAD ? "-t" : "-p";

	if (options->target && options->target != kind)
		return complain(
			message,
			"-p and -t: either processes or threads (perfex -h explains)");
	options->target = kind;
	for (;;) {
		unsigned long number;
		char *end;

		errno = 0;
		number = strtoul(text, &end, 10);
		if (errno || (*end && *end != ',') ||
		    !isdigit((unsigned char)*text) || !number ||
		    number > INT_MAX)
			return complain(
				message,
				"%s %.40s: not a %s id; they are whole numbers above zero, with commas between them",
				option, text,
				kind == TARGET_THREAD ? "thread" : "process");
		if (!is_target(options, (int)number)) {
			if (options->nr_targets == TARGETS_MAX)
				return complain(message, "%s: %u at most",
						option, TARGETS_MAX);
			options->targets[options->nr_targets++] = (int)number;
		}
		if (!*end)
			return 0;
		text = end + 1;
	}
}

/* Options that are for another one, without it; or that exclude each other. */
static int check_pairs(const struct options *options, struct message *message)
{
	const struct {
		bool wrong;
		const char *text;
	} pairs[] = {
		{options->scale && !options->multiplex,
		 "--scale is for -m: otherwise every event is counted all the time"},
		{options->slice_us && !options->multiplex,
		 "--slice is for -m: otherwise there are no turns"},
		{options->per_thread && options->no_inherit && !options->target,
		 "--per-thread and --no-inherit: there is only one thread to list"},
		{options->append && !options->output,
		 "--append is for -o FILE: standard error has no end to go to"},
		{options->runs && options->target,
		 "-r is for a command: a running process (-p, -t) can't be run again"},
		{options->runs && options->interval_ms,
		 "-r and -I: a mean is of whole runs, an interval of one run's time; choose one"},
		{options->runs && options->per_thread,
		 "-r and --per-thread: each run has other threads; choose one"},
		{options->no_inherit && options->target == TARGET_THREAD,
		 "--no-inherit is for commands and -p: with -t nothing inherits anyway"},
	};
	size_t i;

	for (i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		if (pairs[i].wrong)
			return complain(message, "%s", pairs[i].text);
	return 0;
}

/* Options that go together, or not. */
static int check_together(const struct options *options,
			  struct message *message)
{
	if (options->what == RUN && !*options->command && !options->target)
		return complain(message,
				"no command to run (perfex -h explains)");
	if (options->what != RUN && *options->command)
		return complain(
			message,
			"-i, -l and -M list take no command (perfex -h explains)");
	return check_pairs(options, message);
}

/* Options that have no short form, or have it as historical letters. */
enum {
	APPEND = 256,
	CSV,
	JSON,
	NO_INHERIT,
	PER_THREAD,
	SCALE,
	SLICE,
	TIMEOUT,
	VERSION
};

static const struct option long_options[] = {
	{"append", no_argument, NULL, APPEND},
	{"csv", no_argument, NULL, CSV},
	{"delay", required_argument, NULL, 'D'},
	{"event", required_argument, NULL, 'e'},
	{"help", no_argument, NULL, 'h'},
	{"interval-print", required_argument, NULL, 'I'},
	{"json", no_argument, NULL, JSON},
	{"metrics", required_argument, NULL, 'M'},
	{"no-inherit", no_argument, NULL, NO_INHERIT},
	{"output", required_argument, NULL, 'o'},
	{"per-thread", no_argument, NULL, PER_THREAD},
	{"pid", required_argument, NULL, 'p'},
	{"repeat", required_argument, NULL, 'r'},
	{"scale", no_argument, NULL, SCALE},
	{"slice", required_argument, NULL, SLICE},
	{"tid", required_argument, NULL, 't'},
	{"timeout", required_argument, NULL, TIMEOUT},
	{"version", no_argument, NULL, VERSION},
	{NULL, 0, NULL, 0},
};

static int choose_format(struct options *options, enum counts_format format,
			 struct message *message)
{
	if (options->format && options->format != format)
		return complain(message, "--csv and --json: choose one");
	options->format = format;
	return 0;
}

/* 0; 1: no more is to be looked at; -1 with @message. */
static int take_option(struct options *options, int option,
		       const char **metrics, struct message *message)
{
	switch (option) {
	case 'e':
		return events_add(options->event_texts, options->event_groups,
				  &options->nr_events, PERFCTR_MAX_COUNTERS,
				  optarg, message);
	case 'M':
		if (*metrics)
			return complain(
				message,
				"-M: once, with commas between the metrics");
		*metrics = optarg;
		return 0;
	case 'm':
		options->multiplex = true;
		return 0;
	case SCALE:
		options->scale = true;
		return 0;
	case SLICE:
		return parse_number(&options->slice_us, "--slice", optarg,
				    SLICE_MIN, SLICE_MAX, "microseconds",
				    message);
	case 'p':
		return parse_targets(options, TARGET_PROCESS, optarg, message);
	case 't':
		return parse_targets(options, TARGET_THREAD, optarg, message);
	case NO_INHERIT:
		options->no_inherit = true;
		return 0;
	case 'D':
		return parse_number(&options->delay_ms, "-D", optarg, 1,
				    TIME_MAX, "milliseconds", message);
	case 'I':
		return parse_number(&options->interval_ms, "-I", optarg,
				    INTERVAL_MIN, TIME_MAX, "milliseconds",
				    message);
	case TIMEOUT:
		return parse_number(&options->timeout_ms, "--timeout", optarg,
				    1, TIME_MAX, "milliseconds", message);
	case 'r':
		return parse_number(&options->runs, "-r", optarg, 1, RUNS_MAX,
				    "runs", message);
	case PER_THREAD:
		options->per_thread = true;
		return 0;
	case CSV:
		return choose_format(options, COUNTS_CSV, message);
	case JSON:
		return choose_format(options, COUNTS_JSON, message);
	case 'o':
		if (!*optarg)
			return complain(message, "-o: no file is named");
		options->output = optarg;
		return 0;
	case APPEND:
		options->append = true;
		return 0;
	case 'i':
		options->what = SHOW_INFO;
		return 0;
	case 'l':
		options->what = LIST_EVENTS;
		return 0;
	case 'h':
		options->what = SHOW_HELP;
		return 1;
	default:
		options->what = SHOW_VERSION;
		return 1;
	}
}

int options_parse(struct options *options, int argc, char **argv,
		  struct message *message)
{
	const char *metrics = NULL;
	int option, end;

	memset(options, 0, sizeof(*options));
	opterr = 0;
	optind = 0; /* glibc: start anew, for the unit tests */
	/* "+": what follows COMMAND is COMMAND's.  ":": tell "missing". */
	while ((option = option_next(argc, argv, "+:e:o:ilhmM:p:t:D:I:r:",
				     long_options, "perfex", message)) != -1) {
		if (option == '?')
			return -1;
		end = take_option(options, option, &metrics, message);
		if (end)
			return end < 0 ? -1 : 0;
	}

	options->command = argv + optind;
	if (metrics && !strcmp(metrics, "list"))
		options->what = LIST_METRICS;
	/* Only now is it known whether they take turns. */
	else if (metrics && metrics_add_events(options, metrics, message) < 0)
		return -1;
	return check_together(options, message);
}

void options_free(struct options *options)
{
	while (options->nr_events)
		free(options->event_texts[--options->nr_events]);
}
