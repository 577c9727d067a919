// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line. */

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "perfex.h"

void options_help(FILE *stream)
{
	fputs("Usage: perfex [OPTION]... [-e EVENT[,EVENT]...]... COMMAND [ARGUMENT]...\n"
	      "       perfex record [OPTION]... COMMAND [ARGUMENT]...\n"
	      "       perfex report [OPTION]...\n"
	      "       perfex -i | -l | -h | --version\n"
	      "\n"
	      "Run COMMAND, count events in all its threads and child processes, across exec,\n"
	      "and print the sums when it ends.  record notes where they happen, and report\n"
	      "shows it: perfex record -h, perfex report -h.  A command of that name is run by\n"
	      "perfex -- record.\n"
	      "\n"
	      "  -e EVENT      count EVENT; without -e: instructions, cycles, branches\n"
	      "  -m            more events than counters: they take turns.  Each count is then\n"
	      "                of a share of the running time, which is printed beside it\n"
	      "  --scale       with -m: print estimates for the whole time, marked as such\n"
	      "  --slice USEC  with -m: a turn is that long, 100 to 1000000 (default: 10000)\n"
	      "  --per-thread  list each thread apart, too\n"
	      "  --no-inherit  count the first thread only\n"
	      "  -o FILE       write the counts to FILE, not to standard error\n"
	      "  -i            what counters this guest has\n"
	      "  -l            which events can be named\n"
	      "  -h, --help    this text\n"
	      "  --version     the version\n"
	      "\n"
	      "EVENT is one of\n"
	      "  a common name (perfex -l)             branches\n"
	      "  a name of libpfm4 for this CPU        BR_INST_RETIRED:CONDITIONAL\n"
	      "  a hexadecimal event select            0x4300C0   or LOW/HIGH, 32 bits each\n"
	      "\n"
	      "and may end in\n"
	      "  :u :k       count user mode (the default), kernel mode, or with :u:k both\n"
	      "  :h          count Xen's own work for this guest, alone or with :u:k:h beside\n"
	      "              both; for privileged guests\n"
	      "  @N @fixedN  count in general or fixed counter N\n"
	      "\n"
	      "A program that raises its privileges by exec (set-user-ID) is not counted from\n"
	      "then on; what still runs when COMMAND has ended is counted until then.  A line\n"
	      "below the counts says so.\n"
	      "\n"
	      "Exit status: COMMAND's; 2 if it can't be counted like this or not here,\n"
	      "125 if perfex fails, 126 if COMMAND can't be executed, 127 if it is not found.\n"
	      "If COMMAND dies of a signal, so does perfex, after it has printed the counts.\n",
	      stream);
}

int options_add_events(char **texts, unsigned int *nr, unsigned int most,
		       const char *list, struct message *message)
{
	for (;;) {
		size_t length = strcspn(list, ",");
		char *text;

		if (!length)
			return complain(
				message,
				"-e: an event is missing (perfex -l lists events)");
		if (*nr == most)
			return complain(message,
					"too many events: %u at most",
					most);
		text = strndup(list, length);
		if (!text)
			return complain(message, "out of memory");
		texts[(*nr)++] = text;
		if (!list[length])
			return 0;
		list += length + 1;
	}
}

/* What the module takes, in microseconds. */
#define SLICE_MIN 100
#define SLICE_MAX 1000000

static int parse_slice(unsigned int *slice, const char *text,
		       struct message *message)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text) ||
	    value < SLICE_MIN || value > SLICE_MAX)
		return complain(
			message,
			"--slice %.40s: not a whole number of microseconds from %d to %d",
			text, SLICE_MIN, SLICE_MAX);
	*slice = (unsigned int)value;
	return 0;
}

/* Options that go together, or not. */
static int check_together(const struct options *options,
			  struct message *message)
{
	if (options->what == RUN && !*options->command)
		return complain(message,
				"no command to run (perfex -h explains)");
	if (options->what != RUN && *options->command)
		return complain(
			message,
			"-i and -l take no command (perfex -h explains)");
	if (options->scale && !options->multiplex)
		return complain(
			message,
			"--scale is for -m: otherwise every event is counted all the time");
	if (options->slice_us && !options->multiplex)
		return complain(
			message,
			"--slice is for -m: otherwise there are no turns");
	if (options->per_thread && options->no_inherit)
		return complain(
			message,
			"--per-thread and --no-inherit: there is only one thread to list");
	return 0;
}

int options_parse(struct options *options, int argc, char **argv,
		  struct message *message)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"no-inherit", no_argument, NULL, 'N'},
		{"per-thread", no_argument, NULL, 'T'},
		{"scale", no_argument, NULL, 'S'},
		{"slice", required_argument, NULL, 'L'},
		{NULL, 0, NULL, 0},
	};
	int option;

	memset(options, 0, sizeof(*options));
	opterr = 0;
	optind = 0; /* glibc: start anew, for the unit tests */
	/* "+": what follows COMMAND is COMMAND's.  ":": tell "missing". */
	while ((option = getopt_long(argc, argv, "+:e:o:ilhm", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 'e':
			if (options_add_events(options->event_texts,
					       &options->nr_events,
					       PERFCTR_MAX_COUNTERS, optarg,
					       message) < 0)
				return -1;
			break;
		case 'o':
			if (!*optarg)
				return complain(message,
						"-o: no file is named");
			options->output = optarg;
			break;
		case 'i':
			options->what = SHOW_INFO;
			break;
		case 'l':
			options->what = LIST_EVENTS;
			break;
		case 'h':
			options->what = SHOW_HELP;
			return 0;
		case 'V':
			options->what = SHOW_VERSION;
			return 0;
		case 'm':
			options->multiplex = true;
			break;
		case 'N':
			options->no_inherit = true;
			break;
		case 'T':
			options->per_thread = true;
			break;
		case 'S':
			options->scale = true;
			break;
		case 'L':
			if (parse_slice(&options->slice_us, optarg, message) <
			    0)
				return -1;
			break;
		case ':':
			/* A long option has its whole text in argv. */
			return complain(
				message,
				"option %s needs an argument (perfex -h explains)",
				argv[optind - 1]);
		default:
			/* A long option: its text is the argument before. */
			return complain(
				message,
				"unknown option %s (perfex -h lists the options)",
				argv[optind - 1]);
		}
	}

	options->command = argv + optind;
	return check_together(options, message);
}

void options_free(struct options *options)
{
	while (options->nr_events)
		free(options->event_texts[--options->nr_events]);
}
