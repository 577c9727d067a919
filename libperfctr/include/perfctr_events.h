/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libperfctr-events: hardware events by name, for the calling thread and what it
 * creates.  This is the interface for new programs; libperfctr.h is the one
 * below it.
 *
 *	struct perfctr_events *events;
 *	struct perfctr_region *solve;
 *
 *	events = perfctr_events_open("instructions,cycles,branch-misses", 0);
 *	if (!events)
 *		errx(1, "%s", perfctr_events_error());
 *	solve = perfctr_region(events, "solve");
 *	for (...) {
 *		perfctr_region_begin(solve);
 *		...
 *		perfctr_region_end(solve);
 *	}
 *	perfctr_events_print(events, stdout);
 *	perfctr_events_close(events);
 *
 * Errors: unless said otherwise a function returns 0, or -1 with errno set.
 * perfctr_events_error() then says in a line what was wrong, what is allowed,
 * and who can do something about it.
 *
 * Threads: a set of events, and its regions, belong to the thread that has opened
 * it.  Another thread gets EPERM, and opens one of its own (or inherits:
 * PERFCTR_EVENTS_INHERIT).  So does the child of a fork(), where the parent's
 * set only is there to be closed.
 *
 * Signals: none of these functions may be called from a handler that can have
 * interrupted another one for the same set, but for perfctr_events_count().
 */
#ifndef PERFCTR_EVENTS_H
#define PERFCTR_EVENTS_H

#include <stdio.h>

#include "libperfctr.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A set of events that are counted. */
struct perfctr_events;

/* perfctr_events_open() */
#define PERFCTR_EVENTS_INHERIT 1u /* threads and children count too */
#define PERFCTR_EVENTS_TURNS   2u /* those that have no counter take turns */
#define PERFCTR_EVENTS_STOPPED 4u /* not before perfctr_events_start() */

/*
 * Count, for the calling thread, the events of @list: EVENT[,EVENT]... as after
 * perfex -e, at most PERFCTR_MAX_PMCS.  An event is a common name
 * (instructions, cycles, branches, ...), a name of libpfm4, or a hexadecimal
 * event select; :u, :k, :h say where (perfex(1), perfex list).  {EVENT,EVENT} is a
 * group: its events are always counted at the same time, so that one can be
 * divided by the other.  All events are, without TURNS.
 * Returns NULL on error:
 *   EINVAL      @list is not well-formed, there is no such event, or @flags
 *   ENOSPC      there are not counters for all of them at once: TURNS, or
 *               fewer events; or a group is larger than the CPU can count
 *   EOPNOTSUPP  there is such an event, but this CPU or guest can't count it
 *   EACCES      the host's policy does not let this guest count one of them
 *   EEXIST      the thread has counters: one set at a time
 *   and those of vperfctr_open() and vperfctr_control()
 */
struct perfctr_events *perfctr_events_open(const char *list,
					   unsigned int flags);

/* End the counting, free the set and its regions.  NULL is allowed. */
void perfctr_events_close(struct perfctr_events *events);

/*
 * What was wrong in the calling thread's last call that failed: one line,
 * without a full stop.  Until its next one that fails.  Never NULL.
 */
const char *perfctr_events_error(void);

/* How many events, and each as it was written; NULL: there is no event @i. */
unsigned int perfctr_events_nr(const struct perfctr_events *events);
const char *perfctr_events_name(const struct perfctr_events *events,
				unsigned int i);

/*
 * Stop, and go on: counts stay, and what happens between them is not in any.
 * Not while a region has begun (EBUSY).  To do it twice is no error.  What has
 * inherited goes on; what is created while the thread is stopped does not inherit.
 */
int perfctr_events_stop(struct perfctr_events *events);
int perfctr_events_start(struct perfctr_events *events);

/*
 * The count of event @i since the set was opened, in user mode, by some 25
 * instructions; 0 if there is no such event.  For the difference of two; it does
 * not fail.
 */
unsigned long long perfctr_events_count(const struct perfctr_events *events,
					unsigned int i);

/*
 * All counts of the calling thread, at one time: sums->pmc[i] of event @i, over
 * sums->loaded[i] of sums->tsc ticks.  In user mode; with TURNS by a system
 * call.  vperfctr_estimate() is for those that were counted in turns.
 *   EPERM, EACCES, EIO, ...  counting has ended for a reason outside the
 *               program; @sums has the last exact values
 *   EPERM       not the thread that opened the set
 */
int perfctr_events_read(const struct perfctr_events *events,
			struct vperfctr_sums *sums);

/*
 * With INHERIT: those of the thread and of all threads and children that it, and
 * they, have created since the set was opened; ended ones included.  Else
 * of the thread alone.
 */
int perfctr_events_read_all(const struct perfctr_events *events,
			    struct vperfctr_group_sums *sums);

/*
 * What all else of libperfctr.h takes: another look at the same counters.  It
 * belongs to the set.  vperfctr_control() and the like would change the counters
 * under the set: don't.
 */
const struct vperfctr *
perfctr_events_handle(const struct perfctr_events *events);

/* ------------------------- what there is, and how ------------------------ */

/*
 * Call @visit for each event that this CPU has by a name: the common names, then
 * libpfm4's, each followed by what its unit masks make of it (EVENT:MASK).  Until
 * it does not return 0; returns what it has returned, or 0.  The strings
 * are @visit's for that call only, which may call functions of this library.
 *   and errors of the device, as perfctr_events_open()
 */
int perfctr_events_list(int (*visit)(const char *name, const char *description,
				     void *data),
			void *data);

/*
 * libpfm4's name of this CPU's PMU, as lists of events for many CPUs have it
 * ("skl", "amd64_fam17h_zen1"); NULL if libpfm4 does not know this CPU.
 * Constant.
 */
const char *perfctr_events_pmu(void);

/*
 * The control that perfctr_events_open() would ask for: for who counts another
 * thread by it, or samples.  Entry i is event i of @list, in a-mode.  @control may
 * be NULL: could these events be counted?  Errors as there, but that what only the
 * hypervisor knows (EACCES of a filter, ...) is not found.
 */
int perfctr_events_control(const char *list, unsigned int flags,
			   struct vperfctr_group_control *control);

/* --------------------------------- regions ------------------------------- */

/*
 * A part of the program, by name, whose counts are added up each time that it is
 * executed.
 */
struct perfctr_region;

/*
 * The set's region @name: a new one, or that which is there.  It belongs to the
 * set.  A region of a program should be looked for once, and not where it begins.
 *   EINVAL      no name, one of more than 63 bytes, or with a control character
 *   ENOMEM, EPERM
 * Returns NULL on error.
 */
struct perfctr_region *perfctr_region(struct perfctr_events *events,
				      const char *name);

/*
 * What the thread executes between them is the region's; the threads and children
 * that it creates are not in it.  Regions may lie in each other, or overlap.  One that is
 * begun again before its end, as by recursion, has to be ended as often, and is
 * counted once.
 * Each costs a perfctr_events_read(); perfctr_region_overhead() says what of
 * that is in the counts.
 *   EINVAL      end: it has not begun
 *   EBUSY       begin: the set is stopped
 *   EPERM, ...  as perfctr_events_read(); that time is not counted in the region
 */
int perfctr_region_begin(struct perfctr_region *region);
int perfctr_region_end(struct perfctr_region *region);

struct perfctr_region_sums {
	unsigned long long calls; /* that have ended */
	/* Over them all, as perfctr_events_read() has them */
	unsigned long long tsc;
	unsigned long long pmc[PERFCTR_MAX_PMCS];
	unsigned long long loaded[PERFCTR_MAX_PMCS];
};

/* Never fails, for the set's thread. */
int perfctr_region_read(const struct perfctr_region *region,
			struct perfctr_region_sums *sums);
const char *perfctr_region_name(const struct perfctr_region *region);

/* In the order in which they were made; NULL: the first.  NULL: no more. */
struct perfctr_region *perfctr_region_next(const struct perfctr_events *events,
					   const struct perfctr_region *region);

/*
 * What one call of a region with nothing in it counts: of each event the least
 * of some tries, now.  Nothing subtracts it, as it is for each program to say
 * whether its code runs beside it or after it.  Events that take turns: 0.
 *   EBUSY       the set is stopped
 */
int perfctr_region_overhead(struct perfctr_events *events,
			    struct perfctr_region_sums *sums);

/*
 * A table for people: the regions' calls, seconds on a physical CPU, and counts; or,
 * if there are none, the set's counts.  Estimates are marked by ~, and a count
 * that is of part of the time only by its share.  The format is not for programs.
 */
int perfctr_events_print(const struct perfctr_events *events, FILE *stream);

#ifdef __cplusplus
}
#endif

#endif /* PERFCTR_EVENTS_H */
