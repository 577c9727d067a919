// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line. */

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "perfex.h"

void options_help(FILE *stream)
{
	fputs("Usage: perfex [-e EVENT[,EVENT]...]... [-o FILE] COMMAND [ARGUMENT]...\n"
	      "       perfex -i | -l | -h | --version\n"
	      "\n"
	      "Run COMMAND, count events in its (first) thread, across exec, and print the\n"
	      "counts when it ends.  Other threads and child processes are not counted.\n"
	      "\n"
	      "  -e EVENT    count EVENT; without -e: instructions, cycles, branches\n"
	      "  -o FILE     write the counts to FILE, not to standard error\n"
	      "  -i          what counters this guest has\n"
	      "  -l          which events can be named\n"
	      "  -h, --help  this text\n"
	      "  --version   the version\n"
	      "\n"
	      "EVENT is one of\n"
	      "  a common name (perfex -l)             branches\n"
	      "  a name of libpfm4 for this CPU        BR_INST_RETIRED:CONDITIONAL\n"
	      "  a hexadecimal event select            0x4300C0   or LOW/HIGH, 32 bits each\n"
	      "\n"
	      "and may end in\n"
	      "  :u :k       count user mode (the default), kernel mode, or with :u:k both.\n"
	      "              In a 64-bit PV guest the two can't be told apart: user mode\n"
	      "              includes the guest's kernel.\n"
	      "  @N @fixedN  count in general or fixed counter N\n"
	      "\n"
	      "Exit status: COMMAND's; 2 if it can't be counted like this or not here,\n"
	      "125 if perfex fails, 126 if COMMAND can't be executed, 127 if it is not found.\n"
	      "If COMMAND dies of a signal, so does perfex, after it has printed the counts.\n",
	      stream);
}

static int add_events(struct options *options, const char *list,
		      struct message *message)
{
	for (;;) {
		size_t length = strcspn(list, ",");
		char *text;

		if (!length)
			return complain(
				message,
				"-e: an event is missing (perfex -l lists events)");
		if (options->nr_events == PERFCTR_MAX_COUNTERS)
			return complain(
				message,
				"too many events: no CPU has more than %d counters",
				PERFCTR_MAX_COUNTERS);
		text = strndup(list, length);
		if (!text)
			return complain(message, "out of memory");
		options->event_texts[options->nr_events++] = text;
		if (!list[length])
			return 0;
		list += length + 1;
	}
}

int options_parse(struct options *options, int argc, char **argv,
		  struct message *message)
{
	static const struct option long_options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int option;

	memset(options, 0, sizeof(*options));
	opterr = 0;
	optind = 0; /* glibc: start anew, for the unit tests */
	/* "+": what follows COMMAND is COMMAND's.  ":": tell "missing". */
	while ((option = getopt_long(argc, argv, "+:e:o:ilh", long_options,
				     NULL)) != -1) {
		switch (option) {
		case 'e':
			if (add_events(options, optarg, message) < 0)
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
		case ':':
			return complain(
				message,
				"option -%c needs an argument (perfex -h explains)",
				optopt);
		default:
			/* A long option: its text is the argument before. */
			return complain(
				message,
				"unknown option %s (perfex -h lists the options)",
				argv[optind - 1]);
		}
	}

	options->command = argv + optind;
	if (options->what == RUN && !*options->command)
		return complain(message,
				"no command to run (perfex -h explains)");
	if (options->what != RUN && *options->command)
		return complain(
			message,
			"-i and -l take no command (perfex -h explains)");
	return 0;
}

void options_free(struct options *options)
{
	while (options->nr_events)
		free(options->event_texts[--options->nr_events]);
}
