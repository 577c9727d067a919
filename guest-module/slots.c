// SPDX-License-Identifier: GPL-2.0-only
/*
 * Multiplexing: more events than counters.
 *
 * The counters of a control belong to slots; one slot's are loaded at a time.
 * A slot has its turn for a slice of the thread's own running time, the
 * virtual TSC: time in which the thread or its vCPU does not run is nobody's.
 * What a turn has had is kept over switches, so a thread that always sleeps
 * before its slice is over still changes slots.  A turn that lasted too long,
 * as timers are late, is a debt: the slot's next turns are shorter, or are left
 * out if it owes more than one.  So each slot has had the same, but for what it
 * owes at the moment.
 *
 * The turn changes where the thread is folded (timers, IPIs) or started, never
 * when it is switched out: then nobody needs the next slot yet.
 */
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include <asm/tsc.h>

#include "perfctr.h"

static unsigned int slot_of(const struct perfctr_dev_control *control,
			    unsigned int i)
{
	return PERFCTR_COUNTER_SLOT_OF(control->counter[i].flags);
}

static unsigned int nr_slots(const struct perfctr_dev_control *control)
{
	unsigned int i, n = 0;
	u32 any = 0;

	for (i = 0; i < control->nr; i++)
		any |= control->counter[i].flags;
	if (likely(!PERFCTR_COUNTER_SLOT_OF(any)))
		return 1;
	for (i = 0; i < control->nr; i++)
		n = max(n, slot_of(control, i));
	return n + 1;
}

/* Of a control whose counters are all right one by one.  Sets @s->slots. */
int perfctr_slots_check(struct perfctr_setup *s)
{
	const struct perfctr_dev_control *control = &s->control;
	const unsigned int n = nr_slots(control);
	unsigned int i, used = 0;

	s->slots = n;
	if (n == 1)
		return control->slice_us ? -EINVAL : 0;
	for (i = 0; i < control->nr; i++)
		used |= 1u << slot_of(control, i);
	if (used != (1u << n) - 1)
		return -EINVAL;
	if (control->slice_us &&
	    (control->slice_us < 100 || control->slice_us > 1000000))
		return -EINVAL;
	return 0;
}

/* What a control that samples has besides.  Each overflow a whole period off. */
static noinline void load_periods(struct perfctr_setup *s)
{
	bool any = false, user_only = true;
	unsigned int i;

	s->load.flags |= XENPERFCTR_LOAD_LEFT;
	for (i = 0; i < s->load.nr; i++) {
		const s64 ireset = s->control.counter[s->map[i]].ireset;

		if (s->load.counter[i].evtsel & XENPERFCTR_EVTSEL_OS ||
		    s->load.counter[i].flags & XENPERFCTR_COUNTER_HOST)
			user_only = false;
		s->load.left[i] = 0;
		if (!ireset)
			continue;
		s->load.counter[i].flags |= XENPERFCTR_COUNTER_SAMPLING;
		s->load.counter[i].period = -ireset;
		any = true;
	}
	/* Of other slots' Xen knows nothing. */
	s->may_rearm = any && user_only;
}

/* Make @s->load what @slot counts. */
void perfctr_slots_load(struct perfctr_setup *s, unsigned int slot)
{
	const struct perfctr_dev_control *control = &s->control;
	struct xen_perfctr_load *load = &s->load;
	unsigned int i, n = 0;

	for (i = 0; i < control->nr; i++) {
		const struct perfctr_dev_counter *from = &control->counter[i];
		struct xen_perfctr_counter *to = &load->counter[n];

		if (s->slots > 1 && slot_of(control, i) != slot)
			continue;
		to->index = from->index;
		to->flags = from->flags & PERFCTR_COUNTER_HOST ?
			XENPERFCTR_COUNTER_HOST : 0;
		to->evtsel = from->evtsel;
		to->period = 0;
		s->map[n++] = i;
	}
	load->nr = n;
	load->flags = s->tsc ? XENPERFCTR_LOAD_STOLEN : 0;
	s->slot = slot;
	if (unlikely(s->sampling))
		load_periods(s);
}

/* From @s->control, checked, all the rest. */
void perfctr_slots_setup(struct perfctr_setup *s)
{
	s->tsc = s->slots > 1 || s->control.flags & PERFCTR_CTL_TSC_ON;
	s->slice = s->slots > 1 ?
		div_u64((u64)(s->control.slice_us ?: PERFCTR_SLICE_US) * tsc_khz,
			1000) : 0;
	perfctr_slots_load(s, 0);
}

static void new_turn(struct perfctr_thread *t)
{
	/* Half a turn at least: one that is too short is only hypercalls. */
	u64 repaid = min(t->debt[t->setup.slot], t->setup.slice / 2);

	t->debt[t->setup.slot] -= repaid;
	t->turn = t->setup.slice - repaid;
	t->used = 0;
}

void perfctr_slots_reset(struct perfctr_thread *t)
{
	memset(t->debt, 0, sizeof(t->debt));
	new_turn(t);
}

/* @t has run for this long since it was last started or folded. */
void perfctr_slots_account(struct perfctr_thread *t, u64 ticks)
{
	unsigned int i;

	t->used += ticks;
	for (i = 0; i < t->setup.load.nr; i++)
		t->loaded[t->setup.map[i]] += ticks;
}

bool perfctr_slots_due(const struct perfctr_thread *t)
{
	return t->used >= t->turn;
}

/* Ticks of the present turn that are left: none when it is another's. */
u64 perfctr_slots_left(const struct perfctr_thread *t)
{
	return perfctr_slots_due(t) ? 0 : t->turn - t->used;
}

void perfctr_slots_next(struct perfctr_thread *t)
{
	struct perfctr_setup *s = &t->setup;
	unsigned int i, slot = s->slot;
	u64 least = U64_MAX;

	t->debt[slot] += t->used - t->turn;
	/* What all of them owe nobody does: one owes nothing, so this ends. */
	for (i = 0; i < s->slots; i++)
		least = min(least, t->debt[i]);
	for (i = 0; i < s->slots; i++)
		t->debt[i] -= least;
	for (;;) {
		slot = slot + 1 < s->slots ? slot + 1 : 0;
		if (t->debt[slot] < s->slice)
			break;
		t->debt[slot] -= s->slice;
	}
	/* It may be the same one's turn again, which costs nothing. */
	if (slot != s->slot)
		perfctr_slots_load(s, slot);
	new_turn(t);
}
