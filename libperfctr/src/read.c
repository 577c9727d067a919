// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Reading in user mode.
 *
 *	count = sum + ((RDPMC(index) - start) mod 2^width)
 *
 * with sum, start and index from the thread's page.  The kernel changes the
 * page only while the thread is not in user mode, and then changes the
 * sequence number too, so a read is right if the number is the same before and
 * after; otherwise the thread was switched out in between and reads again.
 *
 * All ordering here is between instructions of one thread and the interrupts
 * that it takes, on whatever CPU it is at the time: interrupts are precise,
 * and a switch to another CPU is a full barrier in the kernel.  So nothing but
 * the compiler has to be kept from moving loads, and no fence instruction is
 * needed.
 *
 * The fast path of each function is one straight line; whatever is not the
 * usual case (stopped, switched out just now, ended, no such counter) goes to
 * an out-of-line function.
 */

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <perfctr_arith.h>

#include "internal.h"
#include "rdpmc.h"

#define likely(x) __builtin_expect(!!(x), 1)
/*
 * Not even cloned with other parameters: so the fast path leaves its own
 * parameters where they are and jumps.
 */
#if defined(__GNUC__) && !defined(__clang__)
#define OUT_OF_LINE __attribute__((noipa, cold))
#else
#define OUT_OF_LINE __attribute__((noinline, cold))
#endif

/* So many switches during one read mean trouble: the kernel is asked then. */
#define RETRIES 16

/* The compiler moves no access to memory across this. */
#define barrier() __asm__ __volatile__("" ::: "memory")

/*
 * The start of a read.  The barrier keeps the loads of index, sum and start
 * after that of the sequence number; it pairs with the module's store to
 * @sequence before it changes them (and with the one after, for the next
 * round).
 */
static inline uint32_t read_begin(const struct perfctr_page *page)
{
	uint32_t sequence = page->sequence;

	barrier();
	return sequence;
}

/*
 * The end: were index, sum, start and the counter of one time?  The barrier
 * keeps their loads and RDPMC before the second load of the sequence number;
 * it pairs with the module's store to @sequence after its changes.
 */
static inline int read_valid(const struct perfctr_page *page, uint32_t sequence)
{
	barrier();
	return likely(page->sequence == sequence);
}

/* A counter that runs as @index; its stopped count is its sum. */
static inline uint64_t running_count(const struct perfctr_page_counter *counter,
				     uint32_t index)
{
	uint64_t now = rdpmc(index);

	return perfctr_count(counter->sum, now, counter->start, counter->mask);
}

/*
 * Entry @i, known to be below "nr": 32-bit arithmetic is enough and saves the
 * instruction that extends @i.
 */
static inline const struct perfctr_page_counter *
counter_at(const struct perfctr_page *page, uint32_t i)
{
	uint32_t offset = i * (uint32_t)sizeof(page->counter[0]);

	return (const void *)((const char *)page->counter + offset);
}

static inline uint64_t any_count(const struct perfctr_page_counter *counter)
{
	int32_t index = counter->index;

	return index < 0 ? counter->sum
			 : running_count(counter, (uint32_t)index);
}

static inline uint64_t tsc_count(const struct perfctr_page *page)
{
	return page->tsc_running ? page->tsc_sum + rdtsc() - page->tsc_start
				 : page->tsc_sum;
}

/* The kernel's answer; all zero if it has none. */
static void ask_kernel(const struct vperfctr *self,
		       struct perfctr_dev_sums *sums)
{
	int error = errno;

	if (perfctr_device_read(self->fd, sums) < 0)
		memset(sums, 0, sizeof(*sums));
	errno = error;
}

static OUT_OF_LINE unsigned long long
read_pmc_again(const struct vperfctr *self, unsigned int i)
{
	const struct perfctr_page *page = &self->page;
	struct perfctr_dev_sums sums;
	unsigned int try;

	for (try = 0; try < RETRIES; try++) {
		uint32_t sequence = read_begin(page);
		uint64_t count = i < page->nr && i < PERFCTR_MAX_COUNTERS
					 ? any_count(&page->counter[i])
					 : 0;

		if (read_valid(page, sequence))
			return count;
	}
	ask_kernel(self, &sums);
	return i < sums.nr && i < PERFCTR_MAX_COUNTERS ? sums.pmc[i] : 0;
}

unsigned long long vperfctr_read_pmc(const struct vperfctr *self,
				     unsigned int i)
{
	const struct perfctr_page *page = &self->page;
	uint32_t sequence = read_begin(page);

	if (likely(i < page->nr)) {
		const struct perfctr_page_counter *counter =
			counter_at(page, i);
		int32_t index = counter->index;

		if (likely(index >= 0)) {
			uint64_t count =
				running_count(counter, (uint32_t)index);

			if (read_valid(page, sequence))
				return count;
		}
	}
	return read_pmc_again(self, i);
}

unsigned long long vperfctr_read_tsc(const struct vperfctr *self)
{
	const struct perfctr_page *page = &self->page;
	struct perfctr_dev_sums sums;
	unsigned int try;

	for (try = 0; try < RETRIES; try++) {
		uint32_t sequence = read_begin(page);
		uint64_t count = tsc_count(page);

		if (read_valid(page, sequence))
			return count;
	}
	ask_kernel(self, &sums);
	return sums.tsc;
}

static OUT_OF_LINE int read_ctrs_again(const struct vperfctr *self,
				       struct perfctr_sum_ctrs *to)
{
	const struct perfctr_page *page = &self->page;
	struct perfctr_dev_sums sums;
	unsigned int try, i, nr;
	int error;

	for (try = 0; try < RETRIES; try++) {
		uint32_t sequence = read_begin(page);

		nr = page->nr;
		if (nr > PERFCTR_MAX_PMCS)
			nr = PERFCTR_MAX_PMCS;
		to->tsc = tsc_count(page);
		for (i = 0; i < nr; i++)
			to->pmc[i] = any_count(&page->counter[i]);
		error = page->status & PERFCTR_STATUS_ERROR ? page->error : 0;
		if (read_valid(page, sequence))
			goto out;
	}
	if (perfctr_device_read(self->fd, &sums) < 0)
		return -1;
	to->tsc = sums.tsc;
	for (i = 0; i < sums.nr && i < PERFCTR_MAX_PMCS; i++)
		to->pmc[i] = sums.pmc[i];
	error = sums.status & PERFCTR_STATUS_ERROR ? sums.error : 0;
out:
	if (!error)
		return 0;
	errno = error < 0 ? -error : EIO;
	return -1;
}

/*
 * All counts of a set whose @nr counters and TSC run, which "all_running" says;
 * where @nr is a constant, without a loop.  Counters that wait for their slot,
 * or run without the TSC, are read_ctrs_again()'s, which looks at each.
 */
static inline __attribute__((always_inline)) int
read_ctrs_nr(const struct vperfctr *self, struct perfctr_sum_ctrs *to,
	     uint32_t sequence, unsigned int nr)
{
	const struct perfctr_page *page = &self->page;
	unsigned int i;

	to->tsc = rdtsc() - page->tsc_start + page->tsc_sum;
#pragma GCC unroll 4
	for (i = 0; i < nr; i++)
		to->pmc[i] = running_count(&page->counter[i],
					   (uint32_t)page->counter[i].index);
	return read_valid(page, sequence) ? 0 : read_ctrs_again(self, to);
}

static __attribute__((noinline)) int
read_other_ctrs(const struct vperfctr *self, struct perfctr_sum_ctrs *to)
{
	uint32_t sequence = read_begin(&self->page);
	uint32_t nr = self->page.all_running;

	switch (nr) {
	case 0:
		return read_ctrs_again(self, to);
	case 1:
		return read_ctrs_nr(self, to, sequence, 1);
	case 2:
		return read_ctrs_nr(self, to, sequence, 2);
	case 3:
		return read_ctrs_nr(self, to, sequence, 3);
	default:
		return nr <= PERFCTR_MAX_PMCS
			       ? read_ctrs_nr(self, to, sequence, nr)
			       : read_ctrs_again(self, to);
	}
}

/* Four is what most PMUs have, and its cost has a limit of 50 instructions. */
int vperfctr_read_ctrs(const struct vperfctr *self, struct perfctr_sum_ctrs *to)
{
	uint32_t sequence = read_begin(&self->page);

	return likely(self->page.all_running == 4)
		       ? read_ctrs_nr(self, to, sequence, 4)
		       : read_other_ctrs(self, to);
}

unsigned long long vperfctr_read_stolen(const struct vperfctr *self)
{
	/* One value, so of one time by itself. */
	barrier();
	return self->page.tsc_stolen;
}

int vperfctr_is_running(const struct vperfctr *self)
{
	barrier();
	return !!(self->page.status & PERFCTR_STATUS_RUNNING);
}
