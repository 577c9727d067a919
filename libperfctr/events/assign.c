// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which counter counts which event, and when.  Events that don't fit at once
 * take turns: each, in the user's order, joins the first slot in which there is
 * a counter for it besides those that are there; so neighbours stay together,
 * and can be compared.  The events of a group join a slot together or not at
 * all.
 *
 * Within a slot those with the least choice come first:
 * pinned by the user, only on a fixed counter, better on a fixed counter (it
 * leaves a general one free), only on general counters; then codes that could
 * go to either.  Within a step: the user's order, lowest free counter.
 */

#include <stdio.h>

#include "resolve.h"

struct counters {
	uint64_t general; /* free ones */
	uint64_t fixed;
};

const char *counter_name(uint32_t index, char name[16])
{
	if (index & PERFCTR_INDEX_FIXED)
		snprintf(name, 16, "fixed%u",
			 (index & ~PERFCTR_INDEX_FIXED) % 100000);
	else
		snprintf(name, 16, "pmc%u", index % 100000);
	return name;
}

static bool is_free(const struct counters *free, uint32_t index)
{
	uint64_t set =
		index & PERFCTR_INDEX_FIXED ? free->fixed : free->general;
	uint32_t n = index & ~PERFCTR_INDEX_FIXED;

	return index != NO_COUNTER && n < 64 && (set >> n & 1);
}

/* Take it: false if it is taken, or does not exist. */
static bool take(struct counters *free, uint32_t index)
{
	if (!is_free(free, index))
		return false;
	*(index & PERFCTR_INDEX_FIXED ? &free->fixed : &free->general) &=
		~(UINT64_C(1) << (index & ~PERFCTR_INDEX_FIXED));
	return true;
}

static bool take_fixed(struct counters *free, struct event *event)
{
	if (!take(free, event->fixed))
		return false;
	event->index = event->fixed;
	return true;
}

static bool take_general(struct counters *free, struct event *event)
{
	if (!free->general)
		return false;
	event->index = (uint32_t)__builtin_ctzll(free->general);
	return take(free, event->index);
}

static bool exists(const struct perfctr_dev_info *info, uint32_t index)
{
	struct counters all = {info->general, info->fixed};

	return is_free(&all, index);
}

static int too_many(const struct event *events, unsigned int nr,
		    const struct perfctr_dev_info *info,
		    struct message *message)
{
	int general = __builtin_popcountll(info->general);
	unsigned int i, left = 0;

	for (i = 0; i < nr; i++)
		left += events[i].index == NO_COUNTER;
	return complain(
		message,
		"too many events: %u of %u have no counter left; this guest has %d general counters%s; with %s they take turns",
		left, nr, general,
		info->fixed
			? ", and fixed ones for instructions, cycles and ref-cycles"
			: "",
		wording.turns);
}

static int taken(const struct event *event, uint32_t index,
		 const struct perfctr_dev_info *info, struct message *message)
{
	char name[16];

	counter_name(index, name);
	if (exists(info, index))
		return complain(
			message,
			"%s: counter %s is taken by another event; with %s they take turns",
			event->name, name, wording.turns);
	return complain(
		message,
		"%s: this guest does not have counter %s (perfex -i shows which it has)",
		event->name, name);
}

/* The event's own choice, if it has one, must be possible at all. */
static int check_pinned(const struct event *event, struct message *message)
{
	char name[16];

	if (event->pinned == NO_COUNTER ||
	    (event->pinned & PERFCTR_INDEX_FIXED ? event->pinned == event->fixed
						 : !event->fixed_only))
		return 0;
	return complain(message, "%s: %s can't count that event", event->name,
			counter_name(event->pinned, name));
}

/* Of that slot, and without a counter yet. */
static bool waits(const struct event *event, uint32_t slot)
{
	return event->slot == slot && event->index == NO_COUNTER;
}

/* Of the @nr events those of @slot.  Returns 0, or -1 with @message. */
static int assign_slot(struct event *events, unsigned int nr, uint32_t slot,
		       const struct perfctr_dev_info *info,
		       struct message *message)
{
	struct counters free = {info->general, info->fixed};
	const struct event *end = events + nr;
	struct event *event;

	for (event = events; event < end; event++)
		if (event->slot == slot)
			event->index = NO_COUNTER;

	for (event = events; event < end; event++) {
		if (!waits(event, slot) || event->pinned == NO_COUNTER)
			continue;
		if (!take(&free, event->pinned))
			return taken(event, event->pinned, info, message);
		event->index = event->pinned;
	}
	for (event = events; event < end; event++)
		if (waits(event, slot) && event->fixed_only &&
		    !take_fixed(&free, event))
			return taken(event, event->fixed, info, message);
	for (event = events; event < end; event++)
		if (waits(event, slot) && !event->by_code)
			take_fixed(&free, event);
	for (event = events; event < end; event++)
		if (waits(event, slot) && !is_free(&free, event->fixed))
			take_general(&free, event);
	for (event = events; event < end; event++)
		if (waits(event, slot) && !take_general(&free, event))
			take_fixed(&free, event);
	for (event = events; event < end; event++)
		if (waits(event, slot))
			return too_many(events, nr, info, message);
	return 0;
}

/* Of the group of event @i, or of it alone. */
static bool together(const struct event *event, const struct event *events,
		     unsigned int i)
{
	return event == &events[i] ||
	       (event->group && event->group == events[i].group);
}

static void move_group(struct event *events, unsigned int nr, unsigned int i,
		       uint32_t slot)
{
	unsigned int other;

	for (other = 0; other < nr; other++)
		if (together(&events[other], events, i))
			events[other].slot = slot;
}

static bool first_of_group(const struct event *events, unsigned int i)
{
	unsigned int other;

	for (other = 0; other < i; other++)
		if (together(&events[other], events, i))
			return false;
	return true;
}

/* Nobody's yet. */
#define NO_SLOT UINT32_MAX

static int no_slot_left(const struct event *event, struct message *message)
{
	return complain(
		message,
		"%s: too many events: even in %d turns there is no counter left for it",
		event->name, PERFCTR_MAX_SLOTS);
}

/*
 * Event @i, with its group, does not fit into a slot of its own.  @message says
 * why; but where each alone would, it is the group that is too large.
 */
static int no_fit(const struct event *events, unsigned int nr, unsigned int i,
		  const struct perfctr_dev_info *info, struct message *message)
{
	unsigned int other, size = 0;
	struct message ignored;

	for (other = 0; other < nr; other++) {
		struct event alone = events[other];

		if (!together(&events[other], events, i))
			continue;
		alone.slot = 0;
		if (assign_slot(&alone, 1, 0, info, &ignored) < 0)
			return -1;
		size++;
	}
	return size < 2
		       ? -1
		       : complain(
				 message,
				 "%s and the others of its group have no counter each at the same time, as they have to: they are %u, and this guest has %d general counters (perfex -i); make the group smaller",
				 events[i].name, size,
				 __builtin_popcountll(info->general));
}

int assign_counters(struct event *events, unsigned int nr,
		    const struct perfctr_dev_info *info, bool multiplex,
		    struct message *message)
{
	unsigned int i;
	uint32_t slot, slots = 1;

	for (i = 0; i < nr; i++) {
		if (check_pinned(&events[i], message) < 0)
			return -1;
		events[i].slot = multiplex ? NO_SLOT : 0;
	}
	if (!multiplex)
		return assign_slot(events, nr, 0, info, message) < 0 ? -1 : 1;

	for (i = 0; i < nr; i++) {
		if (!first_of_group(events, i))
			continue;
		for (slot = 0; slot <= slots; slot++) {
			move_group(events, nr, i, slot);
			if (!assign_slot(events, nr, slot, info, message))
				break;
			/* Alone in its slot, and even that fails. */
			if (slot == slots || !i)
				return no_fit(events, nr, i, info, message);
		}
		if (slot < slots)
			continue;
		if (slots == PERFCTR_MAX_SLOTS)
			return no_slot_left(&events[i], message);
		slots++;
	}
	/* A failed attempt may have moved the others of its slot. */
	for (slot = 0; slot < slots; slot++)
		assign_slot(events, nr, slot, info, message);
	return (int)slots;
}
