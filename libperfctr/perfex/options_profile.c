// SPDX-License-Identifier: GPL-2.0-or-later
/* The command lines of perfex record and perfex report. */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "profile.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

/* ---------------------------------- record ------------------------------- */

void record_help(FILE *stream)
{
	fputs("Usage: perfex record [OPTION]... COMMAND [ARGUMENT]...\n"
	      "\n"
	      "Run COMMAND and note where it is each time that an event has happened PERIOD\n"
	      "times, in all its threads and child processes, across exec.  perfex report shows\n"
	      "the file that comes of it.\n"
	      "\n"
	      "  -e EVENT      sample EVENT, as perfex -h explains; without -e: instructions.\n"
	      "                Several of them: each with that period\n"
	      "  -c PERIOD     so many events for each sample (default: 1000003; perfex -i\n"
	      "                shows the least)\n"
	      "  -g            also who called whom, by frame pointers (compile with\n"
	      "                -fno-omit-frame-pointer)\n"
	      "  -o FILE       the file (default: perfex.data); one that is there is replaced\n"
	      "  --pages N     room for samples until perfex has its turn, for each CPU: a\n"
	      "                power of two, 1 to 1024 pages of 4096 bytes (default: 64)\n"
	      "  --no-inherit  sample the first thread only\n"
	      "  -h, --help    this text\n"
	      "\n"
	      "Exit status: COMMAND's; 2 if it can't be sampled like this or not here, 125 if\n"
	      "perfex fails or the file is incomplete, 126 if COMMAND can't be executed, 127 if\n"
	      "it is not found.  If COMMAND dies of a signal, so does perfex.\n",
	      stream);
}

static int parse_number(uint64_t *value, const char *option, const char *text,
			struct message *message)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text) || !number)
		return complain(message,
				"%s %.40s: not a whole number above zero",
				option, text);
	*value = number;
	return 0;
}

static int parse_pages(unsigned int *pages, const char *text,
		       struct message *message)
{
	uint64_t number;

	if (parse_number(&number, "--pages", text, message) < 0)
		return -1;
	if (number > 1024 || number & (number - 1))
		return complain(
			message,
			"--pages %.40s: not a power of two from 1 to 1024",
			text);
	*pages = (unsigned int)number;
	return 0;
}

int record_options_parse(struct record_options *options, int argc, char **argv,
			 struct message *message)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"no-inherit", no_argument, NULL, 'N'},
		{"pages", required_argument, NULL, 'P'},
		{NULL, 0, NULL, 0},
	};
	int option;

	memset(options, 0, sizeof(*options));
	options->output = FILE_DEFAULT;
	options->pages = 64;
	opterr = 0;
	optind = 0;
	while ((option = option_next(argc, argv, "+:e:c:go:h", long_options,
				     "perfex record", message)) != -1) {
		switch (option) {
		case 'e':
			if (events_add(options->event_texts, NULL,
				       &options->nr_events,
				       LENGTH(options->event_texts), optarg,
				       message) < 0)
				return -1;
			break;
		case 'c':
			if (parse_number(&options->period, "-c", optarg,
					 message) < 0)
				return -1;
			break;
		case 'g':
			options->chains = true;
			break;
		case 'o':
			if (!*optarg)
				return complain(message,
						"-o: no file is named");
			options->output = optarg;
			break;
		case 'P':
			if (parse_pages(&options->pages, optarg, message) < 0)
				return -1;
			break;
		case 'N':
			options->no_inherit = true;
			break;
		case 'h':
			options->help = true;
			return 0;
		default:
			return -1;
		}
	}
	options->command = argv + optind;
	if (!*options->command)
		return complain(
			message,
			"no command to record (perfex record -h explains)");
	return 0;
}

void record_options_free(struct record_options *options)
{
	while (options->nr_events)
		free(options->event_texts[--options->nr_events]);
}

/* ---------------------------------- report ------------------------------- */

static const char *const sort_names[] = {
	[SORT_SYMBOL] = "symbol",
	[SORT_LINE] = "line",
	[SORT_DSO] = "dso",
	[SORT_THREAD] = "thread",
};

static const char *const format_names[] = {
	[FORMAT_TEXT] = "text",
	[FORMAT_FOLDED] = "folded",
	[FORMAT_SCRIPT] = "script",
	[FORMAT_PPROF] = "pprof",
	[FORMAT_FLAMEGRAPH] = "flamegraph",
};

void report_help(FILE *stream)
{
	fputs("Usage: perfex report [OPTION]...\n"
	      "\n"
	      "Show what perfex record has noted.\n"
	      "\n"
	      "  -i FILE          that file (default: perfex.data)\n"
	      "  -e EVENT         the samples of EVENT, if several were recorded\n"
	      "  --sort KEY       the share of each symbol (the default), source line, dso\n"
	      "                   (program or shared library) or thread\n"
	      "  --format FORMAT  text (the default): a table\n"
	      "                   folded: stacks, one a line, for flame graph tools\n"
	      "                   script: each sample, as perf script prints them\n"
	      "                   pprof: for pprof, compressed by gzip\n"
	      "                   flamegraph: an SVG for any browser\n"
	      "  -o FILE          write to FILE, not to standard output\n"
	      "  -h, --help       this text\n"
	      "\n"
	      "How many samples were lost or throttled is at the top of each, and for folded\n"
	      "and pprof on standard error.\n"
	      "\n"
	      "Exit status: 0; 2 if there is nothing to show like this, 125 if perfex fails.\n",
	      stream);
}

/* Its index, or -1 with @message. */
static int choose(const char *const *names, size_t nr, const char *option,
		  const char *text, struct message *message)
{
	char list[128] = "";
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!strcmp(names[i], text))
			return (int)i;
		snprintf(list + strlen(list), sizeof(list) - strlen(list),
			 "%s%s", i ? ", " : "", names[i]);
	}
	return complain(message, "%s %.40s: one of %s", option, text, list);
}

int report_options_parse(struct report_options *options, int argc, char **argv,
			 struct message *message)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"sort", required_argument, NULL, 'S'},
		{"format", required_argument, NULL, 'F'},
		{NULL, 0, NULL, 0},
	};
	bool sorted = false;
	int option, chosen;

	memset(options, 0, sizeof(*options));
	options->input = FILE_DEFAULT;
	opterr = 0;
	optind = 0;
	while ((option = option_next(argc, argv, "+:i:e:o:h", long_options,
				     "perfex report", message)) != -1) {
		switch (option) {
		case 'i':
			options->input = optarg;
			break;
		case 'e':
			options->event = optarg;
			break;
		case 'o':
			if (!*optarg)
				return complain(message,
						"-o: no file is named");
			options->output = optarg;
			break;
		case 'S':
			chosen = choose(sort_names, LENGTH(sort_names),
					"--sort", optarg, message);
			if (chosen < 0)
				return -1;
			options->sort = (enum sort_key)chosen;
			sorted = true;
			break;
		case 'F':
			chosen = choose(format_names, LENGTH(format_names),
					"--format", optarg, message);
			if (chosen < 0)
				return -1;
			options->format = (enum report_format)chosen;
			break;
		case 'h':
			options->help = true;
			return 0;
		default:
			return -1;
		}
	}
	if (argv[optind])
		return complain(
			message,
			"%.100s: report takes no command; -i names a file",
			argv[optind]);
	if (sorted && options->format != FORMAT_TEXT)
		return complain(
			message,
			"--sort is for --format text: the others have whole stacks");
	return 0;
}
