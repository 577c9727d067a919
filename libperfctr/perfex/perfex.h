/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What perfex's files share.  Who calls whom:
 *
 *	main.c		what to do, in order
 *	options.c	the command line
 *	events.c	an event's text to its event select	-> names.c
 *	names.c		libpfm4's names
 *	assign.c	which counter counts which event
 *	run.c		the command, counted or sampled
 *	output.c	files and errors
 *	report.c	what is printed
 *
 * profile.h has those of perfex record and perfex report.
 *
 * Everything but main.c, run.c and record.c is free of the device, so it is tested on
 * any host (tests/unit).
 */
#ifndef PERFEX_H
#define PERFEX_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "internal.h"

/* Exit statuses of perfex's own, beside those of the command; as env(1). */
enum {
	EXIT_USAGE = 2,    /* can't be counted like that, or not here */
	EXIT_PERFEX = 125, /* perfex itself failed */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

/* One line for the user, without "perfex: " and newline. */
struct message {
	char text[1024];
};

/* Writes it; returns -1, for "return complain(...)". */
int complain(struct message *message, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

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
};

/* 0, or -1 with @message. */
int output_open(struct output *output, const char *path,
		struct message *message);
void output_abandon(struct output *output);
/* All of it at once; closes the file. */
int output_write(struct output *output, const char *text, size_t size,
		 struct message *message);

/* ------------------------------ events.c, names.c ------------------------ */

/* The CPU that events are resolved for. */
struct cpu {
	uint32_t vendor; /* PERFCTR_VENDOR_*, or 0 */
	uint32_t family; /* with the extended one added (CPUID 1) */
	uint32_t model;
	char brand[49];
};

/* By the CPUID instruction. */
void cpu_identify(struct cpu *cpu);

#define EVTSEL_UNIT_MASK 0x000000ff0000ff00ull
#define EVTSEL_USR       0x00010000ull
#define EVTSEL_OS        0x00020000ull
#define EVTSEL_INT       0x00100000ull
#define EVTSEL_EN        0x00400000ull

#define NO_COUNTER UINT32_MAX

struct event {
	char name[128];  /* as the user wrote it */
	uint64_t evtsel; /* enable and interrupt bits clear */
	uint32_t pinned; /* RDPMC operand asked for, or NO_COUNTER */
	uint32_t fixed; /* operand of the fixed counter for it, or NO_COUNTER */
	bool fixed_only; /* no general counter can count it */
	bool by_code;    /* given as a code, so meant for a general counter */
	bool host;       /* Xen's own execution, too */
	uint32_t index;  /* operand of its counter: assign_counters() */
	uint32_t slot;   /* whose turn it shares: assign_counters() */
};

/*
 * Resolve what the user wrote after -e:
 *	ALIAS[:u][:k][:h][@COUNTER]
 *	LIBPFM4-NAME[:ATTRIBUTE]...[:h][@COUNTER]
 *	CODE[/HIGH][:u][:k][:h][@COUNTER]	hexadecimal, begins with a digit
 * @info: what the device says, or NULL if there is none; only for whether an
 * event exists.  Returns 0, or -1 with @message.
 */
int event_resolve(struct event *event, const char *text, const struct cpu *cpu,
		  const struct perfctr_dev_info *info, struct message *message);

/*
 * Can it be counted here: bits, privilege modes.  Returns 0, or -1 with
 * @message.
 */
int event_check(const struct event *event, const struct perfctr_dev_info *info,
		struct message *message);

/* The @i-th alias that this CPU has; false: no more. */
bool alias_next(unsigned int *i, const struct cpu *cpu,
		const struct perfctr_dev_info *info, const char **name,
		const char **description, uint64_t *code);

/* Before all else of names.c: whose CPU it is. */
void names_initialize(uint32_t vendor);

/* Has libpfm4 names for this CPU? */
bool names_known(void);

/*
 * The event select of a libpfm4 name, without a mode if it does not say which.
 * Returns 0, or -1 with @message; ENOENT as *@error if there is no such event
 * at all.
 */
int names_resolve(const char *text, uint64_t *evtsel, int *error,
		  struct message *message);

/* Calls @visit with each event name that libpfm4 has for this CPU. */
void names_for_each(void (*visit)(const char *name, void *data), void *data);

/* libpfm4's events, their unit masks and what they count. */
void names_list(FILE *stream);

/* ---------------------------------- assign.c ----------------------------- */

/*
 * Give each event a counter: "index" of each.  Without @multiplex all of them
 * are counted at once; with it those that do not fit take turns: "slot" of
 * each, from 0 on.  Returns the number of slots (at least 1), or -1 with
 * @message.
 */
int assign_counters(struct event *events, unsigned int nr,
		    const struct perfctr_dev_info *info, bool multiplex,
		    struct message *message);

/* "pmc3" or "fixed0"; the longest has 15 characters and the end. */
const char *counter_name(uint32_t index, char name[16]);

/* --------------------------------- options.c ----------------------------- */

struct options {
	enum { RUN, SHOW_INFO, LIST_EVENTS, SHOW_HELP, SHOW_VERSION } what;
	char *event_texts[PERFCTR_MAX_COUNTERS]; /* malloc'd */
	unsigned int nr_events;
	const char *output;    /* -o, or NULL */
	bool no_inherit;       /* the first thread only */
	bool per_thread;       /* list the threads apart */
	bool multiplex;        /* -m */
	bool scale;            /* print estimates */
	unsigned int slice_us; /* 0: the module's */
	char **command;        /* NULL-terminated, empty unless RUN */
};

/* Returns 0, or -1 with @message. */
int options_parse(struct options *options, int argc, char **argv,
		  struct message *message);
void options_free(struct options *options);
/*
 * The events of -e LIST, behind the *@nr that there are in @texts, which has room
 * for @most; each is to be freed.  -1 with @message.
 */
int options_add_events(char **texts, unsigned int *nr, unsigned int most,
		       const char *list, struct message *message);
void options_help(FILE *stream);

/* ----------------------------------- run.c ------------------------------- */

struct result {
	struct perfctr_dev_group group;
	struct perfctr_dev_record *records; /* malloc'd; if asked for */
	size_t nr_records;
	int first_error; /* errno with which the first thread ended, or 0 */
	double seconds;  /* from exec to exit */
	int wait_status; /* of waitpid() */
	int read_error;  /* errno if there are no sums, or 0 */
};

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

/* The command's own status, or its signal as our own. */
int pass_on(int wait_status);

/* Did @result lose counts that the user had reason to expect? */
bool is_failure(const struct result *result);

/* What a failed open, or ioctl, of the device means, and what to do. */
void explain_open(int error, struct message *message);
void explain_device(int error, struct message *message);

/* ---------------------------------- report.c ----------------------------- */

/* What was counted and how, for the report. */
struct report {
	const struct event *events;
	unsigned int nr;
	const struct perfctr_dev_info *info;
	const struct result *result;
	bool multiplexed; /* -m: say which share of the time was counted */
	bool scale;       /* print estimates, marked */
	bool per_thread;  /* list the records */
};

void report_counts(FILE *stream, const struct report *report);

/*
 * What the counts do not have in them, or more than the user might think: one
 * line each, @prefix before it.  Returns how many lines.
 */
unsigned int report_notes(FILE *stream, const char *prefix,
			  const struct result *result);
void report_info(FILE *stream, const struct cpu *cpu,
		 const struct perfctr_dev_info *info);
void report_events(FILE *stream, const struct cpu *cpu,
		   const struct perfctr_dev_info *info);

#endif /* PERFEX_H */
