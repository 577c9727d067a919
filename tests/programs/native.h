/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own perf, for programs that count without Xen. */
#ifndef NATIVE_H
#define NATIVE_H

#include <linux/perf_event.h>
#include <stdint.h>

/*
 * Counts event select @code in user mode.  Never by turns: if it has no counter,
 * what is read of it is too short.
 */
static inline struct perf_event_attr native_event(uint64_t code)
{
	return (struct perf_event_attr){
		.size = sizeof(struct perf_event_attr),
		.type = PERF_TYPE_RAW,
		.config = code,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.pinned = 1,
	};
}

#endif
