// SPDX-License-Identifier: GPL-2.0-or-later
/* perfex: count a command's hardware events. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perfex.h"
#include "profile.h"

static int show_info(const struct cpu *cpu)
{
	struct perfctr_dev_info info;
	struct message message;
	int fd = open_device(&info, &message);

	if (fd < 0)
		return fail_with(EXIT_USAGE, &message);
	close(fd);
	report_info(stdout, cpu, &info);
	return finish_stdout();
}

static int list_events(const struct cpu *cpu)
{
	struct perfctr_dev_info info;
	struct message message;
	int fd = open_device(&info, &message);

	/* Without counters there still are names. */
	names_initialize(cpu->vendor);
	report_events(stdout, cpu, fd < 0 ? NULL : &info);
	if (fd >= 0)
		close(fd);
	return finish_stdout();
}

/* ---------------------------------- events ------------------------------- */

/* What is counted without -e, as far as it is there and has room. */
static const char *const default_events[] = {"instructions", "cycles",
					     "branches"};

static unsigned int choose_default_events(struct event *events,
					  const struct cpu *cpu,
					  const struct perfctr_dev_info *info)
{
	struct message ignored;
	unsigned int i, nr = 0;

	for (i = 0; i < sizeof(default_events) / sizeof(*default_events); i++)
		if (!event_resolve(&events[nr], default_events[i], cpu, info,
				   &ignored) &&
		    !event_check(&events[nr], info, &ignored) &&
		    assign_counters(events, nr + 1, info, false, &ignored) > 0)
			nr++;
	/* A failed attempt may have moved the others. */
	assign_counters(events, nr, info, false, &ignored);
	return nr;
}

/* Returns how many, or -1 with @message. */
static int choose_events(struct event *events, const struct options *options,
			 const struct cpu *cpu,
			 const struct perfctr_dev_info *info,
			 struct message *message)
{
	unsigned int i;

	if (!options->nr_events)
		return (int)choose_default_events(events, cpu, info);
	for (i = 0; i < options->nr_events; i++)
		if (event_resolve(&events[i], options->event_texts[i], cpu,
				  info, message) < 0 ||
		    event_check(&events[i], info, message) < 0)
			return -1;
	if (assign_counters(events, options->nr_events, info,
			    options->multiplex, message) < 0)
		return -1;
	return (int)options->nr_events;
}

static void make_control(struct perfctr_dev_control *control,
			 const struct options *options,
			 const struct event *events, unsigned int nr)
{
	unsigned int i;
	bool turns = false;

	memset(control, 0, sizeof(*control));
	control->nr = nr;
	control->flags = PERFCTR_CTL_TSC_ON | PERFCTR_CTL_START_ON_EXEC;
	if (!options->no_inherit)
		control->flags |= PERFCTR_CTL_INHERIT;
	if (options->per_thread)
		control->flags |= PERFCTR_CTL_RECORDS;
	for (i = 0; i < nr; i++) {
		struct perfctr_dev_counter *counter = &control->counter[i];

		counter->index = events[i].index;
		counter->flags = PERFCTR_COUNTER_SLOT(events[i].slot);
		counter->evtsel = events[i].evtsel;
		/* A fixed counter has no event to select. */
		if (events[i].index & PERFCTR_INDEX_FIXED)
			counter->evtsel &= EVTSEL_USR | EVTSEL_OS;
		if (events[i].host)
			counter->flags |= PERFCTR_COUNTER_HOST;
		if (events[i].slot)
			turns = true;
	}
	/* With one slot there is nothing to slice. */
	if (turns)
		control->slice_us = options->slice_us;
}

/* ------------------------------------ run -------------------------------- */

static int print_result(struct output *output, const struct report *report)
{
	struct message message;
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	int status = 0;

	if (!stream) {
		complain(&message, "out of memory");
		return fail_with(EXIT_PERFEX, &message);
	}
	report_counts(stream, report);
	if (fclose(stream) != 0 ||
	    output_write(output, text, size, &message) < 0)
		status = fail_with(EXIT_PERFEX, &message);
	free(text);
	return status;
}

/* Returns perfex's own status. */
static int report_result(struct output *output, const struct report *report)
{
	const struct result *result = report->result;
	struct message message;
	int status;

	if (result->read_error) {
		output_abandon(output);
		complain(&message,
			 "the command ran, but its counts are lost: %s",
			 strerror(result->read_error));
		return fail_with(EXIT_PERFEX, &message);
	}
	status = print_result(output, report);
	/* Nobody may be looking at the file just now. */
	if (output->path)
		report_notes(stderr, "perfex: ", result);
	return !status && is_failure(result) ? EXIT_PERFEX : status;
}

static int count_command(const struct options *options, const struct cpu *cpu)
{
	struct event events[PERFCTR_MAX_COUNTERS];
	struct perfctr_dev_control control;
	struct perfctr_dev_info info;
	struct message message;
	struct result result;
	struct output output;
	int fd, nr, status;

	fd = open_device(&info, &message);
	if (fd < 0)
		return fail_with(EXIT_USAGE, &message);
	names_initialize(cpu->vendor);
	nr = choose_events(events, options, cpu, &info, &message);
	if (nr < 0 || output_open(&output, options->output, &message) < 0) {
		close(fd);
		return fail_with(EXIT_USAGE, &message);
	}
	make_control(&control, options, events, (unsigned int)nr);

	status = run_counted(options->command, fd, &control, events, NULL,
			     &result, &message);
	close(fd);
	if (status) {
		output_abandon(&output);
		return fail_with(status, &message);
	}

	/* A reader of our output that has gone is an error, not our end. */
	signal(SIGPIPE, SIG_IGN);
	status = report_result(&output,
			       &(const struct report){
				       .events = events,
				       .nr = (unsigned int)nr,
				       .info = &info,
				       .result = &result,
				       .multiplexed = options->multiplex,
				       .scale = options->scale,
				       .per_thread = options->per_thread,
			       });
	free(result.records);
	/* What the command returned matters more. */
	return result.wait_status ? pass_on(result.wait_status) : status;
}

int main(int argc, char **argv)
{
	struct options options;
	struct message message;
	struct cpu cpu;
	int status = 0;

	/* A program of such a name: "perfex -- record". */
	if (argc > 1 && !strcmp(argv[1], "record"))
		return record_main(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "report"))
		return report_main(argc - 1, argv + 1);
	if (options_parse(&options, argc, argv, &message) < 0) {
		options_free(&options);
		return fail_with(EXIT_USAGE, &message);
	}
	cpu_identify(&cpu);
	switch (options.what) {
	case RUN:
		status = count_command(&options, &cpu);
		break;
	case SHOW_INFO:
		status = show_info(&cpu);
		break;
	case LIST_EVENTS:
		status = list_events(&cpu);
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
