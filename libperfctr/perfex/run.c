// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command, counted.  The child makes counters for itself with the handle
 * that perfex opened, asks for counting from the next exec on, and executes
 * the command: so nothing of perfex is in the counts.  The child's set founds
 * the group of all that the command creates.  perfex keeps the handle, which
 * outlives the child, and reads the group's sums from it.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "perfex.h"

void explain_device(int error, struct message *message)
{
	switch (error) {
	case EEXIST:
		complain(
			message,
			"this command is being counted already, by another perfex, which follows children (--no-inherit)");
		break;
	default:
		complain(message, "%s", perfctr_strerror(error));
		break;
	}
}

static struct sigaction pipe_before;
static bool pipe_taken;

void ignore_broken_pipes(void)
{
	struct sigaction ignore;

	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	pipe_taken = !sigaction(SIGPIPE, &ignore, &pipe_before);
}

void give_broken_pipes_back(void)
{
	if (pipe_taken)
		sigaction(SIGPIPE, &pipe_before, NULL);
}

/* How far the child came before it failed; sent through the pipe. */
struct child_failure {
	enum { IN_COUNTERS, IN_EXEC } stage;
	int error;
	unsigned int event; /* EACCES: which one the host's policy denies */
};

static volatile sig_atomic_t child_pid;

static void forward(int signal_number)
{
	int error = errno;

	kill(child_pid, signal_number);
	errno = error;
}

/*
 * While the command runs, perfex does nothing that a signal should end: the
 * keyboard's signals reach the command by themselves; those that somebody
 * sends to perfex are passed on to it.  Then the counts are printed.
 */
static const int keyboard_signals[] = {SIGINT, SIGQUIT};
static const int forwarded_signals[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
#define NR_KEYBOARD  (sizeof(keyboard_signals) / sizeof(*keyboard_signals))
#define NR_FORWARDED (sizeof(forwarded_signals) / sizeof(*forwarded_signals))

static struct sigaction keyboard_before[NR_KEYBOARD];
static volatile sig_atomic_t interrupted;

static void note(int signal_number)
{
	interrupted = signal_number;
}

int interrupted_by(void)
{
	return interrupted;
}

/* For good: also between two commands there are counts to be printed. */
static void take_keyboard(void)
{
	struct sigaction noted = {.sa_handler = note, .sa_flags = SA_RESTART};
	static bool taken;
	size_t i;

	for (i = 0; i < NR_KEYBOARD && !taken; i++) {
		sigaction(keyboard_signals[i], NULL, &keyboard_before[i]);
		/* What was ignored for us stays ignored. */
		if (keyboard_before[i].sa_handler != SIG_IGN)
			sigaction(keyboard_signals[i], &noted, NULL);
	}
	taken = true;
}

struct saved_signals {
	struct sigaction forwarded[NR_FORWARDED];
	struct sigaction child;
	sigset_t mask;
};

/*
 * All of them stay blocked until the child's pid is known, and in the child until
 * they are what they will be for the command: so none is lost.
 */
static void take_signals(struct saved_signals *saved)
{
	struct sigaction ignore, pass, standard;
	sigset_t block;
	size_t i;

	memset(&ignore, 0, sizeof(ignore));
	memset(&pass, 0, sizeof(pass));
	memset(&standard, 0, sizeof(standard));
	standard.sa_handler = SIG_DFL;
	ignore.sa_handler = SIG_IGN;
	pass.sa_handler = forward;
	pass.sa_flags = SA_RESTART;
	sigemptyset(&block);
	for (i = 0; i < NR_KEYBOARD; i++)
		sigaddset(&block, keyboard_signals[i]);
	for (i = 0; i < NR_FORWARDED; i++)
		sigaddset(&block, forwarded_signals[i]);
	sigprocmask(SIG_BLOCK, &block, &saved->mask);
	/* Where it is ignored, there is no exit status to wait for. */
	sigaction(SIGCHLD, &standard, &saved->child);
	take_keyboard();
	for (i = 0; i < NR_FORWARDED; i++) {
		sigaction(forwarded_signals[i], &pass, &saved->forwarded[i]);
		/* What was ignored for us stays ignored (nohup). */
		if (saved->forwarded[i].sa_handler == SIG_IGN)
			sigaction(forwarded_signals[i], &ignore, NULL);
	}
}

static void give_signals_back(const struct saved_signals *saved)
{
	size_t i;

	sigaction(SIGCHLD, &saved->child, NULL);
	for (i = 0; i < NR_FORWARDED; i++)
		sigaction(forwarded_signals[i], &saved->forwarded[i], NULL);
	sigprocmask(SIG_SETMASK, &saved->mask, NULL);
}

unsigned int find_denied(int fd, const struct perfctr_dev_control *control)
{
	struct perfctr_dev_control alone;
	unsigned int i;

	for (i = 0; i + 1 < control->nr; i++) {
		memset(&alone, 0, sizeof(alone));
		alone.nr = 1;
		alone.counter[0] = control->counter[i];
		alone.counter[0].flags &= PERFCTR_COUNTER_HOST;
		if (perfctr_device_control(fd, &alone) < 0 && errno == EACCES)
			break;
	}
	return i;
}

static _Noreturn void be_child(char **command, int fd,
			       const struct perfctr_dev_control *control,
			       const struct perfctr_dev_ring *ring,
			       const struct saved_signals *saved, int pipe_fd)
{
	struct child_failure failure = {IN_COUNTERS, 0, 0};
	ssize_t ignored;
	size_t i;

	if (!perfctr_device_create(fd) &&
	    (!ring || !perfctr_device_ring(fd, ring)) &&
	    !perfctr_device_control(fd, control)) {
		failure.stage = IN_EXEC;
		for (i = 0; i < NR_KEYBOARD; i++)
			sigaction(keyboard_signals[i], &keyboard_before[i],
				  NULL);
		give_signals_back(saved);
		give_broken_pipes_back();
		execvp(command[0], command);
	}
	failure.error = errno;
	if (failure.stage == IN_COUNTERS && failure.error == EACCES)
		failure.event = find_denied(fd, control);
	ignored = write(pipe_fd, &failure, sizeof(failure));
	(void)ignored;
	_exit(EXIT_PERFEX);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

static ssize_t read_failure(int fd, struct child_failure *failure)
{
	ssize_t size;

	do
		size = read(fd, failure, sizeof(*failure));
	while (size < 0 && errno == EINTR);
	return size;
}

static int explain_failure(const struct child_failure *failure,
			   const struct event *events, const char *command,
			   struct result *result, struct message *message)
{
	if (failure->stage == IN_COUNTERS && failure->error == EACCES) {
		explain_denied(&events[failure->event], message);
		result->denied = failure->event + 1;
		return EXIT_USAGE;
	}
	if (failure->stage == IN_COUNTERS) {
		explain_device(failure->error, message);
		return EXIT_USAGE;
	}
	complain(message, "%s: %s", command, strerror(failure->error));
	return failure->error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* The members one by one, behind those that there are; errno value, or 0. */
static int read_records(int fd, struct result *result)
{
	struct perfctr_dev_record record = {.serial = 0};

	while (!perfctr_device_next_record(fd, &record)) {
		/* 64 more each time that they are full. */
		if (result->nr_records % 64 == 0) {
			struct perfctr_dev_record *records;

			records = reallocarray(result->records,
					       result->nr_records + 64,
					       sizeof(record));
			if (!records)
				return ENOMEM;
			result->records = records;
		}
		result->records[result->nr_records++] = record;
	}
	return errno == ENOENT ? 0 : errno;
}

/*
 * The records first: a member that ends in between is then in the sums at
 * least, and the listing is never ahead of them.
 */
void read_counts(const int *fds, unsigned int nr, bool records,
		 struct result *result)
{
	struct perfctr_dev_group group;
	struct perfctr_dev_sums first;
	unsigned int i;

	for (i = 0; i < nr && records && !result->read_error; i++)
		result->read_error = read_records(fds[i], result);
	for (i = 0; i < nr && !result->read_error; i++) {
		if (perfctr_device_read_group(fds[i], &group) < 0 ||
		    perfctr_device_read(fds[i], &first) < 0) {
			result->read_error = errno;
			break;
		}
		group_add(&result->group, &group);
		if (perfctr_device_end(&first) < 0)
			result->first_error = errno;
	}
}

/* By a descriptor, so that it can be waited for among others. */
static void watch_child(const struct watch *watch, pid_t pid)
{
	int pidfd = pidfd_open(pid, 0);

	/* Without one: waitpid() is what is left. */
	if (pidfd < 0)
		return;
	watch->run(pidfd, watch->data);
	close(pidfd);
}

int run_counted(char **command, int fd,
		const struct perfctr_dev_control *control,
		const struct event *events, const struct watch *watch,
		struct result *result, struct message *message)
{
	struct child_failure failure;
	struct saved_signals saved;
	struct timespec start;
	int pipe_fds[2];
	ssize_t failed;
	pid_t pid;

	memset(result, 0, sizeof(*result));
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		complain(message, "pipe: %s", strerror(errno));
		return EXIT_PERFEX;
	}
	take_signals(&saved);
	pid = fork();
	if (!pid)
		be_child(command, fd, control, watch ? watch->ring : NULL,
			 &saved, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid < 0) {
		complain(message, "fork: %s", strerror(errno));
		close(pipe_fds[0]);
		give_signals_back(&saved);
		return EXIT_PERFEX;
	}
	child_pid = pid;
	sigprocmask(SIG_SETMASK, &saved.mask, NULL);

	/* The pipe is closed by the exec, without a word. */
	failed = read_failure(pipe_fds[0], &failure);
	clock_gettime(CLOCK_MONOTONIC, &start);
	close(pipe_fds[0]);
	if (watch && failed != sizeof(failure))
		watch_child(watch, pid);
	while (waitpid(pid, &result->wait_status, 0) < 0 && errno == EINTR)
		;
	result->seconds = seconds_since(&start);
	give_signals_back(&saved);

	if (failed == sizeof(failure))
		return explain_failure(&failure, events, command[0], result,
				       message);
	read_counts(&fd, 1, control->flags & PERFCTR_CTL_RECORDS, result);
	return 0;
}

/* The device and what it says; -1 with @message. */
int open_device(struct perfctr_dev_info *info, struct message *message)
{
	int fd = perfctr_device_open();

	if (fd < 0) {
		explain_open(errno, message);
		return -1;
	}
	if (perfctr_device_info(fd, info) < 0) {
		explain_device(errno, message);
		close(fd);
		return -1;
	}
	return fd;
}

/* The command's own status, or its signal as our own. */
int pass_on(int wait_status)
{
	struct rlimit no_core = {0, 0};
	sigset_t set;
	int signal_number;

	if (WIFEXITED(wait_status))
		return WEXITSTATUS(wait_status);
	signal_number = WTERMSIG(wait_status);
	/* A core dump of perfex is of no use to anybody. */
	setrlimit(RLIMIT_CORE, &no_core);
	signal(signal_number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(signal_number);
	return 128 + signal_number;
}

/*
 * Were counts lost that the user had reason to expect?  That a program is
 * refused or still runs is how things are, and a line says so; but what the
 * command itself executes is what it is all about.
 */
bool is_failure(const struct result *result)
{
	const struct perfctr_dev_group *group = &result->group;

	return result->first_error || group->errors || group->lost;
}
