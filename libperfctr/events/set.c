// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A set of events: from its list to counters of the calling thread, and their
 * counts.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "set.h"

const struct wording wording = {
	.list = "",
	.turns = "PERFCTR_EVENTS_TURNS",
	.no_groups = "not possible here",
	.no_interrupt = "these events are counted, not sampled",
	.alone = false,
};

/* ---------------------------------- errors ------------------------------- */

static __thread struct message message;

struct message *last_error(void)
{
	return &message;
}

unsigned long this_thread(void)
{
	static unsigned long last;
	static __thread unsigned long number;

	/* An address would do until a thread ends and another has its stack. */
	if (!number)
		number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	return number;
}

const char *perfctr_events_error(void)
{
	return *message.text ? message.text : "no error";
}

int failed(int error)
{
	errno = error;
	return -1;
}

int failed_below(int error)
{
	complain(&message, "%s", perfctr_strerror(error));
	return failed(error);
}

int check_owner(const struct perfctr_events *events)
{
	const struct perfctr_page *page = &events->self->page;

	/* The child of a fork() has its parent's number, but not its page. */
	if (events->owner == this_thread() &&
	    !(page->status & PERFCTR_STATUS_ERROR && page->error == -ESRCH))
		return 0;
	complain(
		&message,
		"these events are another thread's, which has opened them: each thread opens its own, or inherits (PERFCTR_EVENTS_INHERIT)");
	return failed(EPERM);
}

/* ---------------------------------- opening ------------------------------ */

/*
 * libpfm4 does not lock.  Recursive, as who is shown an event by
 * perfctr_events_list() may ask about it.
 */
static pthread_mutex_t names_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

struct list {
	char *text[PERFCTR_MAX_PMCS];
	unsigned int group[PERFCTR_MAX_PMCS];
	unsigned int nr;
};

static int resolve_list(struct perfctr_events *events, const struct list *list,
			const struct perfctr_dev_info *info)
{
	struct cpu cpu;
	unsigned int i;

	cpu_identify(&cpu);
	names_initialize(cpu.vendor);
	for (i = 0; i < list->nr; i++) {
		struct event *event = &events->event[i];
		int error = event_resolve(event, list->text[i], &cpu, info,
					  &message);

		if (!error)
			error = event_check(event, info, &message);
		if (error)
			return failed(error == EVENT_UNSUPPORTED ? EOPNOTSUPP
								 : EINVAL);
		event->group = list->group[i];
	}
	events->nr = list->nr;
	return 0;
}

static int resolve(struct perfctr_events *events, const char *text,
		   const struct perfctr_dev_info *info)
{
	struct list list = {.nr = 0};
	int result;

	if (events_add(list.text, list.group, &list.nr, PERFCTR_MAX_PMCS, text,
		       &message) < 0) {
		result = failed(EINVAL);
	} else {
		pthread_mutex_lock(&names_lock);
		result = resolve_list(events, &list, info);
		pthread_mutex_unlock(&names_lock);
	}
	while (list.nr)
		free(list.text[--list.nr]);
	return result;
}

static void make_control(struct perfctr_events *events, unsigned int flags)
{
	struct vperfctr_group_control *group = &events->control;
	struct perfctr_cpu_control *cpu = &group->control.cpu_control;
	unsigned int i;

	if (flags & PERFCTR_EVENTS_INHERIT)
		group->flags = VPERFCTR_GROUP_INHERIT;
	cpu->tsc_on = 1;
	cpu->nractrs = events->nr;
	for (i = 0; i < events->nr; i++) {
		const struct event *event = &events->event[i];
		uint64_t evtsel = event->evtsel;

		/* A fixed counter has no event to select. */
		if (event->index & PERFCTR_INDEX_FIXED)
			evtsel &= EVTSEL_USR | EVTSEL_OS;
		cpu->pmc_map[i] = event->index;
		cpu->evntsel[i] = (uint32_t)evtsel | PERFCTR_EVNTSEL_EN;
		cpu->evntsel_high[i] = (uint32_t)(evtsel >> 32);
		if (event->host)
			group->host |= 1u << i;
		group->slot[i] = event->slot;
	}
}

static int get_info(struct perfctr_dev_info *info)
{
	int fd = perfctr_device_open(), result;

	if (fd < 0) {
		result = errno;
		explain_open(result, &message);
		return failed(result);
	}
	result = perfctr_device_info(fd, info);
	perfctr_close_failed(fd);
	return result < 0 ? failed_below(errno) : 0;
}

struct trial {
	const struct vperfctr_group_control *control;
	unsigned int nr;
	unsigned int denied; /* out: the first such event; @nr: unknown */
};

/* One event at a time: which one does the host's policy deny? */
static void *try_each(void *arg)
{
	struct trial *trial = arg;
	const struct perfctr_cpu_control *all =
		&trial->control->control.cpu_control;
	struct vperfctr *self = vperfctr_open();
	unsigned int i;

	trial->denied = trial->nr;
	if (!self)
		return NULL;
	for (i = 0; i < trial->nr && trial->denied == trial->nr; i++) {
		struct vperfctr_group_control group = {.flags = 0};
		struct perfctr_cpu_control *one = &group.control.cpu_control;

		one->nractrs = 1;
		one->pmc_map[0] = all->pmc_map[i];
		one->evntsel[0] = all->evntsel[i];
		one->evntsel_high[0] = all->evntsel_high[i];
		group.host = trial->control->host >> i & 1;
		if (vperfctr_control_group(self, &group) < 0 && errno == EACCES)
			trial->denied = i;
	}
	vperfctr_unlink(self);
	vperfctr_close(self);
	return NULL;
}

/*
 * By counters of a thread that is made for it: ours have counts, which stay when
 * a control fails as a whole.
 */
static int explain_which(const struct perfctr_events *events)
{
	struct trial trial = {
		.control = &events->control,
		.nr = events->nr,
		.denied = events->nr,
	};
	sigset_t all, before;
	pthread_t thread;

	/* The program's signals are not for that one. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (!pthread_create(&thread, NULL, try_each, &trial))
		pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (trial.denied == trial.nr)
		return failed_below(EACCES);
	explain_denied(&events->event[trial.denied], &message);
	return failed(EACCES);
}

/* From the list to the control; without counters. */
static int plan(struct perfctr_events *events, const char *list,
		unsigned int flags)
{
	const unsigned int known = PERFCTR_EVENTS_INHERIT |
				   PERFCTR_EVENTS_TURNS |
				   PERFCTR_EVENTS_STOPPED;
	struct perfctr_dev_info info;
	int slots;

	if (flags & ~known) {
		complain(&message, "there are no flags 0x%x", flags & ~known);
		return failed(EINVAL);
	}
	if (get_info(&info) < 0 || resolve(events, list, &info) < 0)
		return -1;
	slots = assign_counters(events->event, events->nr, &info,
				flags & PERFCTR_EVENTS_TURNS, &message);
	if (slots < 0)
		return failed(ENOSPC);
	events->turns = slots > 1;
	events->tsc_khz = info.tsc_khz;
	make_control(events, flags);
	return 0;
}

static int open_counters(struct perfctr_events *events)
{
	events->self = vperfctr_open();
	if (events->self)
		return 0;
	if (errno != EEXIST)
		return failed_below(errno);
	complain(
		&message,
		"this thread has counters already: it counts, or is counted by perfex or the like; one set at a time, with all the events");
	return failed(EEXIST);
}

static int set_up(struct perfctr_events *events, const char *list,
		  unsigned int flags)
{
	struct vperfctr_control nothing = {.flags = 0};

	events->owner = this_thread();
	if (plan(events, list, flags) < 0 || open_counters(events) < 0)
		return -1;
	/* Also where it shall not run yet: so that errors are found here. */
	if (vperfctr_control_group(events->self, &events->control) < 0)
		return errno == EACCES ? explain_which(events)
				       : failed_below(errno);
	events->running = !(flags & PERFCTR_EVENTS_STOPPED);
	events->fresh = !events->running;
	if (events->fresh && vperfctr_control(events->self, &nothing) < 0)
		return failed_below(errno);
	return 0;
}

struct perfctr_events *perfctr_events_open(const char *list, unsigned int flags)
{
	struct perfctr_events *events = calloc(1, sizeof(*events));
	int error;

	if (!events) {
		failed_below(ENOMEM);
		return NULL;
	}
	events->end = &events->first;
	if (!set_up(events, list, flags))
		return events;
	error = errno;
	perfctr_events_close(events);
	errno = error;
	return NULL;
}

void perfctr_events_close(struct perfctr_events *events)
{
	if (!events)
		return;
	if (events->self) {
		/* In the child of a fork() they are not there to be ended. */
		vperfctr_unlink(events->self);
		vperfctr_close(events->self);
	}
	regions_free(events);
	free(events);
}

int perfctr_events_control(const char *list, unsigned int flags,
			   struct vperfctr_group_control *control)
{
	struct perfctr_events events = {.nr = 0};

	if (plan(&events, list, flags) < 0)
		return -1;
	if (control)
		*control = events.control;
	return 0;
}

/* ----------------------------- what there is ----------------------------- */

unsigned int perfctr_events_nr(const struct perfctr_events *events)
{
	return events->nr;
}

const char *perfctr_events_name(const struct perfctr_events *events,
				unsigned int i)
{
	return i < events->nr ? events->event[i].name : NULL;
}

const struct vperfctr *
perfctr_events_handle(const struct perfctr_events *events)
{
	return events->self;
}

int perfctr_events_list(int (*visit)(const char *name, const char *description,
				     void *data),
			void *data)
{
	const char *name, *description;
	struct perfctr_dev_info info;
	unsigned int i = 0;
	struct cpu cpu;
	uint64_t code;
	int result = 0;

	if (get_info(&info) < 0)
		return -1;
	cpu_identify(&cpu);
	pthread_mutex_lock(&names_lock);
	names_initialize(cpu.vendor);
	while (!result &&
	       alias_next(&i, &cpu, &info, &name, &description, &code))
		result = visit(name, description, data);
	if (!result)
		result = names_visit(visit, data);
	pthread_mutex_unlock(&names_lock);
	return result;
}

const char *perfctr_events_pmu(void)
{
	const char *name;
	struct cpu cpu;

	cpu_identify(&cpu);
	pthread_mutex_lock(&names_lock);
	names_initialize(cpu.vendor);
	name = names_pmu();
	pthread_mutex_unlock(&names_lock);
	return name;
}

/* ------------------------------ stop and go ------------------------------ */

int perfctr_events_stop(struct perfctr_events *events)
{
	if (check_owner(events) < 0)
		return -1;
	if (events->begun) {
		complain(
			&message,
			"a region has begun and not ended (%u of them): its counts would have a gap",
			events->begun);
		return failed(EBUSY);
	}
	if (!events->running)
		return 0;
	if (vperfctr_stop(events->self) < 0)
		return failed_below(errno);
	events->running = false;
	return 0;
}

int perfctr_events_start(struct perfctr_events *events)
{
	if (check_owner(events) < 0)
		return -1;
	if (events->running)
		return 0;
	events->control.control.preserve =
		events->fresh ? 0 : (1u << events->nr) - 1;
	if (vperfctr_control_group(events->self, &events->control) < 0)
		return errno == EACCES ? explain_which(events)
				       : failed_below(errno);
	events->fresh = false;
	events->running = true;
	return 0;
}

/* --------------------------------- counts -------------------------------- */

unsigned long long perfctr_events_count(const struct perfctr_events *events,
					unsigned int i)
{
	return vperfctr_read_pmc(events->self, i);
}

int perfctr_events_read(const struct perfctr_events *events,
			struct vperfctr_sums *sums)
{
	struct perfctr_sum_ctrs counts = {.tsc = 0};
	unsigned int i;
	int result;

	if (check_owner(events) < 0)
		return -1;
	if (events->turns) {
		result = vperfctr_read_sums(events->self, sums);
		return result < 0 ? failed_below(errno) : 0;
	}
	result = vperfctr_read_ctrs(events->self, &counts);
	memset(sums, 0, sizeof(*sums));
	sums->nr = events->nr;
	sums->tsc = counts.tsc;
	sums->stolen = vperfctr_read_stolen(events->self);
	for (i = 0; i < events->nr; i++) {
		sums->pmc[i] = counts.pmc[i];
		sums->loaded[i] = counts.tsc;
	}
	return result < 0 ? failed_below(errno) : 0;
}

int perfctr_events_read_all(const struct perfctr_events *events,
			    struct vperfctr_group_sums *sums)
{
	if (check_owner(events) < 0)
		return -1;
	return vperfctr_read_group(events->self, sums) < 0 ? failed_below(errno)
							   : 0;
}
