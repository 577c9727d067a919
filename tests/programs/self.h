/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that count themselves through libperfctr. */
#ifndef TESTS_SELF_H
#define TESTS_SELF_H

#include "codes.h"
#include "libperfctr.h"
#include "regions.h"

/* Counters of this thread, one event; or the program ends with status 1. */
struct vperfctr *self_open(uint32_t index, uint32_t code);

/*
 * Events of entry 0 between two reads around region->run(n).  For all regions
 * the same code, so that what it adds is the same, too.
 */
uint64_t self_measure(const struct vperfctr *self, const struct region *region,
		      uint64_t n, void *memory);

/* The least of @times measurements. */
uint64_t self_least(const struct vperfctr *self, const struct region *region,
		    uint64_t n, unsigned int times);

/* An option -e EVENT[@INDEX]: names of parse_event(), or a code. */
struct event_option {
	const char *name;
	uint32_t index;
	uint32_t code;
	enum count count; /* NR_COUNTS: not one with known counts */
};

/*
 * Takes it from argv[1], argv[2], if it is there, else instructions in general
 * counter 0; @argc and @argv then begin at the next.
 */
void event_option(struct event_option *event, int *argc, char ***argv);

#endif /* TESTS_SELF_H */
