// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device ABI of uapi/perfctr.h, checked word by word, without libperfctr.
 * Prints TAP.  Run as root in a guest with two vCPUs and perfctr.ko loaded.
 *
 * "device-abi module perfctr.ko" tests load and unload instead;
 * "device-abi wrap N" counts a loop of N on a machine with narrow counters.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uapi/perfctr.h"

#define DEV	"/dev/perfctr"
#define PAGE	4096

#define USR	0x10000ull
#define OS	0x20000ull
#define ENABLE	0x400000ull

static int tests, failures;
static struct perfctr_dev_info info;
static __u64 ev_insn, ev_branch;

#define ok(cond, ...)							\
({									\
	bool ok_ = (cond);						\
									\
	failures += !ok_;						\
	printf("%sok %d - ", ok_ ? "" : "not ", ++tests);		\
	printf(__VA_ARGS__);						\
	putchar('\n');							\
	if (!ok_)							\
		printf("# line %d: %s\n", __LINE__, #cond);		\
	fflush(stdout);							\
	ok_;								\
})

/* The call fails with this error. */
#define fails(call, err, ...)						\
({									\
	errno = 0;							\
	long r_ = (long)(call);						\
	int e_ = errno;							\
									\
	if (!ok(r_ == -1 && e_ == (err), __VA_ARGS__))			\
		printf("# returned %ld, errno %d (%s)\n", r_, e_,	\
		       strerror(e_));					\
})

#define works(call, ...)						\
({									\
	long w_ = (long)(call);						\
	int we_ = errno;						\
									\
	if (!ok(w_ != -1, __VA_ARGS__))					\
		printf("# errno %d (%s)\n", we_, strerror(we_));	\
	w_;								\
})

static int dev(void)
{
	return open(DEV, O_RDWR | O_CLOEXEC);
}

static struct perfctr_page *map(int fd)
{
	return mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
}

/* ---- counting ------------------------------------------------------------- */

/* Exactly 2 * n + 1 instructions, n branches, between its first and last. */
static void spin(uint64_t n)
{
	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (n) : : "cc");
}

static uint64_t rdpmc(uint32_t index)
{
	uint32_t lo, hi;

	asm volatile("rdpmc" : "=a" (lo), "=d" (hi) : "c" (index) : "memory");
	return (uint64_t)hi << 32 | lo;
}

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* The kernel changes the page between any two of our instructions. */
static uint64_t count(volatile struct perfctr_page *p, unsigned int i)
{
	uint32_t seq;
	uint64_t v;
	int index;

	do {
		seq = p->sequence;
		index = p->counter[i].index;
		v = p->counter[i].sum;
		if (index >= 0)
			v += (rdpmc(index) - p->counter[i].start) &
				p->counter[i].mask;
	} while (p->sequence != seq);
	return v;
}

static uint64_t tsc(volatile struct perfctr_page *p)
{
	uint32_t seq;
	uint64_t v;

	do {
		seq = p->sequence;
		v = p->tsc_sum;
		if (p->tsc_running)
			v += rdtsc() - p->tsc_start;
	} while (p->sequence != seq);
	return v;
}

/* Counter 0 instructions, 1 branches; user and kernel, as in any PV guest. */
static struct perfctr_dev_control two(void)
{
	struct perfctr_dev_control c = {
		.nr = 2,
		.flags = PERFCTR_CTL_TSC_ON,
		.counter = {
			{ .index = 0, .evtsel = ev_insn | USR | OS },
			{ .index = 1, .evtsel = ev_branch | USR | OS },
		},
	};

	return c;
}

static int control(int fd, struct perfctr_dev_control *c)
{
	return ioctl(fd, PERFCTR_IOC_CONTROL, c);
}

static struct perfctr_dev_sums sums(int fd)
{
	struct perfctr_dev_sums s = { .error = 12345 };

	if (ioctl(fd, PERFCTR_IOC_READ, &s))
		s.status = ~0u;
	return s;
}

static uint32_t control_nr(int fd)
{
	struct perfctr_dev_control c = { .nr = 99 };

	return ioctl(fd, PERFCTR_IOC_GET_CONTROL, &c) ? 98 : c.nr;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void unpin(void)
{
	cpu_set_t set;

	memset(&set, -1, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

/* Runs @fn in a child; true if it exits with 0. */
static bool child(int (*fn)(int), int arg)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(fn(arg));
	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* In a child: the first thing that is wrong is its exit status. */
#define must(cond)							\
do {									\
	if (!(cond)) {							\
		printf("# line %d: %s (errno %d)\n", __LINE__, #cond,	\
		       errno);						\
		fflush(stdout);						\
		return 1;						\
	}								\
} while (0)

/* ---- tests ---------------------------------------------------------------- */

static void test_info(void)
{
	int fd = works(dev(), "open");

	works(ioctl(fd, PERFCTR_IOC_INFO, &info), "INFO on a handle that is not bound");
	ok(info.version == PERFCTR_ABI_VERSION_DEV, "INFO: version");
	ok(info.vendor == PERFCTR_VENDOR_INTEL || info.vendor == PERFCTR_VENDOR_AMD,
	   "INFO: vendor");
	ok((info.general & 3) == 3 && info.general_width >= 32,
	   "INFO: two general counters at least");
	ok(info.tsc_khz > 1000 && info.cpus >= 1, "INFO: TSC rate, CPUs");
	ok(!strncmp(info.guest, "PV dom", 6), "INFO: guest '%s'", info.guest);
	ok(!strncmp(info.hypervisor, "Xen 4.", 6), "INFO: hypervisor '%s'", info.hypervisor);
	ok(info.driver_version[0], "INFO: driver version '%s'", info.driver_version);
	printf("# general %#llx of %u bits, fixed %#llx of %u, features %#llx, evtsel %#llx\n",
	       info.general, info.general_width, info.fixed, info.fixed_width,
	       info.features, info.evtsel_mask);
	fails(ioctl(fd, PERFCTR_IOC_INFO, NULL), EFAULT, "INFO: bad pointer");
	ev_insn = 0xc0;
	ev_branch = info.vendor == PERFCTR_VENDOR_INTEL ? 0xc4 : 0xc2;
	close(fd);
}

static void test_not_bound(void)
{
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s;
	int fd = dev();

	fails(ioctl(fd, PERFCTR_IOC_READ, &s), ENOENT, "not bound: READ");
	fails(ioctl(fd, PERFCTR_IOC_GET_CONTROL, &c), ENOENT, "not bound: GET_CONTROL");
	fails(control(fd, &c), ENOENT, "not bound: CONTROL");
	fails(ioctl(fd, PERFCTR_IOC_STOP), ENOENT, "not bound: STOP");
	fails(ioctl(fd, PERFCTR_IOC_UNLINK), ENOENT, "not bound: UNLINK");
	fails(map(fd), ENOENT, "not bound: mmap");
	fails(ioctl(fd, PERFCTR_IOC_OPEN), ESRCH, "OPEN without a set");
	fails(ioctl(fd, _IO(PERFCTR_IOC_MAGIC, 99)), ENOTTY, "no such ioctl");
	fails(ioctl(fd, _IOR(PERFCTR_IOC_MAGIC, 5, int), &s), ENOTTY, "ioctl of another size");
	fails(read(fd, &s, sizeof(s)), EINVAL, "read(2)");
	close(fd);
}

static void test_bind(int fd)
{
	int fd2 = dev();

	works(ioctl(fd, PERFCTR_IOC_CREATE), "CREATE");
	fails(ioctl(fd, PERFCTR_IOC_CREATE), EBUSY, "CREATE again on the handle");
	fails(ioctl(fd, PERFCTR_IOC_OPEN), EBUSY, "OPEN on the bound handle");
	fails(ioctl(fd2, PERFCTR_IOC_CREATE), EEXIST, "CREATE of a second set");
	works(ioctl(fd2, PERFCTR_IOC_OPEN), "OPEN on a second handle");
	ok(sums(fd2).nr == 0 && sums(fd2).status == 0, "a new set counts nothing");
	ok(control_nr(fd2) == 0, "a new set has no control");
	close(fd2);
	ok(sums(fd).status == 0, "the set outlives a handle");
}

static void test_mmap(int fd)
{
	struct perfctr_page *p;
	uint32_t word = 1;
	int ro, mem;

	fails(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES,
	      "mmap for writing");
	fails(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0), EACCES,
	      "mmap for execution");
	fails(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EINVAL, "private mmap");
	fails(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE), EINVAL, "mmap at page 1");
	fails(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0), EINVAL, "mmap of two pages");

	p = map(fd);
	ok(p != MAP_FAILED && p->version == PERFCTR_ABI_VERSION_DEV && p->nr == 0 &&
	   p->status == 0, "mmap: the page");
	fails(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES, "mprotect to writing");
	fails(mprotect(p, PAGE, PROT_READ | PROT_EXEC), EACCES, "mprotect to execution");
	fails(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT, "mremap to two pages");
	mem = open("/proc/self/mem", O_RDWR);
	ok(pwrite(mem, &word, 4, (off_t)(uintptr_t)p) == -1 &&
	   p->version == PERFCTR_ABI_VERSION_DEV,
	   "no write as a debugger writes");
	ok(pread(mem, &word, 4, (off_t)(uintptr_t)p) == 4, "but a debugger's read");
	close(mem);
	munmap(p, PAGE);

	ro = open(DEV, O_RDONLY);
	ioctl(ro, PERFCTR_IOC_OPEN);
	p = map(ro);
	ok(p != MAP_FAILED && p->version == PERFCTR_ABI_VERSION_DEV, "mmap of a read-only handle");
	fails(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0), EACCES,
	      "for writing of a read-only handle");
	close(ro);
	ok(p->version == PERFCTR_ABI_VERSION_DEV, "a mapping outlives its handle");
	munmap(p, PAGE);
}

static void test_control_errors(int fd)
{
	struct perfctr_dev_control c, good = two(), got;
	struct perfctr_page *p = map(fd);
	uint64_t before;

	works(control(fd, &good), "CONTROL");
	before = count(p, 0);

	fails(ioctl(fd, PERFCTR_IOC_CONTROL, NULL), EFAULT, "CONTROL: bad pointer");
	c = two(); c.nr = PERFCTR_MAX_COUNTERS + 1;
	fails(control(fd, &c), EINVAL, "CONTROL: too many");
	c = two(); c.nr = ~0u;
	fails(control(fd, &c), EINVAL, "CONTROL: 2^32 - 1 counters");
	c = two(); c.flags |= 1u << 5;
	fails(control(fd, &c), EINVAL, "CONTROL: a flag that does not exist");
	c = two(); c.flags |= PERFCTR_CTL_CLOEXEC | PERFCTR_CTL_START_ON_EXEC;
	fails(control(fd, &c), EINVAL, "CONTROL: flags that exclude each other");
	c = two(); c.preserve = 1ull << 2;
	fails(control(fd, &c), EINVAL, "CONTROL: preserves a counter not there");
	c = two(); c.counter[1].index = 0;
	fails(control(fd, &c), EINVAL, "CONTROL: a counter twice");
	c = two(); c.counter[1].index = 30;
	fails(control(fd, &c), EINVAL, "CONTROL: no such general counter");
	c = two(); c.counter[1].index = 64;
	fails(control(fd, &c), EINVAL, "CONTROL: general counter 64");
	c = two(); c.counter[1].index = PERFCTR_INDEX_FIXED + 31;
	fails(control(fd, &c), EINVAL, "CONTROL: no such fixed counter");
	c = two(); c.counter[1].index = ~0u;
	fails(control(fd, &c), EINVAL, "CONTROL: counter -1");
	c = two(); c.counter[1].flags = 2;
	fails(control(fd, &c), EINVAL, "CONTROL: a counter's flag");
	c = two(); c.counter[1].evtsel |= ENABLE;
	fails(control(fd, &c), EINVAL, "CONTROL: the enable bit");
	c = two(); c.counter[1].evtsel |= 1ull << 63;
	fails(control(fd, &c), EINVAL, "CONTROL: a reserved bit");
	c = two(); c.counter[1].ireset = -1000;
	fails(control(fd, &c), EOPNOTSUPP, "CONTROL: sampling");
	if (!(info.features & PERFCTR_FEAT_SPLIT)) {
		c = two(); c.counter[1].evtsel &= ~USR;
		fails(control(fd, &c), EOPNOTSUPP, "CONTROL: kernel alone");
	}
	if (info.fixed & 1) {
		c = two(); c.counter[1].index = PERFCTR_INDEX_FIXED;
		fails(control(fd, &c), EINVAL, "CONTROL: an event for a fixed counter");
	}

	ok(!ioctl(fd, PERFCTR_IOC_GET_CONTROL, &got) && !memcmp(&got, &good, sizeof(got)),
	   "after errors the control is what it was");
	ok(p->status == PERFCTR_STATUS_RUNNING && p->counter[0].index == 0 &&
	   count(p, 0) > before + 1000, "and counts on");
	fails(ioctl(fd, PERFCTR_IOC_READ, NULL), EFAULT, "READ: bad pointer");
	fails(ioctl(fd, PERFCTR_IOC_GET_CONTROL, NULL), EFAULT, "GET_CONTROL: bad pointer");
	munmap(p, PAGE);
}

static void test_counts(int fd)
{
	volatile struct perfctr_page *p = map(fd);
	uint64_t a, b, best[2] = { ~0ull, ~0ull }, t0, t1;
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s, s2;
	int i;

	works(control(fd, &c), "CONTROL");
	ok(p->nr == 2 && p->counter[0].index == 0 && p->counter[1].index == 1 &&
	   p->status == PERFCTR_STATUS_RUNNING && p->tsc_running, "the page says so");
	ok(p->counter[0].mask == ~0ull >> (64 - info.general_width), "the page's mask");

	for (i = 0; i < 50; i++) {
		a = count(p, 0);
		spin(10000);
		b = count(p, 0);
		if (b - a < best[0])
			best[0] = b - a;
		a = count(p, 1);
		spin(10000);
		b = count(p, 1);
		if (b - a < best[1])
			best[1] = b - a;
	}
	ok(best[0] >= 20000 && best[0] < 20060, "20,000 instructions: %llu",
	   (unsigned long long)best[0]);
	ok(best[1] >= 10000 && best[1] < 10010, "10,000 branches: %llu",
	   (unsigned long long)best[1]);

	t0 = tsc(p);
	spin(1000000);
	t1 = tsc(p);
	ok(t1 != t0, "the TSC runs");

	a = count(p, 0);
	s = sums(fd);
	b = count(p, 0);
	ok(s.nr == 2 && s.status == PERFCTR_STATUS_RUNNING && !s.error,
	   "READ: a running set");
	ok(a < s.pmc[0] && s.pmc[0] < b, "READ lies between two reads");

	a = count(p, 0);
	works(ioctl(fd, PERFCTR_IOC_STOP), "STOP");
	ok(p->status == 0 && p->counter[0].index < 0 && p->counter[1].index < 0 &&
	   !p->tsc_running, "STOP: nothing runs");
	b = count(p, 0);
	spin(10000);
	s = sums(fd);
	ok(a < b && b == count(p, 0) && b == s.pmc[0] && s.nr == 2 && s.status == 0,
	   "STOP: sums stay");
	ok(control_nr(fd) == 0, "STOP: no control in force");
	works(ioctl(fd, PERFCTR_IOC_STOP), "STOP twice");

	c.preserve = 1;
	works(control(fd, &c), "CONTROL that preserves counter 0");
	s2 = sums(fd);
	ok(s2.pmc[0] > b && s2.pmc[0] < b + 100000, "preserved sum goes on");
	ok(s2.pmc[1] < s.pmc[1] && s2.pmc[1] < 100000, "the other starts at 0");
	/* READ: in user mode the TSC includes what the vCPU has just missed. */
	t0 = sums(fd).tsc;
	c.preserve = 0;
	control(fd, &c);
	ok(sums(fd).tsc > t0, "the TSC's sum survives while the TSC stays on");
	ioctl(fd, PERFCTR_IOC_STOP);
	t0 = rdtsc();
	control(fd, &c);
	t1 = tsc(p);
	ok(t1 <= rdtsc() - t0, "and starts again when it was off");

	c = two(); c.nr = 0;
	works(control(fd, &c), "CONTROL with the TSC only");
	ok(p->nr == 0 && p->tsc_running && p->status == PERFCTR_STATUS_RUNNING, "runs");
	t0 = sums(fd).tsc;
	spin(10000);
	ok(sums(fd).tsc > t0, "and counts");

	c = two(); c.counter[0].index = 1; c.counter[1].index = 0;
	works(control(fd, &c), "CONTROL: same events, other counters");
	a = count(p, 0);
	spin(10000);
	b = count(p, 0);
	ok(p->counter[0].index == 1 && b - a >= 20000, "counted right");
	munmap((void *)p, PAGE);
}

/* Other threads must not spoil, nor get, each other's counts. */
struct worker {
	pthread_t thread;
	int cpu;
	bool swap;
	uint64_t rounds, insn, branch, wrong;
	int err;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	struct perfctr_dev_control c = two();
	uint64_t a, b, last = 0;
	struct perfctr_page *p;
	uint64_t i;
	int fd = dev();

	if (w->cpu >= 0)
		pin(w->cpu);
	if (w->swap) {
		c.counter[0].evtsel = ev_branch | USR | OS;
		c.counter[1].evtsel = ev_insn | USR | OS;
	}
	if (ioctl(fd, PERFCTR_IOC_CREATE) || control(fd, &c)) {
		w->err = errno;
		return NULL;
	}
	p = map(fd);
	for (i = 0; i < w->rounds; i++) {
		a = count(p, w->swap);
		spin(500);
		b = count(p, w->swap);
		/* At least the loop; at most some switches' kernel work. */
		if (b - a < 1000 || b - a > 20000000 || a < last)
			w->wrong++;
		last = b;
		if (i % 8 == 0)
			sched_yield();
		if (w->cpu < 0 && i % 64 == 0)
			pin(i / 64 % 2);
	}
	w->insn = count(p, w->swap);
	w->branch = count(p, !w->swap);
	w->err = p->error;
	/* Thread ends: its handle is not closed, its set not unlinked. */
	return NULL;
}

static void test_threads(void)
{
	struct worker w[6] = {
		{ .cpu = 0 }, { .cpu = 0, .swap = true }, { .cpu = 1 },
		{ .cpu = -1 }, { .cpu = -1, .swap = true }, { .cpu = -1 },
	};
	uint64_t wrong = 0;
	bool counted = true;
	unsigned int i;

	for (i = 0; i < 6; i++) {
		w[i].rounds = 4000;
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (i = 0; i < 6; i++) {
		pthread_join(w[i].thread, NULL);
		wrong += w[i].wrong + !!w[i].err;
		printf("# thread %u: %llu instructions, %llu branches, %llu wrong, error %d\n",
		       i, (unsigned long long)w[i].insn, (unsigned long long)w[i].branch,
		       (unsigned long long)w[i].wrong, w[i].err);
		counted = counted && w[i].insn >= 4000 * 1000 && w[i].branch >= 4000 * 500 &&
			w[i].insn > w[i].branch;
	}
	ok(!wrong, "six threads, three controls, two CPUs, migrating: no wrong interval");
	ok(counted, "and each counted its own");
}

static void *thread_set(void *arg)
{
	int fd = *(int *)arg;
	struct perfctr_dev_control c = two();

	if (ioctl(fd, PERFCTR_IOC_CREATE) || control(fd, &c))
		return (void *)1;
	spin(100000);
	return NULL;
}

/* @fd: the main thread's set. */
static void test_thread_exit(int own)
{
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s, s2;
	struct perfctr_page *p;
	int fd = dev(), i;
	pthread_t t;

	pthread_create(&t, NULL, thread_set, &fd);
	pthread_join(t, NULL);
	/* join returns a moment before the thread is quite gone */
	for (i = 0; i < 1000 && !(sums(fd).status & PERFCTR_STATUS_EXITED); i++)
		usleep(1000);
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_EXITED && s.nr == 2 && s.pmc[0] >= 200000 && !s.error,
	   "READ of a thread that has exited: %llu", s.pmc[0]);
	spin(10000);
	s2 = sums(fd);
	ok(!memcmp(&s, &s2, sizeof(s)), "final means final");
	p = map(fd);
	ok(p != MAP_FAILED && p->status == PERFCTR_STATUS_EXITED &&
	   p->counter[0].index < 0 && p->counter[0].sum == s.pmc[0],
	   "mmap after exit shows the same");
	munmap(p, PAGE);
	fails(control(fd, &c), ENOENT, "CONTROL of an ended set");
	fails(ioctl(fd, PERFCTR_IOC_STOP), ENOENT, "STOP of an ended set");
	fails(ioctl(fd, PERFCTR_IOC_UNLINK), ENOENT, "UNLINK of an ended set");
	fails(ioctl(fd, PERFCTR_IOC_CREATE), EBUSY, "CREATE on its handle");
	ok(control_nr(fd) == 0, "an ended set has no control");
	close(fd);
	ok(sums(own).status == PERFCTR_STATUS_RUNNING, "our own set is untouched");
}

static volatile bool remote_stop;

static void *remote(void *arg)
{
	int fd = *(int *)arg;
	struct perfctr_dev_control c = two();

	pin(1);
	if (ioctl(fd, PERFCTR_IOC_CREATE) || control(fd, &c))
		return (void *)1;
	while (!remote_stop) {
		spin(1000);
		sched_yield();
		usleep(10);
	}
	return NULL;
}

static void test_remote(void)
{
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s = {}, last = {};
	int fd = dev(), i, wrong = 0, moved = 0;
	pthread_t t;

	pin(0);
	pthread_create(&t, NULL, remote, &fd);
	while (sums(fd).nr != 2)
		usleep(1000);
	for (i = 0; i < 20000; i++) {
		s = sums(fd);
		wrong += s.nr != 2 || s.error || s.pmc[0] < last.pmc[0] ||
			s.pmc[1] < last.pmc[1] || s.pmc[1] > s.pmc[0];
		moved += s.pmc[0] != last.pmc[0];
		last = s;
	}
	ok(!wrong && moved > 3, "READ of a running thread: consistent (%d changes)", moved);
	fails(control(fd, &c), EPERM, "CONTROL of another thread");
	fails(ioctl(fd, PERFCTR_IOC_STOP), EPERM, "STOP of another thread");
	fails(ioctl(fd, PERFCTR_IOC_UNLINK), EPERM, "UNLINK of another thread");
	remote_stop = true;
	pthread_join(t, NULL);
	close(fd);
	unpin();
}

static struct perfctr_page *inherited;

static int fork_child(int fd)
{
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s = sums(fd);
	struct perfctr_page *p;
	uint64_t v;
	int own;

	/* The parent's: readable, not ours, never a running counter. */
	must(s.status == PERFCTR_STATUS_RUNNING && s.nr == 2);
	must(inherited->status == PERFCTR_STATUS_ERROR && inherited->error == -ESRCH &&
	     inherited->nr == 0);
	must(map(fd)->status == PERFCTR_STATUS_ERROR);
	must(control(fd, &c) == -1 && errno == EPERM);
	must(ioctl(fd, PERFCTR_IOC_UNLINK) == -1 && errno == EPERM);
	own = dev();
	must(ioctl(own, PERFCTR_IOC_OPEN) == -1 && errno == ESRCH);
	must(!ioctl(own, PERFCTR_IOC_CREATE) && !control(own, &c));
	p = map(own);
	v = count(p, 0);
	spin(10000);
	must(count(p, 0) - v >= 20000);
	must(!ioctl(own, PERFCTR_IOC_UNLINK));
	return 0;
}

static void test_fork(int fd)
{
	struct perfctr_dev_control c = two();
	uint64_t a;

	control(fd, &c);
	inherited = map(fd);
	a = count(inherited, 0);
	ok(child(fork_child, fd), "a child has no counters and sees no running ones");
	ok(count(inherited, 0) > a && inherited->status == PERFCTR_STATUS_RUNNING,
	   "the parent counts on");
	munmap(inherited, PAGE);
}

/* perfex: the parent opens, the child creates on the inherited handle. */
static int exec_child(int fd)
{
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s;

	must(!ioctl(fd, PERFCTR_IOC_CREATE));
	c.flags |= PERFCTR_CTL_START_ON_EXEC;
	must(!control(fd, &c));
	spin(10000000);
	sched_yield();
	s = sums(fd);
	must(s.status == PERFCTR_STATUS_RUNNING && !s.pmc[0] && !s.tsc);
	must(control_nr(fd) == 2);
	execl("/proc/self/exe", "device-abi", "spin", NULL);
	return 1;
}

static int exec_fails(int fd)
{
	struct perfctr_dev_control c = two();

	must(!ioctl(fd, PERFCTR_IOC_CREATE));
	c.flags |= PERFCTR_CTL_START_ON_EXEC;
	must(!control(fd, &c));
	execl("/nonexistent", "x", NULL);
	return 0;
}

static int exec_bad(int fd)
{
	struct perfctr_dev_control c = two();

	must(!ioctl(fd, PERFCTR_IOC_CREATE));
	c.flags |= PERFCTR_CTL_START_ON_EXEC;
	c.counter[0].index = 77;
	must(control(fd, &c) == -1 && errno == EINVAL);
	return 0;
}

static int exec_survives(int fd)
{
	struct perfctr_dev_control c = two();

	must(!ioctl(fd, PERFCTR_IOC_CREATE) && !control(fd, &c));
	execl("/proc/self/exe", "device-abi", "has-set", NULL);
	return 1;
}

static int exec_cloexec(int fd)
{
	struct perfctr_dev_control c = two();

	c.flags |= PERFCTR_CTL_CLOEXEC;
	must(!ioctl(fd, PERFCTR_IOC_CREATE) && !control(fd, &c));
	spin(100000);
	execl("/proc/self/exe", "device-abi", "has-no-set", NULL);
	return 1;
}

static void *exec_thread(void *arg)
{
	exec_child(*(int *)arg);
	return NULL;
}

static int exec_from_thread(int fd)
{
	pthread_t t;

	pthread_create(&t, NULL, exec_thread, &fd);
	pthread_join(t, NULL);
	return 1;
}

#define SETUID_COPY	"/dev/shm/device-abi-setuid"

static int exec_setuid(int fd)
{
	struct perfctr_dev_control c = two();

	must(!setgid(65534) && !setuid(65534));
	must(!ioctl(fd, PERFCTR_IOC_CREATE) && !control(fd, &c));
	spin(100000);
	execl(SETUID_COPY, "device-abi", "has-no-set", NULL);
	return 1;
}

static void test_exec(void)
{
	struct perfctr_dev_sums s;
	int fd;

	fd = dev();
	ok(child(exec_child, fd), "START_ON_EXEC: nothing before the exec");
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_EXITED && s.nr == 2 && !s.error && s.tsc,
	   "after wait() the parent's READ is final");
	ok(s.pmc[0] > 2000000 && s.pmc[0] < 18000000 && s.pmc[1] > 1000000,
	   "counted from the exec on: %llu instructions", s.pmc[0]);
	close(fd);

	fd = dev();
	ok(child(exec_fails, fd), "START_ON_EXEC, then exec fails");
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_EXITED && !s.pmc[0] && !s.tsc, "nothing counted");
	close(fd);

	fd = dev();
	ok(child(exec_bad, fd), "START_ON_EXEC of a bad control fails before the exec");
	close(fd);

	fd = dev();
	ok(child(exec_survives, fd), "a set survives exec");
	ok(sums(fd).status == PERFCTR_STATUS_EXITED, "and ends with the program");
	close(fd);

	fd = dev();
	ok(child(exec_cloexec, fd), "CLOEXEC: the set is gone after exec");
	s = sums(fd);
	ok(s.status == 0 && s.pmc[0] >= 200000, "its counts are those before exec");
	close(fd);

	fd = dev();
	ok(child(exec_from_thread, fd), "exec by a thread that is not the first");
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_EXITED && s.pmc[0] > 2000000 && !s.error,
	   "its set goes with it");
	close(fd);

	if (system("cp /proc/self/exe /dev/null; cp \"$DEVICE_ABI\" " SETUID_COPY
		   " && chmod 4755 " SETUID_COPY))
		ok(false, "copy for setuid");
	fd = dev();
	ok(child(exec_setuid, fd), "a program with more rights has no set");
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_ERROR && s.error == -EPERM && s.pmc[0] >= 200000,
	   "the handle says why");
	close(fd);
	unlink(SETUID_COPY);
}

static int passed_child(int sock)
{
	char cbuf[CMSG_SPACE(sizeof(int))], b;
	struct iovec iov = { &b, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf,
			    .msg_controllen = sizeof(cbuf) };
	struct cmsghdr *cm;
	struct perfctr_dev_sums s;
	struct perfctr_page *p;
	int fd;

	must(recvmsg(sock, &m, 0) == 1);
	cm = CMSG_FIRSTHDR(&m);
	memcpy(&fd, CMSG_DATA(cm), sizeof(fd));
	s = sums(fd);
	must(s.nr == 2 && s.status == PERFCTR_STATUS_RUNNING);
	must(ioctl(fd, PERFCTR_IOC_STOP) == -1 && errno == EPERM);
	p = map(fd);
	must(p != MAP_FAILED && p->status == PERFCTR_STATUS_ERROR && !p->nr);
	return 0;
}

static void test_passed(void)
{
	char cbuf[CMSG_SPACE(sizeof(int))] = {}, b = 0;
	struct iovec iov = { &b, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = cbuf,
			    .msg_controllen = sizeof(cbuf) };
	struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
	int sv[2], fd, status;
	pid_t pid;

	socketpair(AF_UNIX, SOCK_STREAM, 0, sv);
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(passed_child(sv[1]));
	fd = dev();
	ioctl(fd, PERFCTR_IOC_OPEN);
	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(fd));
	ok(sendmsg(sv[0], &m, 0) == 1 && waitpid(pid, &status, 0) == pid && !status,
	   "a handle passed to another process reads, and only reads");
	close(fd);
	close(sv[0]);
	close(sv[1]);
}

static void test_hotplug(int fd)
{
	const char *path = "/sys/devices/system/cpu/cpu1/online";
	struct perfctr_page *p = map(fd);
	uint64_t a, b;
	int f = open(path, O_WRONLY), i;
	bool good = true;

	if (f < 0) {
		ok(true, "hotplug # SKIP no %s", path);
		return;
	}
	for (i = 0; i < 3; i++) {
		pin(1);
		a = count(p, 0);
		unpin();
		good = good && pwrite(f, "0", 1, 0) == 1;
		spin(10000);
		good = good && pwrite(f, "1", 1, 0) == 1;
		pin(1);
		spin(10000);
		b = count(p, 0);
		good = good && b - a >= 40000 && !p->error &&
			p->status == PERFCTR_STATUS_RUNNING;
		unpin();
	}
	close(f);
	ok(good, "a set goes on while its CPU goes down and comes back, three times");
	munmap(p, PAGE);
}

static void test_unlink(int fd)
{
	struct perfctr_dev_control c = two();
	struct perfctr_page *p = map(fd);
	struct perfctr_dev_sums s;
	int fd2 = dev(), i;
	bool good = true;

	control(fd, &c);
	spin(10000);
	works(ioctl(fd, PERFCTR_IOC_UNLINK), "UNLINK");
	s = sums(fd);
	ok(s.status == 0 && s.nr == 2 && s.pmc[0] >= 20000, "its counts stay readable");
	ok(p->status == 0 && p->counter[0].index < 0, "the mapping too");
	fails(control(fd, &c), ENOENT, "CONTROL after UNLINK");
	fails(ioctl(fd, PERFCTR_IOC_UNLINK), ENOENT, "UNLINK after UNLINK");
	fails(ioctl(fd2, PERFCTR_IOC_OPEN), ESRCH, "OPEN after UNLINK");
	works(ioctl(fd2, PERFCTR_IOC_CREATE), "CREATE of a new set on a new handle");
	works(ioctl(fd2, PERFCTR_IOC_UNLINK), "UNLINK of a set that never counted");
	munmap(p, PAGE);
	close(fd2);

	for (i = 0; i < 500 && good; i++) {
		fd2 = dev();
		good = !ioctl(fd2, PERFCTR_IOC_CREATE) && !control(fd2, &c);
		close(fd2);
		fd2 = dev();
		good = good && !ioctl(fd2, PERFCTR_IOC_OPEN) && sums(fd2).pmc[0] > 0 &&
			!ioctl(fd2, PERFCTR_IOC_UNLINK);
		close(fd2);
	}
	ok(good, "500 times: create, count, close, open, unlink");
}

static void faulted(int sig)
{
	_exit(sig);
}

/* No set, no counters: RDPMC faults again, on each vCPU. */
static int rdpmc_child(int cpu)
{
	/* Handled, so that the kernel does not log it. */
	signal(SIGSEGV, faulted);
	pin(cpu);
	rdpmc(0);
	return 0;
}

static void test_rdpmc_off(void)
{
	int cpu, status, faults = 0;
	pid_t pid;

	usleep(500000);
	fflush(stdout);
	for (cpu = 0; cpu < 2; cpu++) {
		pid = fork();
		if (!pid)
			_exit(rdpmc_child(cpu));
		waitpid(pid, &status, 0);
		faults += WIFEXITED(status) && WEXITSTATUS(status) == SIGSEGV;
	}
	ok(faults == 2, "when nobody counts any more, RDPMC faults");
}

/* ---- somebody else changes what the vCPU counts ---------------------------- */

#include "xen-public/perfctr.h"

#define HYPERVISOR_ARCH_2	50

struct privcmd_hypercall {
	__u64 op, arg[5];
};

#define PRIVCMD_HYPERCALL	_IOC(_IOC_NONE, 'P', 0, sizeof(struct privcmd_hypercall))

static int privcmd = -1;

static long hypercall(unsigned int op, void *arg)
{
	struct privcmd_hypercall h = { HYPERVISOR_ARCH_2, { op, (uintptr_t)arg } };

	return ioctl(privcmd, PRIVCMD_HYPERCALL, &h);
}

/* A domU's kernel may keep hypercalls from programs. */
static bool can_interfere(void)
{
	if (privcmd < 0)
		privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	return privcmd >= 0 && hypercall(99, NULL) == -1 && errno == ENOSYS;
}

static bool broken(int fd, uint64_t before)
{
	struct perfctr_dev_sums s = sums(fd);

	return s.status == PERFCTR_STATUS_ERROR && s.error == -EIO &&
		s.nr == 2 && s.pmc[0] >= before && s.pmc[0] < before + 1000000 &&
		control_nr(fd) == 0;
}

static bool recovers(int fd)
{
	struct perfctr_dev_control c = two();
	struct perfctr_page *p = map(fd);
	uint64_t a;
	bool good;

	if (control(fd, &c))
		return false;
	a = count(p, 0);
	spin(10000);
	good = count(p, 0) - a >= 20000 && p->status == PERFCTR_STATUS_RUNNING && !p->error;
	munmap(p, PAGE);
	return good;
}

static void test_interference(int fd)
{
	struct xen_perfctr_load load = {
		.nr = 2,
		.counter = {
			{ .index = 0, .evtsel = ev_branch | USR | OS },
			{ .index = 1, .evtsel = ev_insn | USR | OS },
		},
	};
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s;

	if (!can_interfere()) {
		ok(true, "interference # SKIP no hypercalls for programs (errno %d)", errno);
		return;
	}
	pin(0);
	control(fd, &c);
	s = sums(fd);
	ok(hypercall(XENPERFCTR_OP_stop, NULL) == 0 && broken(fd, s.pmc[0]),
	   "counters stopped behind our back: an error, the last exact sums");
	c.preserve = 1;
	fails(control(fd, &c), EIO, "CONTROL can't preserve them");
	ok(recovers(fd), "CONTROL starts anew");

	s = sums(fd);
	ok(hypercall(XENPERFCTR_OP_load, &load) == 0 && broken(fd, s.pmc[0]),
	   "another control loaded behind our back: an error");
	ok(recovers(fd), "CONTROL starts anew");

	s = sums(fd);
	hypercall(XENPERFCTR_OP_stop, NULL);
	sched_yield();
	usleep(10000);
	ok(broken(fd, s.pmc[0]), "the same, found at a switch");
	ok(recovers(fd), "CONTROL starts anew");
	unpin();
}

/* Leaves vCPU 0 without counters until the module is loaded anew. */
static void test_unregistered(void)
{
	struct xen_perfctr_register reg = { .vcpu_id = 0 };
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s;
	int fd;

	if (!can_interfere())
		return;
	pin(0);
	fd = dev();
	ioctl(fd, PERFCTR_IOC_CREATE);
	control(fd, &c);
	s = sums(fd);
	ok(hypercall(XENPERFCTR_OP_unregister_vcpu, &reg) == 0 && broken(fd, s.pmc[0]),
	   "a vCPU loses its counters: an error");
	fails(control(fd, &c), ENODEV, "CONTROL on it");
	pin(1);
	ok(recovers(fd), "on the other vCPU it works");
	s = sums(fd);
	pin(0);
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_ERROR && s.error == -ENODEV,
	   "until the thread moves back");
	ioctl(fd, PERFCTR_IOC_UNLINK);
	close(fd);
	unpin();
}

/* ---- module --------------------------------------------------------------- */

static const char *ko;

static int insmod(void)
{
	int fd = open(ko, O_RDONLY | O_CLOEXEC), r;

	r = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return r;
}

static int rmmod(void)
{
	return syscall(SYS_delete_module, "perfctr", O_NONBLOCK);
}

static pid_t start_counting(bool keep_handle)
{
	struct perfctr_dev_control c = two();
	int go[2], fd;
	pid_t pid;
	char b;

	if (pipe(go))
		return -1;
	fflush(stdout);
	pid = fork();
	if (pid) {
		close(go[1]);
		if (read(go[0], &b, 1) != 1)
			pid = -1;
		close(go[0]);
		return pid;
	}
	fd = dev();
	if (ioctl(fd, PERFCTR_IOC_CREATE) || control(fd, &c))
		_exit(1);
	if (!keep_handle)
		close(fd);
	if (write(go[1], "x", 1) != 1)
		_exit(1);
	for (;;)
		spin(1000000);
}

static void test_module(void)
{
	int i, fd, status, good = 0;
	struct perfctr_page *p;
	pid_t pid;

	test_unregistered();
	for (i = 0; i < 2; i++) {
		pid = start_counting(i);
		ok(pid > 0, "a program counts%s", i ? "" : ", without a handle");
		fails(rmmod(), EWOULDBLOCK, "rmmod is refused");
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		works(rmmod(), "rmmod at once after SIGKILL and wait()");
		works(insmod(), "insmod");
	}
	fd = dev();
	fails(rmmod(), EWOULDBLOCK, "rmmod is refused while a handle is open");
	ioctl(fd, PERFCTR_IOC_CREATE);
	p = map(fd);
	ioctl(fd, PERFCTR_IOC_UNLINK);
	close(fd);
	fails(rmmod(), EWOULDBLOCK, "rmmod is refused while a page is mapped");
	munmap(p, PAGE);

	for (i = 0; i < 20; i++) {
		pid = start_counting(i & 1);
		usleep(i * 1000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		good += !rmmod() && !insmod();
	}
	ok(good == 20, "20 times: count, kill, rmmod, insmod");
	for (i = 0, good = 0; i < 20; i++)
		good += !rmmod() && !insmod();
	ok(good == 20, "20 times: rmmod, insmod");
}

/*
 * For a machine with narrow counters: many wraps without a system call.  The
 * count must be the loop's, plus what the kernel does meanwhile.
 */
static int wrap(uint64_t n)
{
	struct perfctr_dev_control c;
	struct perfctr_page *p;
	uint64_t insn;
	int fd;

	test_info();
	c = two();
	fd = dev();
	ok(!ioctl(fd, PERFCTR_IOC_CREATE) && !control(fd, &c), "CONTROL");
	p = map(fd);
	insn = count(p, 0);
	spin(n);
	insn = count(p, 0) - insn;
	ok(p->status == PERFCTR_STATUS_RUNNING && !p->error, "no error (status %u, error %d)",
	   p->status, p->error);
	ok(insn >= 2 * n && insn < 2 * n + n / 10,
	   "%llu instructions, %llu times 2^%u", (unsigned long long)insn,
	   (unsigned long long)(insn >> info.general_width), info.general_width);
	printf("# the page changed %u times, by switches and folds\n", p->sequence);
	printf("1..%d\n", tests);
	return failures != 0;
}

int main(int argc, char **argv)
{
	int fd, fd2;

	if (argc > 1 && !strcmp(argv[1], "spin")) {
		spin(1000000);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "has-set")) {
		fd = dev();
		return ioctl(fd, PERFCTR_IOC_OPEN) || sums(fd).pmc[0] == 0 ||
			sums(fd).status != PERFCTR_STATUS_RUNNING;
	}
	if (argc > 1 && !strcmp(argv[1], "has-no-set"))
		return !(ioctl(dev(), PERFCTR_IOC_OPEN) == -1 && errno == ESRCH);

	setenv("DEVICE_ABI", argv[0], 1);
	if (argc > 2 && !strcmp(argv[1], "wrap"))
		return wrap(strtoull(argv[2], NULL, 0));
	test_info();
	if (argc > 2 && !strcmp(argv[1], "module")) {
		ko = argv[2];
		test_module();
	} else {
		test_not_bound();
		fd = dev();
		test_bind(fd);
		test_mmap(fd);
		test_control_errors(fd);
		test_counts(fd);
		test_threads();
		test_thread_exit(fd);
		test_remote();
		test_fork(fd);
		test_passed();
		test_exec();
		test_hotplug(fd);
		test_unlink(fd);
		close(fd);
		fd2 = dev();
		ioctl(fd2, PERFCTR_IOC_CREATE);
		test_interference(fd2);
		ioctl(fd2, PERFCTR_IOC_UNLINK);
		close(fd2);
		test_rdpmc_off();
	}
	printf("1..%d\n", tests);
	return failures != 0;
}
