// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The read path, on a page of our own and with an RDPMC of our own, in which
 * the thread can be "switched out".
 */

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "test.h"

#include <perfctr_arith.h>

#include "internal.h"
#include "rdpmc.h"

static struct vperfctr handle;
static struct perfctr_page *const page = &handle.page;

static uint64_t pmc[64], fixed[64], tsc;
static unsigned int rdpmcs, switches_to_come, slot_switch_at, kernel_reads;
static int kernel_error;

/* What the module does when it switches the thread out and in again. */
static void switch_thread(void)
{
	unsigned int i;

	for (i = 0; i < page->nr; i++) {
		struct perfctr_page_counter *counter = &page->counter[i];
		int32_t index = counter->index;
		uint64_t *now;

		if (index < 0)
			continue;
		now = index & (int32_t)PERFCTR_INDEX_FIXED ? &fixed[index & 63]
							   : &pmc[index];
		counter->sum = perfctr_count(counter->sum, *now, counter->start,
					     counter->mask);
		/* Another thread's events, or another CPU's counter. */
		*now = (*now * 7 + 12345) & counter->mask;
		counter->start = *now;
	}
	page->sequence++;
}

static void next_slot(void);

uint64_t rdpmc(uint32_t index)
{
	uint64_t value;

	rdpmcs++;
	value = index & PERFCTR_INDEX_FIXED ? fixed[index & 63] : pmc[index];
	if (switches_to_come) {
		switches_to_come--;
		switch_thread();
	}
	if (slot_switch_at && rdpmcs == slot_switch_at)
		next_slot();
	return value;
}

uint64_t rdtsc(void)
{
	return tsc;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct perfctr_dev_sums *sums;
	va_list arguments;
	unsigned int i;

	(void)fd;
	assert_int_equal(request, PERFCTR_IOC_READ);
	kernel_reads++;
	if (kernel_error) {
		errno = kernel_error;
		return -1;
	}
	va_start(arguments, request);
	sums = va_arg(arguments, struct perfctr_dev_sums *);
	va_end(arguments);
	memset(sums, 0, sizeof(*sums));
	sums->tsc = 777;
	sums->nr = page->nr;
	for (i = 0; i < page->nr; i++)
		sums->pmc[i] = 5000 + i;
	return 0;
}

/* @nr counters run; entry i has counted 1000 * i + 100. */
static void run_counters(unsigned int nr)
{
	unsigned int i;

	memset(&handle, 0, sizeof(handle));
	page->version = PERFCTR_ABI_VERSION_DEV;
	page->sequence = 41;
	page->nr = nr;
	page->status = PERFCTR_STATUS_RUNNING;
	page->tsc_running = 1;
	page->all_running = nr;
	page->tsc_stolen = 333;
	page->tsc_sum = 10000;
	page->tsc_start = 500;
	tsc = 600;
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++) {
		page->counter[i].index = i < nr ? (int32_t)i : -1;
		page->counter[i].mask = perfctr_width_mask(48);
		page->counter[i].sum = 1000 * i;
		/* Every other one wraps. */
		page->counter[i].start =
			i % 2 ? 200 : perfctr_width_mask(48) - 49;
		pmc[i] = i % 2 ? 300 : 50;
	}
	rdpmcs = switches_to_come = slot_switch_at = kernel_reads = 0;
	kernel_error = 0;
}

static void test_read_pmc(void **state)
{
	unsigned int i;

	(void)state;
	run_counters(6);
	for (i = 0; i < 6; i++)
		assert_int_equal(vperfctr_read_pmc(&handle, i), 1000 * i + 100);
	assert_int_equal(rdpmcs, 6);
	assert_int_equal(kernel_reads, 0);
}

static void test_read_fixed(void **state)
{
	(void)state;
	run_counters(1);
	page->counter[0].index = (int32_t)PERFCTR_INDEX_FIXED + 2;
	fixed[2] = 150;
	assert_int_equal(vperfctr_read_pmc(&handle, 0), 200);
}

static void test_no_such_counter(void **state)
{
	(void)state;
	run_counters(2);
	assert_int_equal(vperfctr_read_pmc(&handle, 2), 0);
	assert_int_equal(vperfctr_read_pmc(&handle, PERFCTR_MAX_COUNTERS), 0);
	assert_int_equal(vperfctr_read_pmc(&handle, UINT32_MAX), 0);
	assert_int_equal(rdpmcs, 0);
}

static void test_stopped(void **state)
{
	struct perfctr_sum_ctrs sums;

	(void)state;
	run_counters(2);
	assert_int_equal(vperfctr_is_running(&handle), 1);
	page->counter[0].index = page->counter[1].index = -1;
	page->counter[0].sum = 4242;
	page->tsc_running = page->all_running = 0;
	page->status = 0;
	assert_int_equal(vperfctr_is_running(&handle), 0);
	assert_int_equal(vperfctr_read_pmc(&handle, 0), 4242);
	assert_int_equal(vperfctr_read_tsc(&handle), 10000);
	assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
	assert_int_equal(sums.tsc, 10000);
	assert_int_equal(sums.pmc[0], 4242);
	assert_int_equal(sums.pmc[1], 1000);
	/* RDPMC would fault. */
	assert_int_equal(rdpmcs, 0);
	assert_int_equal(kernel_reads, 0);
}

/* A control is in force, but counts from the next exec on only. */
static void test_not_started_yet(void **state)
{
	struct perfctr_sum_ctrs sums;
	unsigned int i, nr;

	(void)state;
	for (nr = 1; nr <= 6; nr++) {
		run_counters(nr);
		page->tsc_running = page->all_running = 0;
		for (i = 0; i < nr; i++)
			page->counter[i].index = -1;
		assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
		assert_int_equal(vperfctr_read_pmc(&handle, 0), 0);
		assert_int_equal(rdpmcs, 0);
	}
}

static void test_read_tsc(void **state)
{
	(void)state;
	run_counters(0);
	assert_int_equal(vperfctr_read_tsc(&handle), 10100);
	assert_int_equal(vperfctr_read_stolen(&handle), 333);
}

/*
 * Slots: entries of one run, the others wait at their sums, whichever they
 * are; RDPMC of a counter that belongs to another entry now would be wrong.
 */
static void test_slots(void **state)
{
	struct perfctr_sum_ctrs sums;
	unsigned int nr, mask, i;

	(void)state;
	for (nr = 1; nr <= 6; nr++)
		for (mask = 0; mask < 1u << nr; mask++) {
			unsigned int running = 0;

			run_counters(nr);
			page->all_running = mask + 1 == 1u << nr ? nr : 0;
			for (i = 0; i < nr; i++)
				if (mask >> i & 1)
					running++;
				else
					page->counter[i].index = -1;
			assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
			assert_int_equal(sums.tsc, 10100);
			assert_int_equal(rdpmcs, running);
			for (i = 0; i < nr; i++) {
				uint64_t count =
					1000 * i + (mask >> i & 1 ? 100 : 0);

				assert_int_equal(sums.pmc[i], count);
				assert_int_equal(vperfctr_read_pmc(&handle, i),
						 count);
			}
			assert_int_equal(rdpmcs, 2 * running);
		}
}

/*
 * A switch of slots in mid-read: those of the slot before are at their sums
 * now, and their counters count other entries.
 */
static void next_slot(void)
{
	unsigned int i, half = page->nr / 2;

	for (i = 0; i < half; i++) {
		struct perfctr_page_counter *from = &page->counter[i];
		struct perfctr_page_counter *to = &page->counter[half + i];

		from->sum = perfctr_count(from->sum, pmc[i], from->start,
					  from->mask);
		to->index = from->index;
		from->index = -1;
		pmc[i] = to->start = 99;
	}
	page->all_running = 0;
	page->sequence++;
}

static void test_slot_switched_during_a_read(void **state)
{
	struct perfctr_sum_ctrs sums;
	unsigned int i, nr, at;

	(void)state;
	for (nr = 2; nr <= 8; nr += 2)
		for (at = 1; at <= nr / 2; at++) {
			run_counters(nr);
			page->all_running = 0;
			for (i = nr / 2; i < nr; i++)
				page->counter[i].index = -1;
			slot_switch_at = at;
			assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
			for (i = 0; i < nr; i++)
				assert_int_equal(
					sums.pmc[i],
					1000 * i + (i < nr / 2 ? 100 : 0));
			/* Half a read before, half after; then a whole one. */
			assert_int_equal(rdpmcs, at + nr);
			assert_int_equal(kernel_reads, 0);
		}
	/* All ran, then not any more: by the fast path into it. */
	run_counters(4);
	slot_switch_at = 2;
	assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
	assert_int_equal(sums.pmc[0], 100);
	assert_int_equal(sums.pmc[1], 1100);
}

static void test_read_ctrs(void **state)
{
	struct perfctr_sum_ctrs sums;
	unsigned int i, nr, tsc_on;

	(void)state;
	for (tsc_on = 0; tsc_on < 2; tsc_on++)
		for (nr = 0; nr <= PERFCTR_MAX_PMCS; nr++) {
			run_counters(nr);
			page->tsc_running = tsc_on;
			if (!tsc_on)
				page->all_running = 0;
			memset(&sums, 0xaa, sizeof(sums));
			assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
			assert_int_equal(sums.tsc, tsc_on ? 10100 : 10000);
			for (i = 0; i < nr; i++)
				assert_int_equal(sums.pmc[i], 1000 * i + 100);
			for (; i < PERFCTR_MAX_PMCS; i++)
				assert_int_equal(sums.pmc[i],
						 0xaaaaaaaaaaaaaaaa);
			assert_int_equal(rdpmcs, nr);
			assert_int_equal(kernel_reads, 0);
		}
}

/* More counters than the historical structure has room for (perfex's). */
static void test_read_ctrs_does_not_overrun(void **state)
{
	struct {
		struct perfctr_sum_ctrs sums;
		uint64_t beyond;
	} s = {.beyond = 99};

	(void)state;
	run_counters(PERFCTR_MAX_COUNTERS);
	assert_int_equal(vperfctr_read_ctrs(&handle, &s.sums), 0);
	assert_int_equal(s.sums.pmc[17], 17100);
	assert_int_equal(s.beyond, 99);
}

static void test_switched_during_a_read(void **state)
{
	struct perfctr_sum_ctrs sums;
	unsigned int nr, i, switches;

	(void)state;
	for (switches = 1; switches < 16; switches++) {
		run_counters(3);
		switches_to_come = switches;
		assert_int_equal(vperfctr_read_pmc(&handle, 2), 2100);
		assert_int_equal(rdpmcs, switches + 1);
		assert_int_equal(kernel_reads, 0);
	}
	for (nr = 1; nr <= 6; nr++) {
		run_counters(nr);
		switches_to_come = nr + 2;
		assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
		for (i = 0; i < nr; i++)
			assert_int_equal(sums.pmc[i], 1000 * i + 100);
		assert_int_equal(kernel_reads, 0);
	}
}

/* The thread is switched at every attempt: then the kernel is asked. */
static void test_retries_are_bounded(void **state)
{
	struct perfctr_sum_ctrs sums;

	(void)state;
	run_counters(4);
	switches_to_come = UINT32_MAX;
	assert_int_equal(vperfctr_read_pmc(&handle, 3), 5003);
	assert_int_equal(kernel_reads, 1);
	assert_in_range(rdpmcs, 2, 100);

	assert_int_equal(vperfctr_read_ctrs(&handle, &sums), 0);
	assert_int_equal(sums.tsc, 777);
	assert_int_equal(sums.pmc[0], 5000);
	assert_int_equal(sums.pmc[3], 5003);
	assert_int_equal(kernel_reads, 2);

	/* And if the kernel has no answer either: */
	kernel_error = ENOENT;
	errno = 0;
	assert_int_equal(vperfctr_read_pmc(&handle, 3), 0);
	assert_int_equal(errno, 0);
	assert_int_equal(vperfctr_read_ctrs(&handle, &sums), -1);
	assert_int_equal(errno, ENOENT);
}

static void test_ended_with_an_error(void **state)
{
	struct perfctr_sum_ctrs sums;
	unsigned int i;

	(void)state;
	run_counters(4);
	page->status = PERFCTR_STATUS_ERROR;
	page->error = -EPERM;
	page->tsc_running = page->all_running = 0;
	for (i = 0; i < 4; i++)
		page->counter[i].index = -1;
	errno = 0;
	assert_int_equal(vperfctr_read_ctrs(&handle, &sums), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(sums.pmc[3], 3000);
	assert_int_equal(vperfctr_read_pmc(&handle, 3), 3000);
	assert_int_equal(rdpmcs, 0);

	/* What a fork's child sees. */
	memset(page, 0, sizeof(*page));
	page->status = PERFCTR_STATUS_ERROR;
	page->error = -ESRCH;
	assert_int_equal(vperfctr_read_pmc(&handle, 0), 0);
	assert_int_equal(vperfctr_read_ctrs(&handle, &sums), -1);
	assert_int_equal(errno, ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_pmc),
		cmocka_unit_test(test_read_fixed),
		cmocka_unit_test(test_no_such_counter),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_not_started_yet),
		cmocka_unit_test(test_read_tsc),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_slot_switched_during_a_read),
		cmocka_unit_test(test_read_ctrs),
		cmocka_unit_test(test_read_ctrs_does_not_overrun),
		cmocka_unit_test(test_switched_during_a_read),
		cmocka_unit_test(test_retries_are_bounded),
		cmocka_unit_test(test_ended_with_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
