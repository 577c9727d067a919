// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perfex record: the command, sampled.  The child makes counters and rings for
 * itself with the handle that perfex opened, and executes the command; perfex maps the
 * rings by the same handle, and writes what is in them to the file.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profile.h"

/*
 * A prime: so that a loop whose length divides a round number is not hit in the
 * same place each time.
 */
#define DEFAULT_PERIOD 1000003

/* Nothing waits longer in a ring for perfex, in milliseconds. */
#define LONGEST_WAIT 250
/* And at the end: until it was quiet for so long, but not for ever. */
#define QUIET_MS     20
#define MOST_QUIETS  50

struct session {
	int fd; /* the device */
	unsigned int pages;
	const struct recording *recording;
	int output_fd;
	struct writer writer;
	struct recorder recorder;
	struct recording_end end;
	int map_error; /* errno: why the rings can't be read, or 0 */
};

/* ----------------------------------- rings ------------------------------- */

/* All that is there now, to the file.  Returns if there was anything. */
static bool drain(struct session *session, struct vperfctr_rings *rings)
{
	const struct vperfctr_record *record;
	bool any = false;

	for (;;) {
		record = vperfctr_rings_next(rings);
		if (record) {
			size_t size;
			const void *raw = perfctr_rings_raw(rings, &size);

			/* Also after an error: there has to be room. */
			recorder_add(&session->recorder, record, raw, size);
			any = true;
		} else if (errno == EBADMSG) {
			session->end.damaged++;
		} else {
			break;
		}
	}
	recorder_flush(&session->recorder);
	return any;
}

/*
 * The child has ended.  What its mappings are is told by the kernel in its own
 * time, perhaps just now, and it says when that is done: unless others are left,
 * who go on.  Then it is until nothing has come for a while.
 */
static void drain_rest(struct session *session, struct vperfctr_rings *rings)
{
	struct pollfd all_ended = {.fd = session->fd};
	unsigned int i;

	drain(session, rings);
	for (i = 0; i < MOST_QUIETS; i++) {
		int ready = poll(&all_ended, 1, QUIET_MS);
		bool any = drain(session, rings);

		/* A signal is not quiet. */
		if (ready > 0 || (!ready && !any))
			break;
	}
}

/* While the child runs. */
static void follow(int pidfd, void *data)
{
	struct session *session = data;
	struct vperfctr_rings_totals totals;
	struct vperfctr_rings *rings =
		perfctr_rings_map(session->fd, session->pages);
	struct pollfd poll_fds[] = {
		{.fd = pidfd, .events = POLLIN},
		{.fd = session->fd, .events = POLLIN},
	};

	session->map_error = rings ? 0 : errno;
	if (!rings)
		return;
	/*
	 * Not before the command is known to be one that runs: for a mistyped
	 * name no older recording is given up.
	 */
	session->recorder.error =
		writer_begin(&session->writer, session->output_fd);
	if (!session->recorder.error)
		recorder_begin(&session->recorder, &session->writer,
			       session->recording);
	while (!poll_fds[0].revents) {
		if (poll(poll_fds, 2, LONGEST_WAIT) < 0) {
			poll_fds[0].revents = 0;
			if (errno != EINTR)
				break;
		}
		drain(session, rings);
		/* Nobody writes any more: only the child is waited for. */
		if (poll_fds[1].revents & (POLLHUP | POLLERR | POLLNVAL))
			poll_fds[1].fd = -1;
	}
	drain_rest(session, rings);
	vperfctr_rings_totals(rings, &totals);
	session->end.lost = totals.lost;
	session->end.skipped = totals.skipped;
	vperfctr_rings_close(rings);
}

/* ---------------------------------- control ------------------------------ */

/* The longest period of a counter. */
static uint64_t longest(const struct event *event,
			const struct perfctr_dev_info *info)
{
	uint32_t width = event->index & PERFCTR_INDEX_FIXED
				 ? info->fixed_width
				 : info->general_width;

	return (UINT64_C(1) << (width ? width - 1 : 0)) - 1;
}

static int choose_events(struct event *events,
			 const struct record_options *options,
			 const struct cpu *cpu,
			 const struct perfctr_dev_info *info, uint64_t period,
			 struct message *message)
{
	unsigned int i, nr = options->nr_events ? options->nr_events : 1;

	if (!(info->features & PERFCTR_FEAT_SAMPLING))
		return complain(
			message,
			"this guest can't sample: its host's policy does not let it (in dom0: xen-perfctr set DOMAIN sample; or perfctr=\"sample\" in xl.cfg), or Xen or the module is too old");
	for (i = 0; i < nr; i++) {
		const char *text = options->nr_events ? options->event_texts[i]
						      : "instructions";

		if (event_resolve(&events[i], text, cpu, info, message) < 0 ||
		    event_check(&events[i], info, message) < 0)
			return -1;
	}
	if (assign_counters(events, nr, info, false, message) < 0)
		return -1;
	for (i = 0; i < nr; i++) {
		if (period < info->min_period)
			return complain(
				message,
				"-c %llu: the period is too short: %u events at least here",
				(unsigned long long)period, info->min_period);
		if (period > longest(&events[i], info))
			return complain(
				message,
				"-c %llu: the period is too long for %s: %llu events at most",
				(unsigned long long)period, events[i].name,
				(unsigned long long)longest(&events[i], info));
	}
	return (int)nr;
}

static void make_control(struct perfctr_dev_control *control,
			 const struct record_options *options,
			 const struct event *events, unsigned int nr,
			 uint64_t period)
{
	unsigned int i;

	memset(control, 0, sizeof(*control));
	control->nr = nr;
	control->flags = PERFCTR_CTL_TSC_ON | PERFCTR_CTL_START_ON_EXEC;
	if (!options->no_inherit)
		control->flags |= PERFCTR_CTL_INHERIT;
	for (i = 0; i < nr; i++) {
		struct perfctr_dev_counter *counter = &control->counter[i];

		counter->index = events[i].index;
		counter->evtsel = events[i].evtsel;
		/* A fixed counter has no event to select. */
		if (events[i].index & PERFCTR_INDEX_FIXED)
			counter->evtsel &= EVTSEL_USR | EVTSEL_OS;
		if (events[i].host)
			counter->flags |= PERFCTR_COUNTER_HOST;
		counter->ireset = -(int64_t)period;
	}
}

/* --------------------------------- the command --------------------------- */

/* perfex's own status. */
static int finish(struct session *session, const struct result *result,
		  const struct record_options *options)
{
	struct message message;
	int status = 0;

	if (session->map_error) {
		complain(&message, "the samples can't be read: %s",
			 perfctr_strerror(session->map_error));
		status = fail_with(EXIT_PERFEX, &message);
	}
	session->end.result = result;
	if (result->read_error) {
		complain(&message,
			 "the command ran, but its counts are lost: %s",
			 strerror(result->read_error));
		status = fail_with(EXIT_PERFEX, &message);
	} else if (!session->map_error) {
		recorder_end(&session->recorder, &session->end);
	}
	if (session->recorder.error) {
		complain(&message,
			 "%s: %s: the recording ends before the command did",
			 options->output, strerror(session->recorder.error));
		status = fail_with(EXIT_PERFEX, &message);
	}
	fprintf(stderr,
		"perfex: %s: %llu samples, %llu records lost, %llu overflows not sampled\n",
		options->output, (unsigned long long)session->recorder.samples,
		(unsigned long long)session->end.lost,
		(unsigned long long)session->end.skipped);
	report_notes(stderr, "perfex: ", result);
	return !status && is_failure(result) ? EXIT_PERFEX : status;
}

static int record_to(struct session *session,
		     const struct record_options *options,
		     const struct perfctr_dev_control *control)
{
	const struct recording *recording = session->recording;
	struct perfctr_dev_ring ring = {
		.flags = recording->depth ? PERFCTR_RINGS_CALLCHAIN : 0,
		.pages = session->pages,
		.depth = recording->depth,
	};
	struct watch watch = {&ring, follow, session};
	struct output output;
	struct message message;
	struct result result;
	int status;

	if (output_open(&output, options->output, false, &message) < 0)
		return fail_with(EXIT_USAGE, &message);
	session->output_fd = output.fd;
	/* Until follow() was there. */
	session->map_error = ENOSYS;
	status = run_counted(options->command, session->fd, control,
			     recording->events, &watch, &result, &message);
	if (status) {
		output_abandon(&output);
		return fail_with(status, &message);
	}
	status = finish(session, &result, options);
	recorder_free(&session->recorder);
	if (close(output.fd) < 0 && !status) {
		complain(&message, "%s: %s", options->output, strerror(errno));
		status = fail_with(EXIT_PERFEX, &message);
	}
	return result.wait_status ? pass_on(result.wait_status) : status;
}

static void nothing(int signal_number)
{
	(void)signal_number;
}

/*
 * What can't be written is an error, not our end.  By a handler, as the command
 * would inherit that they are ignored.
 */
static void take_write_signals(void)
{
	static const int signals[] = {SIGXFSZ, SIGPIPE};
	struct sigaction action = {.sa_handler = nothing,
				   .sa_flags = SA_RESTART};
	struct sigaction old;
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (!sigaction(signals[i], NULL, &old) &&
		    old.sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
}

static int record_command(const struct record_options *options)
{
	uint64_t period = options->period ? options->period : DEFAULT_PERIOD;
	uint64_t periods[PERFCTR_MAX_COUNTERS];
	struct event events[PERFCTR_MAX_COUNTERS];
	struct session session = {.pages = options->pages};
	struct perfctr_dev_control control;
	struct perfctr_dev_info info;
	struct message message;
	struct cpu cpu;
	int nr, i, status;

	cpu_identify(&cpu);
	session.fd = open_device(&info, &message);
	if (session.fd < 0)
		return fail_with(EXIT_USAGE, &message);
	names_initialize(cpu.vendor);
	nr = choose_events(events, options, &cpu, &info, period, &message);
	if (nr < 0) {
		close(session.fd);
		return fail_with(EXIT_USAGE, &message);
	}
	for (i = 0; i < nr; i++)
		periods[i] = period;
	make_control(&control, options, events, (unsigned int)nr, period);
	take_write_signals();
	session.recording = &(const struct recording){
		.info = &info,
		.cpu = &cpu,
		.events = events,
		.periods = periods,
		.nr = (unsigned int)nr,
		.depth = options->chains ? PERFCTR_RINGS_MAX_DEPTH : 0,
		.command = options->command,
	};
	status = record_to(&session, options, &control);
	close(session.fd);
	return status;
}

int record_main(int argc, char **argv)
{
	struct record_options options;
	struct message message;
	int status;

	if (record_options_parse(&options, argc, argv, &message) < 0) {
		status = fail_with(EXIT_USAGE, &message);
	} else if (options.help) {
		record_help(stdout);
		status = finish_stdout();
	} else {
		status = record_command(&options);
	}
	record_options_free(&options);
	return status;
}
