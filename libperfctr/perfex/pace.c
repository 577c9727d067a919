// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What happens while it counts: counting begins after a delay, intervals end,
 * the time is up.  The clock is whoever asks.
 */

#include <string.h>

#include "perfex.h"

#define NS_PER_MS UINT64_C(1000000)

void pace_start(struct pace *pace, const struct options *options)
{
	memset(pace, 0, sizeof(*pace));
	pace->delay = options->delay_ms * NS_PER_MS;
	pace->interval = options->interval_ms * NS_PER_MS;
	pace->timeout = options->timeout_ms * NS_PER_MS;
	pace->begun = !pace->delay;
}

/* The first multiple of the interval behind the last one's end. */
static uint64_t next_interval(const struct pace *pace)
{
	uint64_t passed = (pace->shown - pace->begin) / pace->interval;

	return pace->begin + (passed + 1) * pace->interval;
}

enum due pace_due(struct pace *pace, uint64_t now)
{
	if (!pace->begun) {
		if (now < pace->delay)
			return DUE_NOTHING;
		pace->begun = true;
		pace->begin = pace->shown = now;
		return DUE_BEGIN;
	}
	if (pace->timeout && now >= pace->begin + pace->timeout)
		return DUE_TIMEOUT;
	/* One that comes so late that others are over, too, is theirs, too. */
	if (pace->interval && now >= next_interval(pace)) {
		pace->shown = now;
		return DUE_INTERVAL;
	}
	return DUE_NOTHING;
}

uint64_t pace_left(const struct pace *pace, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	if (!pace->begun)
		next = pace->delay;
	else if (pace->interval)
		next = next_interval(pace);
	if (pace->begun && pace->timeout && pace->begin + pace->timeout < next)
		next = pace->begin + pace->timeout;
	if (next == UINT64_MAX)
		return next;
	return next > now ? next - now : 0;
}
