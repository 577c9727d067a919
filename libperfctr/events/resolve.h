/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events by name: what libperfctr-events and perfex share.  Free of the device,
 * so it is tested on any host (tests/unit).  Not installed.
 */
#ifndef EVENTS_RESOLVE_H
#define EVENTS_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "internal.h"

/* All of it: nobody else's names shall be taken. */
#pragma GCC visibility push(hidden)

/* One line for the user, without the program's name and newline. */
struct message {
	char text[1024];
};

/* Writes it; returns -1, for "return complain(...)". */
int complain(struct message *message, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Who asks: a command line, or a program.  Errors say what to do, and that is
 * not the same for both.  perfex and the library have one each.
 */
struct wording {
	const char *list;  /* before what is said of a list: "-e: " */
	const char *turns; /* how events can take turns */
	/* Why a group in braces is not possible where there are none. */
	const char *no_groups;
	const char *no_interrupt; /* why bit 20 can't be set */
	/*
	 * Nobody else is in the process, so the environment may be changed for
	 * a moment.
	 */
	bool alone;
};
extern const struct wording wording;

/* ------------------------------ resolve.c, names.c ----------------------- */

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

/* The longest is a libpfm4 event with all of its unit masks. */
#define EVENT_NAME_SIZE 512

struct event {
	char name[EVENT_NAME_SIZE]; /* as the user wrote it */
	uint64_t evtsel;            /* enable and interrupt bits clear */
	uint32_t pinned;            /* RDPMC operand asked for, or NO_COUNTER */
	uint32_t fixed; /* operand of the fixed counter for it, or NO_COUNTER */
	bool fixed_only; /* no general counter can count it */
	bool by_code;    /* given as a code, so meant for a general counter */
	bool host;       /* Xen's own execution, too */
	uint32_t index;  /* operand of its counter: assign_counters() */
	uint32_t slot;   /* whose turn it shares: assign_counters() */
	uint32_t group; /* not 0: has one slot with all others of this number */
};

/*
 * Resolve what the user wrote after -e:
 *	ALIAS[:u][:k][:h][@COUNTER]
 *	LIBPFM4-NAME[:ATTRIBUTE]...[:h][@COUNTER]
 *	CODE[/HIGH][:u][:k][:h][@COUNTER]	hexadecimal, begins with a digit
 * @info: what the device says, or NULL if there is none; only for whether an
 * event exists.  Returns 0, or with @message EVENT_WRONG, or EVENT_UNSUPPORTED
 * if there is such an event, but not on this CPU.
 */
#define EVENT_WRONG       (-1)
#define EVENT_UNSUPPORTED (-2)
int event_resolve(struct event *event, const char *text, const struct cpu *cpu,
		  const struct perfctr_dev_info *info, struct message *message);

/*
 * Can it be counted here: bits, privilege modes.  Returns 0, or as
 * event_resolve(): unsupported is what this guest may not count.
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

/* Is that one of them? */
bool names_have(const char *name);

/*
 * The event select of a libpfm4 name, without a mode if it does not say which.
 * Returns 0, or -1 with @message; ENOENT as *@error if there is no such event
 * at all.
 */
int names_resolve(const char *text, uint64_t *evtsel, int *error,
		  struct message *message);

/* Calls @visit with each event name that libpfm4 has for this CPU. */
void names_for_each(void (*visit)(const char *name, void *data), void *data);

/*
 * The same with descriptions, and the events with each unit mask; until @visit
 * returns another number than 0, which is returned.
 */
int names_visit(int (*visit)(const char *name, const char *description,
			     void *data),
		void *data);

/* libpfm4's name of this CPU's PMU, or NULL. */
const char *names_pmu(void);

/*
 * libpfm4's events, their unit masks and what they count; those whose name
 * matches.  Returns how many.
 */
unsigned int names_list(FILE *stream, const char *pattern);

/*
 * A part of the name, or, with *, ? or [, all of it; upper and lower case are
 * the same.  NULL: any name.
 */
bool name_matches(const char *name, const char *pattern);

/* ---------------------------------- assign.c ----------------------------- */

/*
 * Give each event a counter: "index" of each.  Without @multiplex all of them
 * are counted at once; with it those that do not fit take turns: "slot" of
 * each, from 0 on, the same for all of a group.  Returns the number of slots (at least 1), or -1 with
 * @message.
 */
int assign_counters(struct event *events, unsigned int nr,
		    const struct perfctr_dev_info *info, bool multiplex,
		    struct message *message);

/* "pmc3" or "fixed0"; the longest has 15 characters and the end. */
const char *counter_name(uint32_t index, char name[16]);

/* ----------------------------------- list.c ------------------------------ */

/*
 * The events of a list, behind the *@nr that there are in @texts, which has room
 * for @most; each is to be freed.  @groups: the number of its group, or 0; NULL:
 * there are no groups.  -1 with @message.
 */
int events_add(char **texts, unsigned int *groups, unsigned int *nr,
	       unsigned int most, const char *list, struct message *message);
/* A number that no group has. */
unsigned int events_next_group(const unsigned int *groups, unsigned int nr);

/* --------------------------------- explain.c ----------------------------- */

/* What a failed open of the device means, and what to do. */
void explain_open(int error, struct message *message);

/* Why the host's policy denies @event. */
void explain_denied(const struct event *event, struct message *message);

#pragma GCC visibility pop

#endif /* EVENTS_RESOLVE_H */
