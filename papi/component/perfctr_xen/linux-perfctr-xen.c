// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A component of PAPI, 7.0 and later: the hardware counters of a Xen guest's
 * threads, by libperfctr and libperfctr-events.
 *
 * An event is what perfctr_events_open(3) takes: a common name, libpfm4's, or a
 * code.  An EventSet becomes one control when events are added; it is in force
 * from PAPI_start() to PAPI_stop().  Events that sample (PAPI_overflow(),
 * PAPI_profil()) are moved behind the others there, as libperfctr wants it, so
 * "entry" says which entry of the control an event is.
 *
 * An event keeps its position in the EventSet until it is removed: PAPI tells
 * the EventSet's events of their positions when one is added, not when one is
 * removed.  So there can be positions without an event.
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "papi.h"
#include "papi_internal.h"
#include "papi_vector.h"
#include "papi_memory.h"
#include "extras.h"

#include <perfctr_events.h>

#define MAX_EVENTS PERFCTR_MAX_PMCS
#define SLICE_US   4000

papi_vector_t _perfctr_xen_vector;

static int our_cidx;

/* PAPI's opaque types, as they are for us */
struct context {
	struct vperfctr *self; /* from the thread's first start on */
};

struct control {
	struct vperfctr_group_control group;
	struct context *running;        /* in that thread; NULL: stopped */
	struct rvperfctr *other;        /* attached to that thread, or NULL */
	int event[MAX_EVENTS];          /* code, or 0: none; by position */
	unsigned int entry[MAX_EVENTS]; /* in "group" */
	int period[MAX_EVENTS];         /* 0: it does not sample */
	struct vperfctr_sums base;      /* what PAPI_reset() has taken off */
	long long count[MAX_EVENTS];    /* what was read last */
	int domain;
	int inherit, turns;
};

/* ---------------------------------- errors ------------------------------- */

static int papi_error(int error)
{
	switch (error) {
	case 0:
		return PAPI_OK;
	case EINVAL:
	case EOPNOTSUPP:
		return PAPI_ENOEVNT;
	case ENOSPC:
	case EEXIST:
	case EBUSY:
		return PAPI_ECNFLCT;
	case EPERM:
	case EACCES:
		return PAPI_EPERM;
	case ENOMEM:
		return PAPI_ENOMEM;
	case ESRCH:
		return PAPI_ENOEVST;
	default:
		return PAPI_ESYS;
	}
}

/* ---------------------------------- events ------------------------------- */

/* An event's code is its index; they are never taken away.  0 is none: PAPI's. */
struct native {
	char *name, *description;
	int papi_code; /* PAPI's code for this one; 0: not known yet */
	int mask;      /* an event with a unit mask, of the last one without */
	int found;     /* by its name; not listed */
};

static struct native *natives;
static unsigned int nr_natives, room;
/* PAPI's own locks are not there before its threads are. */
static pthread_mutex_t natives_lock = PTHREAD_MUTEX_INITIALIZER;

/* Returns the code, or -1. */
static int add_native(const char *name, const char *description, int mask,
		      int found)
{
	struct native *native;

	if (nr_natives == room) {
		unsigned int more = room ? 2 * room : 256;

		native = realloc(natives, more * sizeof(*natives));
		if (!native)
			return -1;
		natives = native;
		room = more;
	}
	native = &natives[nr_natives];
	native->papi_code = 0;
	native->name = strdup(name);
	native->description = strdup(description);
	native->mask = mask;
	native->found = found;
	if (native->name && native->description)
		return (int)nr_natives++;
	free(native->name);
	free(native->description);
	return -1;
}

static int list_native(const char *name, const char *description, void *data)
{
	(void)data;
	return add_native(name, description, strchr(name, ':') != NULL, 0) < 0
		       ? ENOMEM
		       : 0;
}

static void free_natives(void)
{
	while (nr_natives) {
		nr_natives--;
		free(natives[nr_natives].name);
		free(natives[nr_natives].description);
	}
	free(natives);
	natives = NULL;
	room = 0;
}

static int find_native(const char *name)
{
	unsigned int i;

	for (i = 1; i < nr_natives; i++)
		if (!strcmp(natives[i].name, name))
			return (int)i;
	return -1;
}

static int name_to_code(const char *name, unsigned int *code)
{
	int found, result = PAPI_OK;

	pthread_mutex_lock(&natives_lock);
	found = find_native(name);
	if (found < 0) {
		/* Unit masks together, modes, codes: nobody lists them all. */
		if (strchr(name, ',') || strpbrk(name, "{}") ||
		    perfctr_events_control(name, 0, NULL) < 0)
			result = PAPI_ENOEVNT;
		else if ((found = add_native(name, "as it is written", 0, 1)) <
			 0)
			result = PAPI_ENOMEM;
	}
	pthread_mutex_unlock(&natives_lock);
	if (found >= 0)
		*code = (unsigned int)found;
	return result;
}

/* Which of the strings, 0: the name.  PAPI wants it truncated, not missing. */
static int copy_text(unsigned int code, int which, char *text, int length)
{
	int result = PAPI_OK;

	pthread_mutex_lock(&natives_lock);
	if (!code || code >= nr_natives || length <= 0)
		result = PAPI_ENOEVNT;
	else
		snprintf(text, (size_t)length, "%s",
			 which ? natives[code].description
			       : natives[code].name);
	pthread_mutex_unlock(&natives_lock);
	return result;
}

static int code_to_name(unsigned int code, char *name, int length)
{
	return copy_text(code, 0, name, length);
}

static int code_to_description(unsigned int code, char *description, int length)
{
	return copy_text(code, 1, description, length);
}

/* From @from on the first that is listed, or that is a mask of the one before. */
static int next_native(unsigned int from, int masks, unsigned int *code)
{
	int result = PAPI_ENOEVNT;
	unsigned int i;

	pthread_mutex_lock(&natives_lock);
	for (i = from; i < nr_natives; i++) {
		if (natives[i].found || (masks && !natives[i].mask))
			break;
		if (natives[i].mask != masks)
			continue;
		*code = i;
		result = PAPI_OK;
		break;
	}
	pthread_mutex_unlock(&natives_lock);
	return result;
}

static int enumerate(unsigned int *code, int modifier)
{
	switch (modifier) {
	case PAPI_ENUM_FIRST:
		return next_native(1, 0, code);
	case PAPI_ENUM_EVENTS:
		return next_native(*code + 1, 0, code);
	case PAPI_NTV_ENUM_UMASKS:
		return next_native(*code + 1, 1, code);
	default:
		return PAPI_ENOIMPL;
	}
}

/* ---------------------------------- control ------------------------------ */

/* "u", "uk", "u=1": attributes of libpfm4, and of perfex */
static int is_mode(const char *text, size_t length)
{
	size_t letters = strspn(text, "ukhUKH");

	return letters && (letters == length ||
			   (letters < length && text[letters] == '='));
}

/* Does the name itself say in which mode is counted? */
static int has_mode(const char *name)
{
	size_t length = strcspn(name, ":");

	while (name[length]) {
		name += length + 1;
		length = strcspn(name, ":");
		if (is_mode(name, length))
			return 1;
	}
	return 0;
}

/* PAPI's own strings are shorter than some names with all of their masks. */
#define NAME_SIZE 512

static int add_name(char *list, size_t size, const struct control *control,
		    unsigned int i)
{
	int result, mode, domain = control->domain;
	size_t used = strlen(list);
	char name[NAME_SIZE];

	result = code_to_name((unsigned int)control->event[i], name,
			      sizeof(name));
	if (result != PAPI_OK)
		return result;
	mode = !has_mode(name);
	result = snprintf(list + used, size - used, "%s%s%s%s%s",
			  used ? "," : "", name,
			  mode && domain & PAPI_DOM_USER ? ":u" : "",
			  mode && domain & PAPI_DOM_KERNEL ? ":k" : "",
			  mode && domain & PAPI_DOM_SUPERVISOR ? ":h" : "");
	return result < (int)(size - used) ? PAPI_OK : PAPI_EBUF;
}

/* Those that sample go behind the others.  @all: without what has no event. */
static void sort_entries(struct control *control,
			 const struct vperfctr_group_control *all)
{
	struct vperfctr_group_control *to = &control->group;
	struct perfctr_cpu_control *cpu = &to->control.cpu_control;
	const struct perfctr_cpu_control *from = &all->control.cpu_control;
	unsigned int i, nr, at = 0;
	int samples;

	*to = *all;
	/*
	 * A program that is executed does not know of it, nor of its signal.
	 * What children execute shall be counted, if that is asked for.
	 */
	if (!control->inherit)
		to->control.flags = VPERFCTR_CONTROL_CLOEXEC;
	to->host = 0;
	cpu->nractrs = cpu->nrictrs = 0;
	for (samples = 0; samples < 2; samples++) {
		for (i = 0, nr = 0; i < MAX_EVENTS; i++) {
			unsigned int k = nr;

			if (!control->event[i])
				continue;
			nr++;
			if (!control->period[i] == samples)
				continue;
			cpu->pmc_map[at] = from->pmc_map[k];
			cpu->evntsel[at] = from->evntsel[k];
			cpu->evntsel_high[at] = from->evntsel_high[k];
			cpu->ireset[at] = -control->period[i];
			to->slot[at] = all->slot[k];
			/* As often as Linux's perf: a program may be short. */
			if (all->slot[k])
				to->slice_us = SLICE_US;
			to->host |= (all->host >> k & 1) << at;
			if (samples) {
				cpu->evntsel[at] |= PERFCTR_EVNTSEL_INT;
				cpu->nrictrs++;
			} else {
				cpu->nractrs++;
			}
			control->entry[i] = at++;
		}
	}
	if (cpu->nrictrs)
		to->control.si_signo =
			_perfctr_xen_vector.cmp_info.hardware_intr_sig;
}

static int make_control(struct control *control)
{
	char list[MAX_EVENTS * (NAME_SIZE + 8)] = "";
	struct vperfctr_group_control all;
	unsigned int i, nr = 0, flags = 0;
	int result;

	for (i = 0; i < MAX_EVENTS; i++) {
		if (!control->event[i])
			continue;
		result = add_name(list, sizeof(list), control, i);
		if (result != PAPI_OK)
			return result;
		nr++;
	}
	if (!nr)
		return PAPI_OK;
	if (control->inherit)
		flags |= PERFCTR_EVENTS_INHERIT;
	if (control->turns)
		flags |= PERFCTR_EVENTS_TURNS;
	if (perfctr_events_control(list, flags, &all) < 0)
		return papi_error(errno);
	/* What acts on another thread is libperfctr's plain control. */
	for (i = 0; control->other && i < nr; i++)
		if (all.slot[i] || all.host || all.flags)
			return PAPI_ECMP;
	sort_entries(control, &all);
	return PAPI_OK;
}

static int init_control_state(hwd_control_state_t *state)
{
	struct control *control = state;

	memset(control, 0, sizeof(*control));
	control->domain = _perfctr_xen_vector.cmp_info.default_domain;
	return PAPI_OK;
}

/* Of the event @code, or of none (0): the first without; or -1. */
static int position_of(const struct control *control, int code)
{
	int i;

	for (i = 0; i < MAX_EVENTS; i++)
		if (control->event[i] == code)
			return i;
	return -1;
}

/* What is not in @native any more gives its position back. */
static void remove_others(struct control *control, const NativeInfo_t *native,
			  int count)
{
	int i, k;

	for (i = 0; i < MAX_EVENTS; i++) {
		for (k = 0; k < count; k++)
			if (native[k].ni_event == control->event[i])
				break;
		if (k < count)
			continue;
		control->event[i] = 0;
		control->period[i] = 0;
	}
}

/*
 * PAPI (7.0 to 7.2 at least) moves an entry of @native to where one was removed
 * but for its ni_papi_code, and takes it for the removed event from then on.
 * An entry is right when its event is new in the EventSet.
 */
static void repair_code(NativeInfo_t *entry)
{
	pthread_mutex_lock(&natives_lock);
	if (!natives[entry->ni_event].papi_code)
		natives[entry->ni_event].papi_code = entry->ni_papi_code;
	entry->ni_papi_code = natives[entry->ni_event].papi_code;
	pthread_mutex_unlock(&natives_lock);
}

static int update_control_state(hwd_control_state_t *state,
				NativeInfo_t *native, int count,
				hwd_context_t *context)
{
	struct control *control = state, before = *control;
	int i, position, result;

	(void)context;
	if (count > MAX_EVENTS)
		return PAPI_ECNFLCT;
	remove_others(control, native, count);
	for (i = 0; i < count; i++) {
		position = position_of(control, native[i].ni_event);
		if (position < 0)
			position = position_of(control, 0);
		control->event[position] = native[i].ni_event;
		native[i].ni_position = position;
		repair_code(&native[i]);
	}
	result = make_control(control);
	if (result != PAPI_OK)
		*control = before;
	return result;
}

/* A member of the control that makes another one of it. */
static int change(struct control *control, int *member, int value)
{
	int before = *member, result;

	*member = value;
	result = make_control(control);
	if (result != PAPI_OK)
		*member = before;
	return result;
}

static int set_domain(hwd_control_state_t *state, int domain)
{
	struct control *control = state;
	int available = _perfctr_xen_vector.cmp_info.available_domains;

	if (!domain || domain & ~available)
		return PAPI_EINVAL;
	return change(control, &control->domain, domain);
}

/* By itself, or by another tool; EPROTO: more than our structures can say. */
static int is_counting(const struct rvperfctr *other)
{
	struct vperfctr_control control;

	if (rvperfctr_read_state(other, NULL, &control) < 0)
		return errno == EPROTO;
	return control.cpu_control.nractrs || control.cpu_control.nrictrs ||
	       control.cpu_control.tsc_on;
}

static int attach(struct control *control, unsigned long tid)
{
	struct rvperfctr *other = rvperfctr_open((int)tid);
	int result;

	if (!other)
		return errno == ESRCH ? PAPI_EINVAL : papi_error(errno);
	if (is_counting(other)) {
		rvperfctr_close(other);
		return PAPI_ECNFLCT;
	}
	rvperfctr_close(control->other);
	control->other = other;
	result = make_control(control);
	if (result == PAPI_OK)
		return PAPI_OK;
	rvperfctr_unlink(other);
	rvperfctr_close(other);
	control->other = NULL;
	return result;
}

static int detach(struct control *control)
{
	if (!control->other)
		return PAPI_EINVAL;
	rvperfctr_unlink(control->other);
	rvperfctr_close(control->other);
	control->other = NULL;
	return PAPI_OK;
}

static int ctl(hwd_context_t *context, int code, _papi_int_option_t *option)
{
	struct control *control;

	(void)context;
	switch (code) {
	case PAPI_MULTIPLEX:
		control = option->multiplex.ESI->ctl_state;
		return change(control, &control->turns, 1);
	case PAPI_INHERIT:
		control = option->inherit.ESI->ctl_state;
		return change(control, &control->inherit,
			      option->inherit.inherit != 0);
	case PAPI_DOMAIN:
		return set_domain(option->domain.ESI->ctl_state,
				  option->domain.domain);
	case PAPI_ATTACH:
		return attach(option->attach.ESI->ctl_state,
			      option->attach.tid);
	case PAPI_DETACH:
		return detach(option->attach.ESI->ctl_state);
	case PAPI_GRANUL:
		return option->granularity.granularity == PAPI_GRN_THR
			       ? PAPI_OK
			       : PAPI_ECMP;
	case PAPI_DEF_ITIMER:
	case PAPI_DEF_ITIMER_NS:
		return PAPI_OK;
	default:
		return PAPI_ENOSUPP;
	}
}

static int cleanup_eventset(hwd_control_state_t *state)
{
	struct control *control = state;

	if (control->other)
		detach(control);
	return init_control_state(control);
}

/* ---------------------------------- counting ----------------------------- */

static int init_thread(hwd_context_t *context)
{
	((struct context *)context)->self = NULL;
	return PAPI_OK;
}

static int shutdown_thread(hwd_context_t *context)
{
	struct context *thread = context;

	if (thread->self) {
		vperfctr_unlink(thread->self);
		vperfctr_close(thread->self);
		thread->self = NULL;
	}
	return PAPI_OK;
}

static int start(hwd_context_t *context, hwd_control_state_t *state)
{
	struct context *thread = context;
	struct control *control = state;

	memset(&control->base, 0, sizeof(control->base));
	if (control->other) {
		if (rvperfctr_control(control->other, &control->group.control) <
		    0)
			return papi_error(errno);
		control->running = thread;
		return PAPI_OK;
	}
	if (!thread->self)
		thread->self = vperfctr_open();
	if (!thread->self ||
	    vperfctr_control_group(thread->self, &control->group) < 0)
		return papi_error(errno);
	control->running = thread;
	return PAPI_OK;
}

static int stop(hwd_context_t *context, hwd_control_state_t *state)
{
	struct context *thread = context;
	struct control *control = state;
	int result;

	control->running = NULL;
	result = control->other ? rvperfctr_stop(control->other)
				: vperfctr_stop(thread->self);
	/* Another thread that has ended counts no more, either. */
	if (result < 0 && !(control->other && errno == ENOENT))
		return papi_error(errno);
	return PAPI_OK;
}

/* Through the kernel: the group's, or for how long each was counted. */
static int read_sums(struct context *thread, const struct control *control,
		     struct vperfctr_sums *sums)
{
	struct vperfctr_group_sums group;

	if (!control->inherit)
		return vperfctr_read_sums(thread->self, sums) < 0
			       ? papi_error(errno)
			       : PAPI_OK;
	if (vperfctr_read_group(thread->self, &group) < 0)
		return papi_error(errno);
	*sums = group.sums;
	return PAPI_OK;
}

/* Of the control's entries, since PAPI_start(). */
static int read_all(struct context *thread, const struct control *control,
		    struct vperfctr_sums *sums)
{
	struct perfctr_sum_ctrs counts;
	int result;

	if (control->turns || control->inherit)
		return read_sums(thread, control, sums);
	memset(&counts, 0, sizeof(counts));
	result = control->other ? rvperfctr_read_ctrs(control->other, &counts)
				: vperfctr_read_ctrs(thread->self, &counts);
	if (result < 0)
		return papi_error(errno);
	memcpy(sums->pmc, counts.pmc, sizeof(sums->pmc));
	return PAPI_OK;
}

static int read_counts(hwd_context_t *context, hwd_control_state_t *state,
		       long long **counts, int flags)
{
	struct control *control = state;
	struct vperfctr_sums sums = {.tsc = 0};
	unsigned int i;
	int result;

	(void)flags;
	result = read_all(context, control, &sums);
	if (result != PAPI_OK)
		return result;
	sums.tsc -= control->base.tsc;
	for (i = 0; i < MAX_EVENTS; i++) {
		sums.pmc[i] -= control->base.pmc[i];
		sums.loaded[i] -= control->base.loaded[i];
	}
	/* An estimate is of the time since the reset, from that time. */
	for (i = 0; i < MAX_EVENTS; i++) {
		unsigned int entry = control->entry[i];

		if (!control->event[i])
			continue;
		control->count[i] =
			(long long)(control->turns
					    ? vperfctr_estimate(&sums, entry)
					    : sums.pmc[entry]);
	}
	*counts = control->count;
	return PAPI_OK;
}

static int reset(hwd_context_t *context, hwd_control_state_t *state)
{
	struct control *control = state;

	memset(control->count, 0, sizeof(control->count));
	if (control->running)
		return read_all(context, control, &control->base);
	memset(&control->base, 0, sizeof(control->base));
	return PAPI_OK;
}

/* ---------------------------------- samples ------------------------------ */

/* The entries' bits of libperfctr as bits of the EventSet's positions */
static long long overflowed(const struct control *control, unsigned int entries)
{
	long long events = 0;
	unsigned int i;

	for (i = 0; i < MAX_EVENTS; i++)
		if (control->period[i] && entries >> control->entry[i] & 1)
			events |= 1LL << i;
	return events;
}

/*
 * An overflow, after which the thread stays suspended until it is resumed here;
 * or a tick of the timer with which PAPI looks for overflows by itself.
 */
static void dispatch_timer(int signal, hwd_siginfo_t *info, void *ucontext)
{
	_papi_hwi_context_t hardware = {.si = info, .ucontext = ucontext};
	vptr_t at =
		(vptr_t)((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
	siginfo_t *siginfo = (siginfo_t *)info;
	ThreadInfo_t *thread;
	EventSetInfo_t *set;
	struct control *control;
	struct context *context;

	(void)signal;
	thread = _papi_hwi_lookup_thread(0);
	set = thread ? thread->running_eventset[our_cidx] : NULL;
	if (!set || set->CmpIdx != our_cidx)
		return;
	if (set->overflow.flags & PAPI_OVERFLOW_FORCE_SW) {
		_papi_hwi_dispatch_overflow_signal(&hardware, at, NULL, 0, 0,
						   &thread, our_cidx);
		return;
	}
	control = set->ctl_state;
	context = control->running;
	if (siginfo->si_code != SI_PMC_OVF || !context || !context->self)
		return;
	_papi_hwi_dispatch_overflow_signal(
		&hardware, at, NULL,
		overflowed(control, (unsigned int)siginfo->si_pmc_ovf_mask), 0,
		&thread, our_cidx);
	/* The handler may have stopped it: then there is nothing to resume. */
	if (control->running)
		vperfctr_iresume(context->self);
}

static int set_overflow(EventSetInfo_t *set, int index, int threshold)
{
	struct control *control = set->ctl_state;
	int position = set->EventInfoArray[index].pos[0];
	int signal = _perfctr_xen_vector.cmp_info.hardware_intr_sig;
	unsigned int i, sampling = 0;
	int result;

	if (position < 0 || position >= MAX_EVENTS ||
	    !control->event[position] ||
	    (!threshold && !control->period[position]))
		return PAPI_EINVAL;
	/* Its signal would come to the other thread. */
	if (control->other)
		return PAPI_ECMP;
	result = change(control, &control->period[position], threshold);
	if (result != PAPI_OK)
		return result;
	for (i = 0; i < MAX_EVENTS; i++)
		sampling += control->period[i] != 0;
	if (threshold)
		return _papi_hwi_start_signal(signal, NEED_CONTEXT, our_cidx);
	return sampling ? PAPI_OK : _papi_hwi_stop_signal(signal);
}

static int stop_profiling(ThreadInfo_t *thread, EventSetInfo_t *set)
{
	(void)thread;
	(void)set;
	/* Nothing is kept back: each sample was given at once. */
	return PAPI_OK;
}

/* ---------------------------------- the component ------------------------ */

static int disabled(int cidx, int result, const char *why)
{
	PAPI_component_info_t *info = &_papi_hwd[cidx]->cmp_info;

	snprintf(info->disabled_reason, sizeof(info->disabled_reason), "%s",
		 why);
	info->disabled = result;
	return result;
}

/*
 * From 7.2 on presets have numbers by component, and the first ones are the
 * CPU's: "not there" unless a component is called perf_event.  They are ours.
 */
extern int pe_disabled __attribute__((weak));

/*
 * PAPI notes in its thread what event it looks up, but has no thread yet when it
 * initializes components, but for those that are called perf_event.  And it asks
 * all components for an event that this one does not have, also those whose
 * turn to be initialized has not come.
 */
static void load_presets(const char *pmu, int cidx)
{
	ThreadInfo_t stand_in, *before = _papi_hwi_my_thread;
	int components = papi_num_components;

	if (&pe_disabled)
		pe_disabled = 0;
	memset(&stand_in, 0, sizeof(stand_in));
	_papi_hwi_my_thread = &stand_in;
	papi_num_components = cidx + 1;
	/* A CPU that the table does not have: native events only. */
	_papi_load_preset_table((char *)pmu, 0, cidx);
	papi_num_components = components;
	_papi_hwi_my_thread = before;
}

static int init_component(int cidx)
{
	PAPI_component_info_t *info = &_papi_hwd[cidx]->cmp_info;
	struct perfctr_info counters;
	const char *pmu;

	our_cidx = cidx;
	info->CmpIdx = cidx;
	if (add_native("", "", 0, 1) < 0)
		return disabled(cidx, PAPI_ENOMEM, "no memory");
	/* Its error says what is missing, and what to do. */
	if (perfctr_events_list(list_native, NULL) != 0)
		return disabled(cidx, PAPI_ECMP, perfctr_events_error());
	if (perfctr_get_info(&counters) < 0)
		return disabled(cidx, PAPI_ECMP, perfctr_strerror(errno));

	info->num_native_events = (int)nr_natives - 1;
	info->num_cntrs = (int)perfctr_info_nrctrs(&counters);
	if (info->num_cntrs > MAX_EVENTS)
		info->num_cntrs = MAX_EVENTS;
	info->num_mpx_cntrs = MAX_EVENTS;
	snprintf(info->support_version, sizeof(info->support_version), "%u.%u",
		 counters.abi_version >> 24, counters.abi_version >> 16 & 0xff);
	snprintf(info->kernel_version, sizeof(info->kernel_version), "%s",
		 counters.driver_version);
	if (counters.cpu_features & PERFCTR_FEATURE_PCINT) {
		info->hardware_intr = 1;
		info->hardware_intr_sig = SIGRTMIN + 3;
	}
	/* Where user and kernel can't be told apart there is one domain only. */
	if (!perfctr_events_control("instructions:k", 0, NULL))
		info->available_domains |= PAPI_DOM_KERNEL;
	if (!perfctr_events_control("instructions:h", 0, NULL))
		info->available_domains |= PAPI_DOM_SUPERVISOR;

	pmu = perfctr_events_pmu();
	if (pmu) {
		info->pmu_names[0] = strdup(pmu);
		load_presets(pmu, cidx);
	}
	info->disabled = PAPI_OK;
	return PAPI_OK;
}

static int shutdown_component(void)
{
	free_natives();
	return PAPI_OK;
}

papi_vector_t _perfctr_xen_vector = {
	.cmp_info =
		{
			.name = "perfctr_xen",
			.short_name = "perfctr",
			.version = "1.0",
			.description =
				"Hardware counters of a Xen guest's threads",
			.default_domain = PAPI_DOM_USER,
			.available_domains = PAPI_DOM_USER,
			.default_granularity = PAPI_GRN_THR,
			.available_granularities = PAPI_GRN_THR,
			.num_mpx_cntrs = MAX_EVENTS,
			.kernel_multiplex = 1,
			.fast_counter_read = 1,
			.fast_real_timer = 1,
			.attach = 1,
			/* Not for us, but who attaches counts on it that all do. */
			.attach_must_ptrace = 1,
			.cntr_umasks = 1,
			.inherit = 1,
		},
	.size =
		{
			.context = sizeof(struct context),
			.control_state = sizeof(struct control),
			.reg_value = sizeof(int),
			.reg_alloc = sizeof(int),
		},
	.init_component = init_component,
	.shutdown_component = shutdown_component,
	.init_thread = init_thread,
	.shutdown_thread = shutdown_thread,
	.init_control_state = init_control_state,
	.update_control_state = update_control_state,
	.cleanup_eventset = cleanup_eventset,
	.ctl = ctl,
	.set_domain = set_domain,
	.start = start,
	.stop = stop,
	.read = read_counts,
	.reset = reset,
	.dispatch_timer = dispatch_timer,
	.set_overflow = set_overflow,
	.stop_profiling = stop_profiling,
	.ntv_enum_events = enumerate,
	.ntv_name_to_code = name_to_code,
	.ntv_code_to_name = code_to_name,
	.ntv_code_to_descr = code_to_description,
};
