/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside libperfctr-events: a set, and its regions.  Not installed. */
#ifndef EVENTS_SET_H
#define EVENTS_SET_H

#include "perfctr_events.h"
#include "resolve.h"

#pragma GCC visibility push(hidden)

struct perfctr_events {
	struct vperfctr *self;
	unsigned long
		owner; /* this_thread() of the thread that has opened it */
	bool running;
	bool fresh; /* it never ran: what it has counted nobody has asked for */
	/* More slots than one: only the kernel knows for how long each ran. */
	bool turns;
	unsigned int tsc_khz;
	unsigned int nr;
	unsigned int begun; /* regions */
	struct perfctr_region *first, **end;
	struct vperfctr_group_control control;
	struct event event[PERFCTR_MAX_PMCS];
};

#define REGION_NAME_MAX 63

struct perfctr_region {
	struct perfctr_events *events;
	unsigned int depth; /* begins without an end */
	struct perfctr_sum_ctrs begin;
	unsigned long long begin_loaded[PERFCTR_MAX_PMCS]; /* with turns */
	struct perfctr_region_sums sums;
	struct perfctr_region *next;
	char name[REGION_NAME_MAX + 1];
};

/* A number that no other thread of this process has, or had. */
unsigned long this_thread(void);

/* The thread's last error: for complain(). */
struct message *last_error(void);

/* errno = @error, and -1; the message is written. */
int failed(int error);
/* The same, with what the library below says of @error. */
int failed_below(int error);

/* Is it the calling thread's?  0, or -1. */
int check_owner(const struct perfctr_events *events);

void regions_free(struct perfctr_events *events);

#pragma GCC visibility pop

#endif /* EVENTS_SET_H */
