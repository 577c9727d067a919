/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions: code of known counts (regions.S), and those counts.
 *
 * A count is per_iteration * n + once, beyond that of region "empty", whose
 * counts are zero.  So whoever measures a region measures "empty" in the same
 * way and subtracts: what the measuring itself adds, and the call, is gone.
 */
#ifndef TESTS_REGIONS_H
#define TESTS_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum count { INSTRUCTIONS, BRANCHES, COND_BRANCHES, LOADS, STORES, NR_COUNTS };

extern const char *const count_names[NR_COUNTS];

struct region {
	const char *name;
	const char *what; /* one iteration */
	void (*run)(uint64_t n, void *memory);
	uint64_t memory_per_n; /* bytes that it needs for each n */
	uint64_t memory_once;
	bool fresh; /* wants memory that was never touched */
	struct {
		int32_t per_iteration;
		int32_t once; /* UNKNOWN: manuals don't say */
	} counts[NR_COUNTS];
};

#define UNKNOWN INT32_MIN

extern const struct region regions[]; /* ends with a name of NULL */

const struct region *find_region(const char *name);

/* false: unknown.  @n >= 1 */
bool expected_count(const struct region *region, enum count count, uint64_t n,
		    uint64_t *expected);

/* One after the other: a program as long as one likes, of known counts. */
struct step {
	uint64_t n;
	void *memory;
	void (*run)(uint64_t n, void *memory);
};

/* @n >= 1, @steps: struct step[@n] */
void region_sequence(uint64_t n, void *steps);

/*
 * Adds to counts[] what a step of @n times @region does in a sequence; and what
 * a sequence does besides its steps.  A count that is UNKNOWN adds nothing.
 */
void add_step(uint64_t counts[NR_COUNTS], const struct region *region,
	      uint64_t n);
void add_sequence(uint64_t counts[NR_COUNTS]);

/*
 * Memory for it: all there, or, for a region that wants it fresh, no page of it;
 * ends the program if there is none.
 */
void *region_memory(const struct region *region, uint64_t n);
void region_memory_free(const struct region *region, uint64_t n, void *memory);

/* A whole number, or the program ends with status 2. */
uint64_t parse_number(const char *text);

#endif /* TESTS_REGIONS_H */
