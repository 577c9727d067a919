/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Registers that refuse a value are part of it. */
extern bool fuzz_inject_faults;
/* Does this Xen know XENPERFCTR_LOAD_REARM? */
extern const bool fuzz_has_rearm;
/* Say what is done. */
extern bool fuzz_verbose;

/* What has happened, or nothing was shown. */
struct fuzz_statistics {
	unsigned long sequences, actions, hypercalls, good_hypercalls, loads,
		page_loads, refused, registered, events, wraps, overflows,
		harvested, interrupts, resumes, rearms, throttled, storms,
		switches, toggles, policies, revoked, vpmu, resets, lost,
		all_faults;
	unsigned int faults; /* of this sequence, before this action */
};
extern struct fuzz_statistics fuzz_done;

/* One input.  Does not return if anything is not as it should be. */
void fuzz_sequence(const uint8_t *data, size_t size);

#endif /* TESTS_FUZZ_H */
