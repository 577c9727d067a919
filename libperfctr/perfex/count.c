// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Counting, in order: events, counters, what is counted (a command, once or
 * several times; or threads that run already), what is to be done meanwhile,
 * and the report.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "perfex.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* How long the end of another thread may stay unnoticed. */
#define CHECK_NS UINT64_C(20000000)

struct count {
	const struct options *options;
	struct chosen chosen;
	struct perfctr_dev_info info;
	struct perfctr_dev_control control;
	struct output output;
	bool output_failed;
	bool head_printed; /* of csv */

	/* What is counted just now. */
	const int *fds;
	unsigned int nr_fds;
	const struct attached *attached; /* or NULL: a command */
	struct pace pace;
	struct timespec start;
	struct result base; /* the counts when counting began */
	struct perfctr_dev_group
		shown; /* ... at the end of the last interval */
	struct result at_timeout;
	bool timed_out;

	/* Of all runs. */
	unsigned int run;
	struct result total;
	struct series series;
};

static uint64_t now(const struct count *count)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)(time.tv_sec - count->start.tv_sec) * NS_PER_SECOND +
	       (uint64_t)time.tv_nsec - (uint64_t)count->start.tv_nsec;
}

static double seconds_counted(const struct count *count)
{
	return (double)(now(count) - count->pace.begin) / 1e9;
}

/* --------------------------------- reports ------------------------------- */

static bool write_report(FILE *stream, struct count *count,
			 const struct report *report)
{
	switch (count->options->format) {
	case COUNTS_CSV:
		report_csv(stream, report, !count->head_printed);
		count->head_printed = true;
		return true;
	case COUNTS_JSON:
		return report_json(stream, report);
	default:
		report_counts(stream, report);
		return true;
	}
}

/* What can't be printed is said once. */
static void print_report(struct count *count, const struct report *report)
{
	struct message message;
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	bool good = stream && write_report(stream, count, report);

	if (stream && fclose(stream) != 0)
		good = false;
	if (!good)
		complain(&message, "out of memory");
	else if (!count->output_failed)
		good = !output_add(&count->output, text, size, &message);
	if (!good && !count->output_failed) {
		progress(NULL);
		fail_with(EXIT_PERFEX, &message);
		count->output_failed = true;
	}
	free(text);
}

static struct report make_report(const struct count *count,
				 const struct result *result)
{
	const struct options *options = count->options;

	return (struct report){
		.events = count->chosen.events,
		.nr = count->chosen.nr,
		.unsupported = count->chosen.unsupported,
		.nr_unsupported = count->chosen.nr_unsupported,
		.info = &count->info,
		.result = result,
		.options = options,
		.multiplexed = options->multiplex,
		.scale = options->scale,
		.per_thread = options->per_thread,
	};
}

static void series_add(struct series *series, const struct result *result,
		       bool estimates)
{
	const struct perfctr_dev_sums *sums = &result->group.sums;
	unsigned int i;

	series->runs++;
	stats_add(&series->seconds, result->seconds);
	stats_add(&series->tsc, (double)sums->tsc);
	stats_add(&series->stolen, (double)sums->stolen);
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++) {
		uint64_t number = sums->pmc[i];

		/* The deviation is that of what is printed. */
		if (estimates && !sums->loaded[i])
			continue;
		if (estimates)
			number = perfctr_estimate(number, sums->tsc,
						  sums->loaded[i]);
		stats_add(&series->events[i], (double)number);
	}
}

/* Returns perfex's own status. */
static int print_total(struct count *count)
{
	const struct options *options = count->options;
	const struct result *result = &count->total;
	struct report report = make_report(count, result);
	struct message message;

	progress(NULL);
	if (result->read_error) {
		output_abandon(&count->output);
		complain(&message, "%s, but its counts are lost: %s",
			 count->attached ? "it ran" : "the command ran",
			 strerror(result->read_error));
		return fail_with(EXIT_PERFEX, &message);
	}
	if (options->runs)
		report.series = &count->series;
	print_report(count, &report);
	if (output_close(&count->output, &message) < 0 &&
	    !count->output_failed) {
		fail_with(EXIT_PERFEX, &message);
		count->output_failed = true;
	}
	/* Nobody may be looking at the file just now. */
	if (options->output || options->format != COUNTS_TEXT)
		report_notes(stderr, "perfex: ", result);
	return count->output_failed || is_failure(result) ? EXIT_PERFEX : 0;
}

/* ------------------------------- while it counts ------------------------- */

static void read_now(const struct count *count, bool records,
		     struct result *result)
{
	bool alone = !(count->control.flags & PERFCTR_CTL_RECORDS);

	memset(result, 0, sizeof(*result));
	read_counts(count->fds, count->nr_fds, records && !alone, result);
	if (records && alone && !result->read_error)
		result->read_error = attached_records(count->attached, result);
	/* Of who runs on meanwhile, the list and its total shall be one. */
	if (records && !result->read_error && result->group.live &&
	    !result->group.records_lost)
		sums_of_records(result);
}

static void begin(struct count *count)
{
	read_now(count, count->options->per_thread, &count->base);
	count->shown = count->base.group;
}

/* What was counted since the last one. */
static void show_interval(struct count *count, double time)
{
	struct perfctr_dev_group group;
	struct report report;
	struct result result;

	read_now(count, false, &result);
	/* It will be said when it is all over. */
	if (result.read_error)
		return;
	group = result.group;
	group_subtract(&result.group, &count->shown);
	count->shown = group;
	report = make_report(count, &result);
	report.per_thread = false;
	report.interval = true;
	report.time = time;
	print_report(count, &report);
}

/* A command that is run again says so itself. */
static void show_progress(const struct count *count)
{
	unsigned int timeout = count->options->timeout_ms;
	char text[100];

	if (count->options->runs)
		snprintf(text, sizeof(text), "perfex: run %u of %u", count->run,
			 count->options->runs);
	else if (count->pace.begun)
		snprintf(text, sizeof(text), "perfex: %.0f of %g seconds",
			 seconds_counted(count), timeout / 1e3);
	else
		snprintf(text, sizeof(text), "perfex: not counting yet");
	progress(text);
}

static bool shows_progress(const struct options *options)
{
	/* Intervals on the same terminal show it themselves. */
	return (options->timeout_ms || options->runs) &&
	       (!options->interval_ms || options->output) && progress_wanted();
}

/*
 * Until one of @fds is ready, or the time is up: then false.  Where threads are
 * counted, also until they have ended.
 */
static bool follow(struct count *count, struct pollfd *fds, nfds_t nr)
{
	bool shows = shows_progress(count->options);
	bool checks = count->attached &&
		      count->options->target == TARGET_THREAD && nr < 2;
	struct timespec wait;
	uint64_t left;

	for (;;) {
		switch (pace_due(&count->pace, now(count))) {
		case DUE_BEGIN:
			begin(count);
			continue;
		case DUE_INTERVAL:
			show_interval(count, seconds_counted(count));
			continue;
		case DUE_TIMEOUT:
			return false;
		case DUE_NOTHING:
			break;
		}
		if (shows)
			show_progress(count);
		left = pace_left(&count->pace, now(count));
		if (shows && left > NS_PER_SECOND)
			left = NS_PER_SECOND;
		if (checks && left > CHECK_NS)
			left = CHECK_NS;
		wait.tv_sec = (time_t)(left / NS_PER_SECOND);
		wait.tv_nsec = (long)(left % NS_PER_SECOND);
		if (ppoll(fds, nr, left == UINT64_MAX ? NULL : &wait, NULL) > 0)
			return true;
		if (checks && attached_ended(count->attached))
			return true;
	}
}

static void start_clock(struct count *count)
{
	result_free(&count->base);
	result_free(&count->at_timeout);
	memset(&count->base, 0, sizeof(count->base));
	memset(&count->shown, 0, sizeof(count->shown));
	count->timed_out = false;
	clock_gettime(CLOCK_MONOTONIC, &count->start);
	pace_start(&count->pace, count->options);
}

/* The counts when the time was up are the result, whatever came then. */
static void time_is_up(struct count *count)
{
	read_now(count, count->options->per_thread, &count->at_timeout);
	count->at_timeout.seconds = seconds_counted(count);
	/* That they still ran is what was asked for. */
	count->at_timeout.group.live = 0;
	count->timed_out = true;
}

/*
 * @result is of the whole time: of that which was asked for, and what is left of
 * it for the last interval.
 */
static void finish(struct count *count, struct result *result)
{
	struct message message;

	if (count->timed_out) {
		count->at_timeout.wait_status = result->wait_status;
		result_free(result);
		*result = count->at_timeout;
		memset(&count->at_timeout, 0, sizeof(count->at_timeout));
	} else if (count->pace.begun) {
		result->seconds -= (double)count->pace.begin / 1e9;
	} else {
		memset(&result->group.sums, 0, sizeof(result->group.sums));
		result_free(result);
		result->seconds = 0;
		progress(NULL);
		complain(
			&message,
			"it ended before the delay of -D %u was over: nothing was counted",
			count->options->delay_ms);
		fprintf(stderr, "perfex: %s\n", message.text);
	}
	/* What was counted in the delay has to go. */
	if (!result->read_error)
		result->read_error = count->base.read_error;
	if (result->read_error)
		return;
	if (count->options->interval_ms && count->pace.begun) {
		struct result last = *result;
		struct report report = make_report(count, &last);

		group_subtract(&last.group, &count->shown);
		report.per_thread = false;
		report.interval = true;
		report.time = result->seconds;
		print_report(count, &report);
	}
	group_subtract(&result->group, &count->base.group);
	records_subtract(result->records, result->nr_records,
			 count->base.records, count->base.nr_records);
}

/* --------------------------------- a command ----------------------------- */

static void watch_command(int pidfd, void *data)
{
	struct count *count = data;
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};

	start_clock(count);
	if (follow(count, &fd, 1))
		return;
	time_is_up(count);
	pidfd_send_signal(pidfd, SIGTERM, NULL, 0);
}

static bool needs_watch(const struct options *options)
{
	return options->delay_ms || options->interval_ms ||
	       options->timeout_ms || shows_progress(options);
}

/* It ended as we wanted it to. */
static bool ended_by_us(const struct count *count, const struct result *result)
{
	return count->timed_out && WIFSIGNALED(result->wait_status) &&
	       WTERMSIG(result->wait_status) == SIGTERM;
}

/* Returns 0, or a status with @message. */
static int run_once(struct count *count, int fd, struct result *result,
		    struct message *message)
{
	const struct options *options = count->options;
	struct watch watch = {.run = watch_command, .data = count};
	struct message why;
	int status;

	for (;;) {
		count->fds = &fd;
		count->nr_fds = 1;
		status = run_counted(options->command, fd, &count->control,
				     count->chosen.events,
				     needs_watch(options) ? &watch : NULL,
				     result, message);
		close(fd);
		if (!status || !result->denied || count->chosen.nr < 2)
			return status;
		/* The runs of a series all count the same. */
		if (count->series.runs)
			return status;
		/* It was not run.  Without that event it can be. */
		why = *message;
		if (choose_without(&count->chosen, result->denied - 1, options,
				   &count->info, &why, message) < 0)
			return EXIT_USAGE;
		control_of(&count->control, options, &count->chosen,
			   count->control.flags);
		fd = perfctr_device_open();
		if (fd < 0) {
			explain_open(errno, message);
			return EXIT_USAGE;
		}
	}
}

static void add_run(struct count *count, struct result *result)
{
	struct result *total = &count->total;

	if (!total->wait_status)
		total->wait_status = result->wait_status;
	/* What was interrupted before its exec was no run. */
	if (count->series.runs && WIFSIGNALED(result->wait_status) &&
	    !result->group.sums.tsc) {
		result_free(result);
		return;
	}
	series_add(&count->series, result,
		   count->options->multiplex && count->options->scale);
	group_add(&total->group, &result->group);
	total->seconds += result->seconds;
	if (result->first_error)
		total->first_error = result->first_error;
	if (result->read_error)
		total->read_error = result->read_error;
	/* Of a series nobody asks for them. */
	result_free(total);
	total->records = result->records;
	total->nr_records = result->nr_records;
}

/* The next of them: 0, or a status with @message. */
static int next_run(struct count *count, int fd, struct result *result,
		    struct message *message)
{
	int status;

	if (count->run > 1)
		fd = perfctr_device_open();
	if (fd < 0) {
		explain_open(errno, message);
		return EXIT_USAGE;
	}
	count->pace.begun = true;
	status = run_once(count, fd, result, message);
	if (status)
		return status;
	finish(count, result);
	if (ended_by_us(count, result))
		result->wait_status = 0;
	/* Of the first one, print_total() says so. */
	if (!result->read_error || !count->series.runs)
		return 0;
	if (!count->total.wait_status)
		count->total.wait_status = result->wait_status;
	result_free(result);
	complain(message, "the command ran, but its counts are lost: %s",
		 strerror(result->read_error));
	return EXIT_PERFEX;
}

static int count_runs(struct count *count, int fd)
{
	const struct options *options = count->options;
	unsigned int runs = options->runs ? options->runs : 1;
	struct message message;
	struct result result;
	int status, failed = 0, interrupted = 0;

	control_of(&count->control, options, &count->chosen,
		   PERFCTR_CTL_START_ON_EXEC |
			   (options->no_inherit ? 0 : PERFCTR_CTL_INHERIT) |
			   (options->per_thread ? PERFCTR_CTL_RECORDS : 0));
	for (count->run = 1; count->run <= runs; count->run++) {
		failed = next_run(count, fd, &result, &message);
		if (failed)
			break;
		add_run(count, &result);
		/* Whoever kills it, or hits Ctrl-C, means all of them. */
		if (count->run < runs)
			interrupted = interrupted_by();
		if (WIFSIGNALED(result.wait_status) || result.read_error ||
		    interrupted)
			break;
	}
	if (failed) {
		progress(NULL);
		if (!count->series.runs) {
			output_abandon(&count->output);
			return fail_with(failed, &message);
		}
		/* What those before it have counted is not lost. */
		fprintf(stderr, "perfex: run %u of %u: %s\n", count->run, runs,
			message.text);
	}
	status = print_total(count);
	/* What the command returned matters more. */
	if (count->total.wait_status)
		return pass_on(count->total.wait_status);
	/* A wait status, too. */
	if (interrupted)
		return pass_on(interrupted);
	return failed ? failed : status;
}

/* -------------------------------- what runs already ---------------------- */

/* What perfex has done with them is not for the command. */
struct signals_before {
	struct sigaction child;
	sigset_t mask;
};

static _Noreturn void
be_command(char **command, const struct signals_before *before, int pipe_fd)
{
	ssize_t ignored;
	int error;

	sigaction(SIGCHLD, &before->child, NULL);
	give_broken_pipes_back();
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
	execvp(command[0], command);
	error = errno;
	ignored = write(pipe_fd, &error, sizeof(error));
	(void)ignored;
	_exit(EXIT_PERFEX);
}

/* Run while it is counted, not counted itself: 0, or a status. */
static int spawn(char **command, const struct signals_before *before,
		 pid_t *pid, struct message *message)
{
	int pipe_fds[2], error;
	ssize_t failed;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		complain(message, "pipe: %s", strerror(errno));
		return EXIT_PERFEX;
	}
	*pid = fork();
	if (!*pid)
		be_command(command, before, pipe_fds[1]);
	close(pipe_fds[1]);
	if (*pid < 0) {
		complain(message, "fork: %s", strerror(errno));
		close(pipe_fds[0]);
		return EXIT_PERFEX;
	}
	/* The pipe is closed by the exec, without a word. */
	failed = read(pipe_fds[0], &error, sizeof(error));
	close(pipe_fds[0]);
	if (failed != sizeof(error))
		return 0;
	waitpid(*pid, NULL, 0);
	complain(message, "%s: %s", command[0], strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* Until they have all ended, somebody wants it, or the time is up. */
static void follow_targets(struct count *count, int signal_fd)
{
	const struct attached *attached = count->attached;
	unsigned int left = attached->nr_pidfds, i;
	struct pollfd fds[1 + TARGETS_MAX];

	fds[0] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
	for (i = 0; i < left; i++)
		fds[1 + i] = (struct pollfd){.fd = attached->pidfds[i],
					     .events = POLLIN};
	do {
		if (!follow(count, fds, 1 + attached->nr_pidfds)) {
			time_is_up(count);
			return;
		}
		/* Of a thread, there is nothing to poll. */
		if (fds[0].revents || !attached->nr_pidfds)
			return;
		for (i = 1; i <= attached->nr_pidfds; i++)
			if (fds[i].fd >= 0 && fds[i].revents) {
				fds[i].fd = -1;
				left--;
			}
	} while (left);
}

/* Until the command, which is not counted, has ended. */
static void follow_beside(struct count *count, int signal_fd, pid_t pid,
			  int *wait_status)
{
	struct pollfd fds[2] = {
		{.fd = signal_fd, .events = POLLIN},
		{.fd = pidfd_open(pid, 0), .events = POLLIN},
	};
	bool ended = false;

	/* Without a descriptor of it: waitpid() is what is left. */
	if (fds[1].fd < 0)
		ended = true;
	else if (!follow(count, fds, 2))
		time_is_up(count);
	if (fds[1].revents)
		ended = true;
	/* The keyboard's has reached it; others are passed on. */
	if (!ended)
		kill(pid, SIGTERM);
	while (waitpid(pid, wait_status, 0) < 0 && errno == EINTR)
		;
	if (!ended && WIFSIGNALED(*wait_status))
		*wait_status = 0;
	if (fds[1].fd >= 0)
		close(fds[1].fd);
}

static int attach(struct count *count, struct attached *attached,
		  struct message *message)
{
	const struct options *options = count->options;
	bool inherits =
		options->target == TARGET_PROCESS && !options->no_inherit;
	uint32_t flags =
		inherits ? PERFCTR_CTL_INHERIT | PERFCTR_CTL_RECORDS : 0;
	struct message why;
	unsigned int denied;

	for (;;) {
		control_of(&count->control, options, &count->chosen, flags);
		if (!attach_targets(attached, options, &count->control,
				    message))
			return 0;
		denied = attached->denied;
		if (!denied)
			return -1;
		explain_denied(&count->chosen.events[denied - 1], &why);
		if (choose_without(&count->chosen, denied - 1, options,
				   &count->info, &why, message) < 0)
			return -1;
	}
}

static int count_attached(struct count *count, struct attached *attached,
			  int signal_fd, const struct signals_before *before)
{
	struct result *result = &count->total;
	struct message message;
	int status, wait_status = 0;
	pid_t pid = 0;

	count->fds = attached->fds;
	count->nr_fds = attached->nr;
	count->attached = attached;
	start_clock(count);
	/* What was counted until now is not meant. */
	if (count->pace.begun)
		begin(count);
	if (*count->options->command) {
		status = spawn(count->options->command, before, &pid, &message);
		if (status) {
			detach_targets(attached);
			output_abandon(&count->output);
			return fail_with(status, &message);
		}
		follow_beside(count, signal_fd, pid, &wait_status);
	} else {
		follow_targets(count, signal_fd);
	}
	read_now(count, count->options->per_thread, result);
	result->seconds = (double)now(count) / 1e9;
	/* That they still run is how it is. */
	result->group.live = 0;
	detach_targets(attached);
	finish(count, result);
	status = print_total(count);
	return wait_status ? pass_on(wait_status) : status;
}

/*
 * Whatever would end us, for after that the targets would keep their counters.
 * Not what is ignored (nohup, a script's background): blocked, it would come,
 * too.
 */
static void ending_signals(sigset_t *signals)
{
	static const int others[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH,
				     SIGTSTP, SIGTTIN, SIGTTOU};
	struct sigaction action;
	size_t i;
	int number;

	sigfillset(signals);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		sigdelset(signals, others[i]);
	for (number = 1; number <= SIGRTMAX; number++)
		if (!sigaction(number, NULL, &action) &&
		    action.sa_handler == SIG_IGN)
			sigdelset(signals, number);
}

static int count_targets(struct count *count)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	struct signals_before before;
	struct attached attached;
	struct message message;
	sigset_t ends;
	int signal_fd, status;

	/* Where it is ignored, there is no exit status to wait for. */
	sigaction(SIGCHLD, &standard, &before.child);
	ending_signals(&ends);
	sigprocmask(SIG_BLOCK, &ends, &before.mask);
	signal_fd = signalfd(-1, &ends, SFD_CLOEXEC);
	if (signal_fd < 0) {
		complain(&message, "signalfd: %s", strerror(errno));
		output_abandon(&count->output);
		return fail_with(EXIT_PERFEX, &message);
	}
	if (attach(count, &attached, &message) < 0) {
		output_abandon(&count->output);
		status = fail_with(EXIT_USAGE, &message);
	} else {
		status = count_attached(count, &attached, signal_fd, &before);
	}
	close(signal_fd);
	return status;
}

int count_command(const struct options *options, const struct cpu *cpu)
{
	static struct count count;
	struct message message;
	int fd, status;

	count.options = options;
	fd = open_device(&count.info, &message);
	if (fd < 0)
		return fail_with(EXIT_USAGE, &message);
	names_initialize(cpu->vendor);
	if (choose_counted(&count.chosen, options, cpu, &count.info, &message) <
		    0 ||
	    output_open(&count.output, options->output, options->append,
			&message) < 0) {
		close(fd);
		return fail_with(EXIT_USAGE, &message);
	}
	if (options->target) {
		close(fd);
		status = count_targets(&count);
	} else {
		status = count_runs(&count, fd);
	}
	result_free(&count.total);
	result_free(&count.base);
	return status;
}
