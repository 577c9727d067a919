// SPDX-License-Identifier: GPL-2.0-or-later
/* perfex: count, or sample, a command's hardware events. */

#include <string.h>

#include "perfex.h"
#include "profile.h"

static int list_metrics(void)
{
	metrics_list(stdout, NULL, "");
	return finish_stdout();
}

static int count_main(int argc, char **argv, const struct cpu *cpu)
{
	struct options options;
	struct message message;
	int status = 0;

	if (options_parse(&options, argc, argv, &message) < 0) {
		options_free(&options);
		return fail_with(EXIT_USAGE, &message);
	}
	switch (options.what) {
	case RUN:
		status = count_command(&options, cpu);
		break;
	case SHOW_INFO:
		status = info_main(1, argv, cpu);
		break;
	case LIST_EVENTS:
		status = list_main(1, argv, cpu);
		break;
	case LIST_METRICS:
		status = list_metrics();
		break;
	case SHOW_HELP:
		options_help(stdout);
		status = finish_stdout();
		break;
	case SHOW_VERSION:
		puts("perfex (perfctr-xen) " PERFEX_VERSION);
		status = finish_stdout();
		break;
	}
	options_free(&options);
	return status;
}

int main(int argc, char **argv)
{
	/* A program of such a name: "perfex -- record". */
	const char *what = argc > 1 ? argv[1] : "";
	struct cpu cpu;

	ignore_broken_pipes();
	if (!strcmp(what, "record"))
		return record_main(argc - 1, argv + 1);
	if (!strcmp(what, "report"))
		return report_main(argc - 1, argv + 1);
	cpu_identify(&cpu);
	if (!strcmp(what, "list"))
		return list_main(argc - 1, argv + 1, &cpu);
	if (!strcmp(what, "info"))
		return info_main(argc - 1, argv + 1, &cpu);
	if (!strcmp(what, "selftest"))
		return selftest_main(argc - 1, argv + 1, &cpu);
	return count_main(argc, argv, &cpu);
}
