// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The reader of rings, against a kernel of our own: a sparse file is what it
 * would map, and the test writes to it as the kernel does, or as nobody should.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

#include "internal.h"

#define CPUS  3
#define PAGES 2
#define SIZE  (PAGES * PERFCTR_PAGE_BYTES)

/* vperfctr_rings_open() needs no more of a handle than its descriptor. */
static struct vperfctr self = {.fd = -1};

static struct {
	int ring_error;
	unsigned int ring_calls;
	struct perfctr_dev_ring asked;
	struct perfctr_ring_page *page[CPUS];
	unsigned char *data[CPUS];
} kernel;

int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	assert_int_equal(fd, self.fd);
	if (request == PERFCTR_IOC_INFO) {
		struct perfctr_dev_info *info = argument;

		memset(info, 0, sizeof(*info));
		info->version = PERFCTR_ABI_VERSION_DEV;
		info->cpus = CPUS;
		return 0;
	}
	assert_int_equal(request, PERFCTR_IOC_RING);
	kernel.ring_calls++;
	memcpy(&kernel.asked, argument, sizeof(kernel.asked));
	errno = kernel.ring_error;
	return errno ? -1 : 0;
}

static int setup(void **state)
{
	unsigned int i;

	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	self.fd = memfd_create("perfctr", 0);
	assert_int_equal(
		ftruncate(self.fd, (off_t)PERFCTR_RING_OFFSET(CPUS - 1) +
					   PERFCTR_PAGE_BYTES + SIZE),
		0);
	for (i = 0; i < CPUS; i++) {
		void *page = mmap(NULL, PERFCTR_PAGE_BYTES + SIZE,
				  PROT_READ | PROT_WRITE, MAP_SHARED, self.fd,
				  (off_t)PERFCTR_RING_OFFSET(i));

		assert_ptr_not_equal(page, MAP_FAILED);
		kernel.page[i] = page;
		kernel.data[i] = (unsigned char *)page + PERFCTR_PAGE_BYTES;
		kernel.page[i]->version = PERFCTR_ABI_VERSION_DEV;
		kernel.page[i]->size = SIZE;
		kernel.page[i]->cpu = i;
	}
	return 0;
}

static int teardown(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < CPUS; i++)
		munmap(kernel.page[i], PERFCTR_PAGE_BYTES + SIZE);
	close(self.fd);
	return 0;
}

static struct vperfctr_rings *open_rings(void)
{
	static const struct vperfctr_rings_control control = {.pages = PAGES};
	struct vperfctr_rings *rings = vperfctr_rings_open(&self, &control);

	assert_non_null(rings);
	return rings;
}

/* ------------------------------ the kernel's part ------------------------ */

static void put(unsigned int cpu, const void *record, uint32_t size)
{
	struct perfctr_ring_page *page = kernel.page[cpu];
	uint32_t at = page->head & (SIZE - 1);

	assert_true(at + size <= SIZE);
	memcpy(kernel.data[cpu] + at, record, size);
	__atomic_store_n(&page->head, page->head + size, __ATOMIC_RELEASE);
}

/* false: no room; then it is lost. */
static bool write_record(unsigned int cpu, void *record)
{
	struct perfctr_ring_record *head = record;
	struct perfctr_ring_page *page = kernel.page[cpu];
	uint64_t used = page->head - page->tail;
	uint32_t to_end = SIZE - (uint32_t)(page->head & (SIZE - 1));
	uint32_t pad = head->size > to_end ? to_end : 0;

	if (used + pad + head->size > SIZE) {
		page->lost++;
		return false;
	}
	if (pad) {
		struct perfctr_ring_record filler = {PERFCTR_RING_PAD, 0, pad};

		memset(kernel.data[cpu] + SIZE - to_end, 0xa5, to_end);
		put(cpu, &filler, sizeof(filler));
		page->head += pad - sizeof(filler);
	}
	put(cpu, record, head->size);
	return true;
}

static struct perfctr_ring_task task(uint16_t type, uint32_t size, uint64_t tsc)
{
	struct perfctr_ring_task task = {
		.record = {type, 0, size}, .pid = 10, .tid = 11, .tsc = tsc};

	return task;
}

union any {
	struct perfctr_ring_sample sample;
	struct perfctr_ring_mmap mmap;
	unsigned char bytes[PERFCTR_RECORD_MAX + 8];
};

static void *make_sample(union any *any, uint64_t tsc, unsigned int nr,
			 unsigned int depth)
{
	unsigned int i;

	memset(any, 0, sizeof(*any));
	any->sample.task =
		task(PERFCTR_RING_SAMPLE,
		     (uint32_t)(sizeof(any->sample) + 8 * (nr + depth)), tsc);
	any->sample.ip = 0x400000 + tsc;
	any->sample.vtsc = tsc / 2;
	any->sample.overflow = 1;
	any->sample.nr = nr;
	any->sample.depth = depth;
	for (i = 0; i < nr + depth; i++)
		any->sample.value[i] = 1000 * tsc + i;
	return any;
}

static void none_left(struct vperfctr_rings *rings)
{
	assert_null(vperfctr_rings_next(rings));
	assert_int_equal(errno, 0);
}

/* ----------------------------------- tests ------------------------------- */

static void test_open(void **state)
{
	struct vperfctr_rings_control control = {.pages = PAGES};
	struct vperfctr_rings *rings = open_rings();

	(void)state;
	assert_int_equal(kernel.ring_calls, 1);
	assert_int_equal(kernel.asked.pages, PAGES);
	assert_int_equal(kernel.asked.flags, 0);
	assert_int_equal(kernel.asked.depth, 0);
	none_left(rings);
	/* Its own descriptor, so that the handle may go. */
	assert_int_not_equal(vperfctr_rings_fd(rings), self.fd);
	assert_int_equal(fcntl(vperfctr_rings_fd(rings), F_GETFD), FD_CLOEXEC);
	vperfctr_rings_close(rings);
	vperfctr_rings_close(NULL);

	control.flags = VPERFCTR_RINGS_CALLCHAIN;
	rings = vperfctr_rings_open(&self, &control);
	assert_non_null(rings);
	assert_int_equal(kernel.asked.flags, PERFCTR_RINGS_CALLCHAIN);
	assert_int_equal(kernel.asked.depth, 127);
	vperfctr_rings_close(rings);
	control.depth = 5;
	rings = vperfctr_rings_open(&self, &control);
	assert_non_null(rings);
	assert_int_equal(kernel.asked.depth, 5);
	vperfctr_rings_close(rings);

	/* Those that are there. */
	kernel.ring_calls = 0;
	rings = vperfctr_rings_open(&self, NULL);
	assert_non_null(rings);
	assert_int_equal(kernel.ring_calls, 0);
	vperfctr_rings_close(rings);
}

static void test_open_errors(void **state)
{
	struct vperfctr_rings_control control = {.pages = PAGES};
	unsigned int i;

	(void)state;
	control.flags = 2;
	assert_null(vperfctr_rings_open(&self, &control));
	assert_int_equal(errno, EINVAL);
	control.flags = 0;
	control.depth = 3;
	assert_null(vperfctr_rings_open(&self, &control));
	assert_int_equal(errno, EINVAL);
	control.depth = 0;
	control._reserved = 1;
	assert_null(vperfctr_rings_open(&self, &control));
	assert_int_equal(errno, EINVAL);
	control._reserved = 0;
	assert_int_equal(kernel.ring_calls, 0);
	kernel.ring_error = EEXIST;
	assert_null(vperfctr_rings_open(&self, &control));
	assert_int_equal(errno, EEXIST);
	kernel.ring_error = 0;

	/* What is mapped is nonsense: no matter which ring it is. */
	for (i = 0; i < 6; i++) {
		struct perfctr_ring_page *page = kernel.page[i % CPUS];
		struct perfctr_ring_page good = *page;

		switch (i) {
		case 0:
			page->version++;
			break;
		case 1:
			page->cpu++;
			break;
		case 2:
			page->size = 0;
			break;
		case 3:
			page->size = SIZE + PERFCTR_PAGE_BYTES;
			break;
		case 4:
			page->size = 0x80000000;
			break;
		case 5:
			page->size = 8;
			break;
		}
		errno = 0;
		assert_null(vperfctr_rings_open(&self, &control));
		assert_int_equal(errno, EPROTO);
		errno = 0;
		assert_null(vperfctr_rings_open(&self, NULL));
		assert_int_equal(errno, EPROTO);
		*page = good;
	}
	/* Another size than was asked for. */
	control.pages = 1;
	assert_null(vperfctr_rings_open(&self, &control));
	assert_int_equal(errno, EPROTO);
}

static void test_records(void **state)
{
	struct vperfctr_rings *rings = open_rings();
	const struct vperfctr_record *record;
	union any any;
	size_t size;

	(void)state;
	make_sample(&any, 7, 2, 3);
	any.sample.task.record.flags = PERFCTR_SAMPLE_KERNEL;
	assert_true(write_record(1, &any));
	record = vperfctr_rings_next(rings);
	assert_non_null(record);
	assert_int_equal(record->type, VPERFCTR_RECORD_SAMPLE);
	assert_int_equal(record->cpu, 1);
	assert_int_equal(record->pid, 10);
	assert_int_equal(record->tid, 11);
	assert_int_equal(record->tsc, 7);
	assert_int_equal(record->sample.flags, VPERFCTR_SAMPLE_KERNEL);
	assert_int_equal(record->sample.ip, 0x400007);
	assert_int_equal(record->sample.vtsc, 3);
	assert_int_equal(record->sample.overflow, 1);
	assert_int_equal(record->sample.nr, 2);
	assert_int_equal(record->sample.values[1], 7001);
	assert_int_equal(record->sample.depth, 3);
	assert_int_equal(record->sample.chain[0], 7002);
	assert_int_equal(record->sample.chain[2], 7004);
	assert_memory_equal(perfctr_rings_raw(rings, &size), &any,
			    any.sample.task.record.size);
	assert_int_equal(size, any.sample.task.record.size);
	/* Its room is the kernel's again; what was returned is not in it. */
	assert_int_equal(kernel.page[1]->tail, kernel.page[1]->head);
	memset(kernel.data[1], 0xff, SIZE);
	assert_int_equal(record->sample.chain[2], 7004);

	write_record(
		0, &(struct perfctr_ring_lost){{PERFCTR_RING_LOST, 0, 16}, 5});
	record = vperfctr_rings_next(rings);
	assert_int_equal(record->type, VPERFCTR_RECORD_LOST);
	assert_int_equal(record->lost.nr, 5);
	assert_int_equal(record->tsc, 0);

	write_record(0, &(struct perfctr_ring_throttled){
				task(PERFCTR_RING_THROTTLED, 40, 8), 77, 2, 0});
	record = vperfctr_rings_next(rings);
	assert_int_equal(record->type, VPERFCTR_RECORD_THROTTLED);
	assert_int_equal(record->throttled.nr, 77);
	assert_int_equal(record->throttled.overflow, 2);

	{
		struct perfctr_ring_comm comm = {
			task(PERFCTR_RING_COMM, sizeof(comm), 9),
			"fifteen-letters"};

		comm.task.record.flags = PERFCTR_COMM_EXEC;
		write_record(0, &comm);
	}
	record = vperfctr_rings_next(rings);
	assert_int_equal(record->type, VPERFCTR_RECORD_COMM);
	assert_string_equal(record->comm.comm, "fifteen-letters");
	assert_int_equal(record->comm.exec, 1);

	write_record(0, &(struct perfctr_ring_fork){
				task(PERFCTR_RING_FORK,
				     sizeof(struct perfctr_ring_fork), 10),
				3, 4});
	record = vperfctr_rings_next(rings);
	assert_int_equal(record->type, VPERFCTR_RECORD_FORK);
	assert_int_equal(record->fork.ppid, 3);
	assert_int_equal(record->fork.ptid, 4);

	{
		uint64_t raw[6] = {0};
		struct perfctr_ring_exit *end = (void *)raw;

		end->task = task(PERFCTR_RING_EXIT, sizeof(raw), 11);
		end->nr = 2;
		end->value[1] = 99;
		write_record(0, raw);
	}
	record = vperfctr_rings_next(rings);
	assert_int_equal(record->type, VPERFCTR_RECORD_EXIT);
	assert_int_equal(record->exit.nr, 2);
	assert_int_equal(record->exit.values[1], 99);

	memset(&any, 0, sizeof(any));
	any.mmap.task = task(PERFCTR_RING_MMAP, sizeof(any.mmap) + 16, 12);
	any.mmap.start = 0x1000;
	any.mmap.end = 0x3000;
	any.mmap.offset = 0x2000;
	any.mmap.ino = 6;
	any.mmap.maj = 8;
	any.mmap.min = 1;
	strcpy(any.mmap.path, "/bin/true");
	write_record(0, &any);
	record = vperfctr_rings_next(rings);
	assert_int_equal(record->type, VPERFCTR_RECORD_MMAP);
	assert_string_equal(record->mmap.path, "/bin/true");
	assert_int_equal(record->mmap.end, 0x3000);
	assert_int_equal(record->mmap.offset, 0x2000);

	/* A type of later times is passed on. */
	write_record(0, &(struct perfctr_ring_record){99, 0, 8});
	record = vperfctr_rings_next(rings);
	assert_int_equal(record->type, 99);
	none_left(rings);
	vperfctr_rings_close(rings);
}

/* Of several CPUs by time, of one in the order in which they were written. */
static void test_order(void **state)
{
	static const struct {
		unsigned int cpu;
		uint64_t tsc;
	} written[] = {{0, 10}, {0, 40}, {0, 30}, {1, 20}, {1, 50}, {2, 35}},
	  wanted[] = {{0, 10}, {1, 20}, {2, 35}, {0, 40}, {0, 30}, {1, 50}};
	struct vperfctr_rings *rings = open_rings();
	union any any;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(written) / sizeof(*written); i++)
		write_record(written[i].cpu,
			     make_sample(&any, written[i].tsc, 1, 0));
	for (i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		const struct vperfctr_record *record =
			vperfctr_rings_next(rings);

		assert_non_null(record);
		assert_int_equal(record->cpu, wanted[i].cpu);
		assert_int_equal(record->tsc, wanted[i].tsc);
	}
	none_left(rings);
	vperfctr_rings_close(rings);
}

/*
 * Round and round, with records of all lengths: each arrives, in its order, or
 * is counted as lost.
 */
static void test_wrap(void **state)
{
	struct vperfctr_rings *rings = open_rings();
	uint64_t written = 0, read = 0, lost = 0, expect[CPUS] = {0};
	uint64_t next[CPUS] = {0};
	struct vperfctr_rings_totals totals;
	unsigned int random = 1, i, pads = 0;
	union any any;

	(void)state;
	for (i = 0; i < 200000; i++) {
		const struct vperfctr_record *record;
		unsigned int cpu;
		uint64_t before;

		random = random * 1103515245 + 12345;
		cpu = (random >> 16) % CPUS;
		before = kernel.page[cpu]->head;
		make_sample(&any, ++next[cpu], (random >> 8) % 25,
			    (random >> 20) % 128);
		if (write_record(cpu, &any)) {
			written++;
			pads += kernel.page[cpu]->head - before !=
				any.sample.task.record.size;
		} else {
			lost++;
			next[cpu]--;
		}
		/* The reader is slower at times. */
		if ((i >> 8) % 3 == 2 && (random >> 10) % 2)
			continue;
		record = vperfctr_rings_next(rings);
		if (!record) {
			assert_int_equal(errno, 0);
			continue;
		}
		read++;
		assert_int_equal(record->tsc, ++expect[record->cpu]);
		assert_int_equal(record->sample.ip, 0x400000 + record->tsc);
		if (record->sample.depth)
			assert_int_equal(
				record->sample.chain[record->sample.depth - 1],
				1000 * record->tsc + record->sample.nr +
					record->sample.depth - 1);
	}
	while (vperfctr_rings_next(rings))
		read++;
	assert_int_equal(errno, 0);
	assert_int_equal(read, written);
	assert_true(pads > 1000);
	assert_true(lost > 100);
	kernel.page[2]->skipped = 3;
	vperfctr_rings_totals(rings, &totals);
	assert_int_equal(totals.lost, lost);
	assert_int_equal(totals.skipped, 3);
	vperfctr_rings_close(rings);
}

/* Full to the last byte, and the position near its own end. */
static void test_full(void **state)
{
	struct vperfctr_rings *rings;
	unsigned int i, n = 0;
	union any any;

	(void)state;
	kernel.page[0]->head = kernel.page[0]->tail = -(uint64_t)SIZE;
	rings = open_rings();
	make_sample(&any, 1, 1, 0); /* 64 bytes */
	while (write_record(0, &any))
		n++;
	assert_int_equal(n, SIZE / 64);
	assert_int_equal(kernel.page[0]->head, 0);
	for (i = 0; i < n; i++)
		assert_non_null(vperfctr_rings_next(rings));
	none_left(rings);
	assert_int_equal(kernel.page[0]->tail, 0);
	vperfctr_rings_close(rings);
}

/* So often EBADMSG, so many records, and then no more. */
static void read_garbage(struct vperfctr_rings *rings, unsigned int bad,
			 unsigned int good)
{
	do {
		errno = 0;
		if (vperfctr_rings_next(rings)) {
			assert_int_not_equal(good--, 0);
			errno = EBADMSG;
		} else if (errno == EBADMSG) {
			assert_int_not_equal(bad--, 0);
		}
	} while (errno == EBADMSG);
	assert_int_equal(errno, 0);
	assert_int_equal(bad, 0);
	assert_int_equal(good, 0);
}

/* What makes no sense is skipped, once, and said. */
static void test_garbage(void **state)
{
	static const struct perfctr_ring_record heads[] = {
		{PERFCTR_RING_SAMPLE, 0, 0},
		{PERFCTR_RING_SAMPLE, 0, 4},
		{PERFCTR_RING_SAMPLE, 0, 12},
		{PERFCTR_RING_SAMPLE, 0, 16},
		{PERFCTR_RING_SAMPLE, 0, 4096},
		{PERFCTR_RING_SAMPLE, 0, UINT32_MAX - 7},
		{PERFCTR_RING_PAD, 0, 4096},
		{PERFCTR_RING_PAD, 0, 0},
		{PERFCTR_RING_LOST, 0, 8},
		{PERFCTR_RING_THROTTLED, 0, 32},
		{PERFCTR_RING_COMM, 0, 32},
		{PERFCTR_RING_FORK, 0, 24},
		{PERFCTR_RING_EXIT, 0, 24},
		{PERFCTR_RING_MMAP, 0, 64},
		{99, 0, 4096},
	};
	struct vperfctr_rings *rings = open_rings();
	union any any;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
		uint64_t old = kernel.page[0]->head;

		memset(&any, 0xff, sizeof(any));
		memcpy(&any, &heads[i], sizeof(heads[i]));
		put(0, &any, 64);
		write_record(1, make_sample(&any, i, 1, 0));
		/* The other ring does not suffer by it; which is first, who knows. */
		read_garbage(rings, 1, 1);
		assert_int_equal(kernel.page[0]->tail, old + 64);
	}
	/* Texts without an end, and numbers of values that are not there. */
	for (i = 0; i < 5; i++) {
		memset(&any, 0xff, sizeof(any));
		any.sample.task = task(i == 1   ? PERFCTR_RING_COMM
				       : i == 0 ? PERFCTR_RING_MMAP
						: PERFCTR_RING_SAMPLE,
				       i == 1 ? 40 : 80, 1);
		if (i >= 2) {
			any.sample.nr = i == 2 ? 4 : i == 3 ? 25 : 3;
			any.sample.depth = i == 4 ? 0xffffffff : 0;
		}
		put(0, &any, i == 1 ? 40 : 80);
		read_garbage(rings, 1, 0);
	}
	/* A head that went back, too far ahead, or is between two words. */
	for (i = 0; i < 3; i++) {
		uint64_t old = kernel.page[2]->head;

		kernel.page[2]->head = i == 0   ? old - 64
				       : i == 1 ? old + SIZE + 8
						: old + 12;
		read_garbage(rings, 1, 0);
		if (i == 2) {
			kernel.page[2]->head += 4;
			read_garbage(rings, 1, 0);
		}
		/* And goes on. */
		write_record(2, make_sample(&any, 1, 1, 0));
		read_garbage(rings, 0, 1);
	}
	vperfctr_rings_close(rings);
}

/* Whatever stands there: it ends, and nothing outside is touched. */
static void test_noise(void **state)
{
	struct vperfctr_rings *rings = open_rings();
	unsigned int i, cpu;
	size_t byte;

	(void)state;
	srandom(5);
	for (i = 0; i < 300; i++) {
		unsigned int calls = 0;

		for (cpu = 0; cpu < CPUS; cpu++) {
			for (byte = 0; byte < SIZE; byte++)
				kernel.data[cpu][byte] =
					random() % 4
						? (unsigned char)(random() % 16)
						: 0;
			kernel.page[cpu]->head +=
				8 * (uint64_t)(random() % (SIZE / 8 + 2));
		}
		do {
			errno = 0;
			assert_true(++calls < CPUS * SIZE);
		} while (vperfctr_rings_next(rings) || errno == EBADMSG);
		assert_int_equal(errno, 0);
	}
	vperfctr_rings_close(rings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_errors, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noise, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
