// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which of the events that the user asked for are counted.  One that is written
 * wrong ends it; one that there is, but not for this CPU or guest, is set apart
 * and said to be so beside the counts of the others.
 */

#include <string.h>

#include "perfex.h"

/* What is counted without -e, as far as it is there and has room. */
static const char *const default_events[] = {"instructions", "cycles",
					     "branches"};

static void choose_default_events(struct chosen *chosen, const struct cpu *cpu,
				  const struct perfctr_dev_info *info)
{
	struct event *events = chosen->events;
	struct message ignored;
	unsigned int i, nr = 0;

	for (i = 0; i < sizeof(default_events) / sizeof(*default_events); i++)
		if (!event_resolve(&events[nr], default_events[i], cpu, info,
				   &ignored) &&
		    !event_check(&events[nr], info, &ignored) &&
		    assign_counters(events, nr + 1, info, false, &ignored) > 0)
			nr++;
	/* A failed attempt may have moved the others. */
	assign_counters(events, nr, info, false, &ignored);
	chosen->nr = nr;
}

static void set_apart(struct chosen *chosen, const char *name,
		      const struct message *why)
{
	struct unsupported *unsupported =
		&chosen->unsupported[chosen->nr_unsupported++];

	/* As long as an event's at most. */
	memccpy(unsupported->name, name, '\0', sizeof(unsupported->name));
	unsupported->why = *why;
}

/* Those that are left. */
static int assign(struct chosen *chosen, const struct options *options,
		  const struct perfctr_dev_info *info, struct message *message)
{
	if (!chosen->nr) {
		*message = chosen->unsupported[0].why;
		return -1;
	}
	return assign_counters(chosen->events, chosen->nr, info,
			       options->multiplex, message) < 0
		       ? -1
		       : 0;
}

int choose_counted(struct chosen *chosen, const struct options *options,
		   const struct cpu *cpu, const struct perfctr_dev_info *info,
		   struct message *message)
{
	unsigned int i;

	memset(chosen, 0, sizeof(*chosen));
	if (!options->nr_events) {
		choose_default_events(chosen, cpu, info);
		return 0;
	}
	for (i = 0; i < options->nr_events; i++) {
		struct event *event = &chosen->events[chosen->nr];
		int error = event_resolve(event, options->event_texts[i], cpu,
					  info, message);

		if (!error)
			error = event_check(event, info, message);
		if (error == EVENT_UNSUPPORTED) {
			set_apart(chosen, options->event_texts[i], message);
			continue;
		}
		if (error)
			return -1;
		event->group = options->event_groups[i];
		chosen->nr++;
	}
	return assign(chosen, options, info, message);
}

int choose_without(struct chosen *chosen, unsigned int i,
		   const struct options *options,
		   const struct perfctr_dev_info *info,
		   const struct message *why, struct message *message)
{
	set_apart(chosen, chosen->events[i].name, why);
	chosen->nr--;
	memmove(&chosen->events[i], &chosen->events[i + 1],
		(chosen->nr - i) * sizeof(chosen->events[0]));
	return assign(chosen, options, info, message);
}

void control_of(struct perfctr_dev_control *control,
		const struct options *options, const struct chosen *chosen,
		uint32_t flags)
{
	unsigned int i;
	bool turns = false;

	memset(control, 0, sizeof(*control));
	control->nr = chosen->nr;
	control->flags = PERFCTR_CTL_TSC_ON | flags;
	for (i = 0; i < chosen->nr; i++) {
		struct perfctr_dev_counter *counter = &control->counter[i];
		const struct event *event = &chosen->events[i];

		counter->index = event->index;
		counter->flags = PERFCTR_COUNTER_SLOT(event->slot);
		counter->evtsel = event->evtsel;
		/* A fixed counter has no event to select. */
		if (event->index & PERFCTR_INDEX_FIXED)
			counter->evtsel &= EVTSEL_USR | EVTSEL_OS;
		if (event->host)
			counter->flags |= PERFCTR_COUNTER_HOST;
		if (event->slot)
			turns = true;
	}
	/* With one slot there is nothing to slice. */
	if (turns)
		control->slice_us = options->slice_us;
}
