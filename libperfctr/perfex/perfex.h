/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What perfex's files share.  Who calls whom:
 *
 *	main.c		what is asked for
 *	options.c	the command line; option.c, help.c
 *	count.c		counting, in order
 *	choose.c	the events that are counted here
 *	metrics.c	what two counts say together
 *	run.c		the command, counted or sampled
 *	attach.c	threads that run already
 *	pace.c		delay, intervals, and the time that is up
 *	sums.c, stats.c	groups together, and since; several runs
 *	output.c	files, errors, the terminal
 *	report.c	what is printed; report_csv.c, report_json.c
 *	info.c		what there is to count, and with
 *	selftest.c	does it count?  verdict.c
 *
 * profile.h has those of perfex record and perfex report; ../events/resolve.h what
 * perfex shares with libperfctr-events: lists of events, an event's text to its
 * event select, libpfm4's names, and which counter counts which event.
 * wording.c has what perfex says there.
 *
 * Everything but main.c, count.c, run.c, attach.c, record.c and selftest.c is
 * free of the device, so it is tested on any host (tests/unit).
 */
#ifndef PERFEX_H
#define PERFEX_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "internal.h"

#include "../events/resolve.h"

/* Exit statuses of perfex's own, beside those of the command; as env(1). */
enum {
	EXIT_USAGE = 2,    /* can't be counted like that, or not here */
	EXIT_PERFEX = 125, /* perfex itself failed */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

/* ---------------------------------- output.c ----------------------------- */

/* The message for the user, on standard error; returns @status. */
int fail_with(int status, const struct message *message);

/* Everything printed must have arrived: 0, or EXIT_PERFEX. */
int finish_stdout(void);

/*
 * -o FILE.  It is opened before the command runs, so that a bad name costs
 * nothing, but an existing file is not touched until there is something to
 * write, and a new one does not stay if there is not.
 */
struct output {
	const char *path; /* NULL: standard error */
	int fd;
	bool created;
	bool append; /* behind what is there, which may be the command's */
	bool begun;  /* something was written */
};

/* 0, or -1 with @message. */
int output_open(struct output *output, const char *path, bool append,
		struct message *message);
void output_abandon(struct output *output);
/* A part of it, at once. */
int output_add(struct output *output, const char *text, size_t size,
	       struct message *message);
int output_close(struct output *output, struct message *message);
/* All of it at once; closes the file. */
int output_write(struct output *output, const char *text, size_t size,
		 struct message *message);

/*
 * One line on standard error that the next replaces, where that is a terminal;
 * NULL: take it away.
 */
bool progress_wanted(void);
void progress(const char *text);

/* --------------------------------- choose.c ------------------------------ */

/* An event that there is, but not for this CPU or guest. */
struct unsupported {
	char name[EVENT_NAME_SIZE];
	struct message why; /* begins with the event */
};

struct chosen {
	struct event events[PERFCTR_MAX_COUNTERS];
	unsigned int nr;
	struct unsupported unsupported[PERFCTR_MAX_COUNTERS];
	unsigned int nr_unsupported;
};

struct options;

/*
 * Those of @options, or what is counted without -e.  Those that this CPU or
 * guest can't count are set apart, as long as any is left.  0, or -1 with
 * @message.
 */
int choose_counted(struct chosen *chosen, const struct options *options,
		   const struct cpu *cpu, const struct perfctr_dev_info *info,
		   struct message *message);

/* Set event @i apart, too, because of @why.  As above. */
int choose_without(struct chosen *chosen, unsigned int i,
		   const struct options *options,
		   const struct perfctr_dev_info *info,
		   const struct message *why, struct message *message);

/* @flags: of the control, besides what follows from @options. */
void control_of(struct perfctr_dev_control *control,
		const struct options *options, const struct chosen *chosen,
		uint32_t flags);

/* ---------------------------- option.c, options.c ------------------------ */

struct option;

/*
 * As getopt_long(3), @letters beginning with "+:"; optind 0 begins anew.  '?':
 * one that is not there or lacks its argument, as @message says.  @command:
 * whose -h helps.
 */
int option_next(int argc, char **argv, const char *letters,
		const struct option *names, const char *command,
		struct message *message);

#define TARGETS_MAX 64

enum target { NO_TARGET, TARGET_PROCESS, TARGET_THREAD };
enum counts_format { COUNTS_TEXT, COUNTS_CSV, COUNTS_JSON };

struct options {
	enum {
		RUN,
		SHOW_INFO,
		LIST_EVENTS,
		LIST_METRICS,
		SHOW_HELP,
		SHOW_VERSION
	} what;
	char *event_texts[PERFCTR_MAX_COUNTERS];         /* malloc'd */
	unsigned int event_groups[PERFCTR_MAX_COUNTERS]; /* 0: none */
	unsigned int nr_events;
	enum counts_format format;
	const char *output;    /* -o, or NULL */
	bool append;           /* behind what is there */
	bool no_inherit;       /* the first thread only */
	bool per_thread;       /* list the threads apart */
	bool multiplex;        /* -m */
	bool scale;            /* print estimates */
	unsigned int slice_us; /* 0: the module's */
	unsigned int runs;     /* -r; 0: without */
	/* Milliseconds; 0: without. */
	unsigned int delay_ms, interval_ms, timeout_ms;
	enum target target; /* what "targets" are, if there are any */
	int targets[TARGETS_MAX];
	unsigned int nr_targets;
	/* NULL-terminated, empty unless RUN; may be empty with targets. */
	char **command;
};

/* Returns 0, or -1 with @message. */
int options_parse(struct options *options, int argc, char **argv,
		  struct message *message);
void options_free(struct options *options);
void options_help(FILE *stream);

/* --------------------------------- metrics.c ----------------------------- */

struct metric {
	const char *name;
	const char *numerator;
	const char *denominator; /* NULL: seconds on a physical CPU */
	double factor;
	const char *unit;
	const char *description;
};

/* All of them; NULL: no more. */
const struct metric *metric_next(unsigned int *i);

/* -M NAME[,NAME]...: the events for them.  0, or -1 with @message. */
int metrics_add_events(struct options *options, const char *names,
		       struct message *message);
/* Those whose name matches, behind @head; returns how many. */
unsigned int metrics_list(FILE *stream, const char *pattern, const char *head);

struct report;
struct metric_value {
	const struct metric *metric;
	const struct event
		*event; /* the numerator: its modes are the value's */
	double value;
};

/* All that the counts of @report have the events for; false: no more. */
bool metric_value_next(unsigned int *i, const struct report *report,
		       struct metric_value *value);

/* ----------------------------------- run.c ------------------------------- */

struct result {
	struct perfctr_dev_group group;
	struct perfctr_dev_record *records; /* malloc'd; if asked for */
	size_t nr_records;
	int first_error; /* errno with which the first thread ended, or 0 */
	double seconds;  /* from exec to exit */
	int wait_status; /* of waitpid() */
	int read_error;  /* errno if there are no sums, or 0 */
	unsigned int
		denied; /* not 0: event denied - 1 is, by the host's policy */
};

void result_free(struct result *result);

/* The device and what it says; -1 with @message. */
int open_device(struct perfctr_dev_info *info, struct message *message);

/* What to do while the command runs. */
struct watch {
	const struct perfctr_dev_ring *ring; /* that its samples shall have */
	/* Returns when the child, of which @pidfd is one, has ended. */
	void (*run)(int pidfd, void *data);
	void *data;
};

/*
 * Run @command with counters on, and wait for it.  @fd: an unbound handle.
 * What @control lets count besides is counted until the command ends.  @events:
 * whose counters are in @control, in that order.  @watch: or NULL.  Returns 0,
 * or the exit status for perfex if the command was not run; then @message says
 * why.
 */
int run_counted(char **command, int fd,
		const struct perfctr_dev_control *control,
		const struct event *events, const struct watch *watch,
		struct result *result, struct message *message);

/*
 * The keyboard's signal, SIGINT or SIGQUIT, that has come since the first
 * command, or 0.  It reached the command, too, if there was one just then.
 */
int interrupted_by(void);

/*
 * The sums of all groups that the handles @fds founded, and with @records their
 * members, into @result; read_error says whether that went well.
 */
void read_counts(const int *fds, unsigned int nr, bool records,
		 struct result *result);

/*
 * A reader of our output that has gone is an error, not our end.  What we
 * execute has SIGPIPE as it was: in its process, before the exec.
 */
void ignore_broken_pipes(void);
void give_broken_pipes_back(void);

/* Which event of @control is it that can't be counted even alone? */
unsigned int find_denied(int fd, const struct perfctr_dev_control *control);

/* The command's own status, or its signal as our own. */
int pass_on(int wait_status);

/* Did @result lose counts that the user had reason to expect? */
bool is_failure(const struct result *result);

/* What a failed ioctl of the device means, and what to do. */
void explain_device(int error, struct message *message);

/* ---------------------------------- attach.c ----------------------------- */

/* Threads that were there before us, each with a handle of its counters. */
struct attached_thread {
	int pid, tid;
	char comm[16];
};

struct attached {
	int *fds;
	struct attached_thread *who;
	unsigned int nr;
	int pidfds[TARGETS_MAX]; /* of the processes: readable at its end */
	unsigned int nr_pidfds;
	unsigned int denied; /* as in struct result */
};

/* 0, or -1 with @message; then nothing has changed. */
int attach_targets(struct attached *attached, const struct options *options,
		   const struct perfctr_dev_control *control,
		   struct message *message);
/* Have all of the threads ended? */
bool attached_ended(const struct attached *attached);
/* The threads apart, where no group lists them; errno value, or 0. */
int attached_records(const struct attached *attached, struct result *result);
/* They, and what has inherited from them, count no more. */
void detach_targets(struct attached *attached);

/* ----------------------------------- pace.c ------------------------------ */

/* What happens while it counts.  Times are nanoseconds since the start. */
struct pace {
	uint64_t delay, interval, timeout; /* 0: without */
	bool begun;
	uint64_t begin; /* when counting began */
	uint64_t shown; /* the end of the last interval */
};

enum due { DUE_NOTHING, DUE_BEGIN, DUE_INTERVAL, DUE_TIMEOUT };

void pace_start(struct pace *pace, const struct options *options);
/* What is due at @now, once. */
enum due pace_due(struct pace *pace, uint64_t now);
/* How long until something is; UINT64_MAX: nothing ever. */
uint64_t pace_left(const struct pace *pace, uint64_t now);

/* ------------------------------ stats.c, sums.c -------------------------- */

struct stats {
	unsigned int nr;
	double mean;
	double squares; /* of the deviations from it, summed */
};

void stats_add(struct stats *stats, double value);
/* Standard deviation of the values; 0 of less than two. */
double stats_deviation(const struct stats *stats);
/* ... in percent of the mean. */
double stats_relative(const struct stats *stats);

void group_add(struct perfctr_dev_group *to,
	       const struct perfctr_dev_group *from);
/* The counts since @before; how many threads there are and were stays. */
void group_subtract(struct perfctr_dev_group *from,
		    const struct perfctr_dev_group *before);
void records_subtract(struct perfctr_dev_record *from, size_t nr,
		      const struct perfctr_dev_record *before,
		      size_t nr_before);
/* What the records say together takes the place of the group's sums. */
void sums_of_records(struct result *result);

/* ---------------------------------- count.c ------------------------------ */

int count_command(const struct options *options, const struct cpu *cpu);

/* ---------------------------------- report.c ----------------------------- */

/* Of several runs. */
struct series {
	unsigned int runs;
	struct stats seconds, tsc, stolen;
	struct stats events[PERFCTR_MAX_COUNTERS];
};

/* What was counted and how, for the report. */
struct report {
	const struct event *events;
	unsigned int nr;
	const struct unsupported *unsupported;
	unsigned int nr_unsupported;
	const struct perfctr_dev_info *info;
	const struct result *result;   /* of a series: of all runs together */
	const struct series *series;   /* or NULL */
	const struct options *options; /* for who wants to know, or NULL */
	bool multiplexed; /* -m: say which share of the time was counted */
	bool scale;       /* print estimates, marked */
	bool per_thread;  /* list the records */
	bool interval;    /* of one, which ends after "time" seconds */
	double time;
};

/* One event's count, and what is to be said of it. */
struct value {
	enum {
		COUNTED,
		PARTIAL,         /* a share of the time */
		ESTIMATE,        /* of all the time, from a share */
		TURN_NEVER_CAME, /* not counted */
		NOTHING_RAN,     /* not counted */
	} status;
	double mean;     /* of the runs; of one, the number */
	uint64_t number; /* of one run; of a series rounded */
	double share;    /* of the running time, 0 to 1 */
};

struct value event_value(const struct report *report,
			 const struct perfctr_dev_sums *sums, unsigned int i);
/* "counted", "not counted", ... */
const char *status_name(const struct value *value);
/* Is something missing in all the counts? */
bool incomplete(const struct result *result);
/* "user", ...; "" where that can't be told. */
const char *mode_name(const struct event *event,
		      const struct perfctr_dev_info *info);
/* A thread's name, without control characters. */
void comm_text(char *text, size_t size, const char *comm);

void report_counts(FILE *stream, const struct report *report);
void report_csv(FILE *stream, const struct report *report, bool head);
/* False: no memory. */
bool report_json(FILE *stream, const struct report *report);

/*
 * What the counts do not have in them, or more than the user might think: one
 * line each, @prefix before it.  Returns how many lines.
 */
unsigned int report_notes(FILE *stream, const char *prefix,
			  const struct result *result);

/* ----------------------- info.c, selftest.c, verdict.c ------------------- */

void report_info(FILE *stream, const struct cpu *cpu,
		 const struct perfctr_dev_info *info);
/* Those whose name matches @pattern, or all (NULL).  Returns how many. */
unsigned int report_events(FILE *stream, const struct cpu *cpu,
			   const struct perfctr_dev_info *info,
			   const char *pattern);

enum verdict {
	VERDICT_RIGHT,
	VERDICT_MODULE_ABSENT,
	VERDICT_NO_PERMISSION,
	VERDICT_NOT_XEN,
	VERDICT_HYPERVISOR,
	VERDICT_POLICY,
	VERDICT_NO_PMU,
	VERDICT_BUSY,
	VERDICT_DEAD,
	VERDICT_WRONG,
	VERDICT_OTHER,
};

const char *verdict_name(enum verdict verdict);
/* Of an errno value that the device has returned. */
enum verdict verdict_of_error(int error);
/* Why there is no device, by the kernel's log. */
enum verdict verdict_of_log(const char *log);
/*
 * Of the counts of a few turns and of many, which differ by @expected events;
 * 0: nobody knows by how many.
 */
enum verdict verdict_of_counts(uint64_t few, uint64_t many, uint64_t expected);

/* perfex list [PATTERN], info, selftest: the whole command. */
int list_main(int argc, char **argv, const struct cpu *cpu);
int info_main(int argc, char **argv, const struct cpu *cpu);
int selftest_main(int argc, char **argv, const struct cpu *cpu);

#endif /* PERFEX_H */
