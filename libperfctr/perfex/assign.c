// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which counter counts which event.  Those with the least choice come first:
 * pinned by the user, only on a fixed counter, better on a fixed counter (it
 * leaves a general one free), only on general counters; then codes that could
 * go to either.  Within a step: the user's order, lowest free counter.
 */

#include <stdio.h>

#include "perfex.h"

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
		"too many events: %u of %u have no counter left; this guest has %d general counters%s",
		left, nr, general,
		info->fixed
			? ", and fixed ones for instructions, cycles and ref-cycles"
			: "");
}

int assign_counters(struct event *events, unsigned int nr,
		    const struct perfctr_dev_info *info,
		    struct message *message)
{
	struct counters free = {info->general, info->fixed};
	unsigned int i;
	char name[16];

	for (i = 0; i < nr; i++) {
		struct event *event = &events[i];

		event->index = NO_COUNTER;
		if (event->pinned == NO_COUNTER)
			continue;
		if (event->pinned & PERFCTR_INDEX_FIXED
			    ? event->pinned != event->fixed
			    : event->fixed_only)
			return complain(
				message, "%s: %s can't count that event",
				event->name, counter_name(event->pinned, name));
		if (!take(&free, event->pinned))
			return complain(
				message,
				"%s: counter %s is taken by another event, or this guest does not have it (perfex -i)",
				event->name, counter_name(event->pinned, name));
		event->index = event->pinned;
	}

	for (i = 0; i < nr; i++) {
		struct event *event = &events[i];

		if (event->index != NO_COUNTER || !event->fixed_only)
			continue;
		if (!take_fixed(&free, event))
			return complain(
				message,
				"%s: only fixed counter %s counts that, and it is taken by another event, or this guest does not have it (perfex -i)",
				event->name, counter_name(event->fixed, name));
	}
	for (i = 0; i < nr; i++)
		if (events[i].index == NO_COUNTER && !events[i].by_code)
			take_fixed(&free, &events[i]);
	for (i = 0; i < nr; i++)
		if (events[i].index == NO_COUNTER &&
		    !is_free(&free, events[i].fixed))
			take_general(&free, &events[i]);
	for (i = 0; i < nr; i++)
		if (events[i].index == NO_COUNTER)
			if (!take_general(&free, &events[i]))
				take_fixed(&free, &events[i]);

	for (i = 0; i < nr; i++)
		if (events[i].index == NO_COUNTER)
			return too_many(events, nr, info, message);
	return 0;
}
