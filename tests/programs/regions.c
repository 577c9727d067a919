// SPDX-License-Identifier: GPL-2.0-or-later

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "regions.h"

const char *const count_names[NR_COUNTS] = {
	"instructions", "branches", "cond-branches", "loads", "stores",
};

void region_empty(uint64_t n, void *memory);
void region_loop(uint64_t n, void *memory);
void region_branches(uint64_t n, void *memory);
void region_loads(uint64_t n, void *memory);
void region_stores(uint64_t n, void *memory);
void region_updates(uint64_t n, void *memory);
void region_calls(uint64_t n, void *memory);
void region_rep(uint64_t n, void *memory);
void region_touch(uint64_t n, void *memory);
void region_syscalls(uint64_t n, void *memory);

/* Counts in the order of enum count: {per iteration, once} */
/* clang-format off */
const struct region regions[] = {
	{.name = "empty", .run = region_empty, .what = "nothing",
	 .counts = {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}}},
	{.name = "loop", .run = region_loop, .what = "dec, jnz",
	 .counts = {{2, 1}, {1, 0}, {1, 0}, {0, 0}, {0, 0}}},
	{.name = "branches", .run = region_branches,
	 .what = "jmp, jz (not taken), jnz",
	 .counts = {{5, 1}, {3, 0}, {2, 0}, {0, 0}, {0, 0}}},
	{.name = "loads", .run = region_loads, .what = "four loads, jnz",
	 .memory_once = 64,
	 .counts = {{6, 1}, {1, 0}, {1, 0}, {4, 0}, {0, 0}}},
	{.name = "stores", .run = region_stores, .what = "four stores, jnz",
	 .memory_once = 64,
	 .counts = {{6, 1}, {1, 0}, {1, 0}, {0, 0}, {4, 0}}},
	{.name = "updates", .run = region_updates,
	 .what = "inc of memory, push, pop, jnz", .memory_once = 64,
	 .counts = {{5, 1}, {1, 0}, {1, 0}, {2, 0}, {2, 0}}},
	{.name = "calls", .run = region_calls, .what = "call, ret, jnz",
	 .counts = {{4, 1}, {3, 0}, {1, 0}, {1, 0}, {1, 0}}},
	/* A REP instruction retires once, and touches memory n times. */
	{.name = "rep", .run = region_rep,
	 .what = "one iteration of REP STOSB, one of REP MOVSB",
	 .memory_per_n = 1,
	 .counts = {{0, 10}, {0, 0}, {0, 0}, {1, 0}, {2, 0}}},
	{.name = "touch", .run = region_touch,
	 .what = "a store to a new page, jnz",
	 .memory_per_n = 4096, .fresh = true,
	 .counts = {{4, 1}, {1, 0}, {1, 0}, {0, 0}, {1, 0}}},
	/* Whether SYSCALL is a branch differs from CPU to CPU. */
	{.name = "syscalls", .run = region_syscalls, .what = "getpid, jnz",
	 .counts = {{4, 1}, {0, UNKNOWN}, {1, 0}, {0, 0}, {0, 0}}},
	{.name = NULL},
};
/* clang-format on */

const struct region *find_region(const char *name)
{
	const struct region *region;

	for (region = regions; region->name; region++)
		if (!strcmp(region->name, name))
			return region;
	return NULL;
}

bool expected_count(const struct region *region, enum count count, uint64_t n,
		    uint64_t *expected)
{
	if (region->counts[count].once == UNKNOWN)
		return false;
	*expected = (uint64_t)region->counts[count].per_iteration * n +
		    (uint64_t)region->counts[count].once;
	return true;
}

void add_step(uint64_t counts[NR_COUNTS], const struct region *region,
	      uint64_t n)
{
	/* Its CALL and RET are branches, the CALL through memory. */
	static const uint64_t around[NR_COUNTS] = {7, 3, 1, 4, 1};
	enum count count;

	for (count = 0; count < NR_COUNTS; count++) {
		uint64_t known;

		if (!expected_count(region, count, n, &known))
			known = 0;
		counts[count] += around[count] + known;
	}
}

void add_sequence(uint64_t counts[NR_COUNTS])
{
	static const uint64_t once[NR_COUNTS] = {6, 0, 0, 2, 2};
	enum count count;

	for (count = 0; count < NR_COUNTS; count++)
		counts[count] += once[count];
}

static size_t memory_size(const struct region *region, uint64_t n)
{
	/* Never nothing: mmap() would refuse. */
	return region->memory_per_n * n + region->memory_once + 1;
}

void *region_memory(const struct region *region, uint64_t n)
{
	size_t size = memory_size(region, n);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS |
				    (region->fresh ? 0 : MAP_POPULATE),
			    -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	/* One page fault for each page, not one for each huge page. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	return memory;
}

void region_memory_free(const struct region *region, uint64_t n, void *memory)
{
	munmap(memory, memory_size(region, n));
}

uint64_t parse_number(const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno) {
		fprintf(stderr, "not a whole number: %s\n", text);
		exit(2);
	}
	return value;
}
