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

/* Nothing with -1, fork()'s failure or start_counting()'s: kill() takes it for everybody. */
static void end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
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
	ok(!strncmp(info.guest, "PV dom", 6) || !strncmp(info.guest, "PVH dom", 7) ||
	   !strncmp(info.guest, "HVM dom", 7), "INFO: guest '%s'", info.guest);
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
	c = two(); c.counter[1].ireset = -(__s64)info.min_period + 1;
	fails(control(fd, &c), EINVAL, "CONTROL: a period too short");
	c = two(); c.counter[1].ireset = 100000;
	fails(control(fd, &c), EINVAL, "CONTROL: a period of the wrong sign");
	c = two(); c.counter[1].ireset = -(1ll << (info.general_width - 1));
	fails(control(fd, &c), EINVAL, "CONTROL: a period too long");
	c = two(); c.counter[1].ireset = -100000; c.si_signo = 65;
	fails(control(fd, &c), EINVAL, "CONTROL: no such signal");
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
	struct perfctr_dev_control c = two(), got;
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
	ok(!ioctl(fd, PERFCTR_IOC_GET_CONTROL, &got) && got.nr == c.nr &&
	   got.flags == c.flags &&
	   !memcmp(got.counter, c.counter, c.nr * sizeof(c.counter[0])),
	   "GET_CONTROL of a thread that has exited: its last");
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
	/* With icount the CPUs take turns, and we see it move once in a turn. */
	for (i = 0; i < 20000 || (moved <= 3 && i < 1000000); i++) {
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
	ok(s.pmc[0] > 2000000 && s.pmc[0] < 40000000 && s.pmc[1] > 1000000,
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

/* ---- groups --------------------------------------------------------------- */

/* User mode alone where that can be told: then the counts are the program's. */
static struct perfctr_dev_control group_control(uint32_t flags)
{
	struct perfctr_dev_control c = two();
	const uint64_t modes = info.features & PERFCTR_FEAT_SPLIT ? USR : USR | OS;

	c.flags |= PERFCTR_CTL_INHERIT | flags;
	c.counter[0].evtsel = ev_insn | modes;
	c.counter[1].evtsel = ev_branch | modes;
	return c;
}

static struct perfctr_dev_group group(int fd)
{
	struct perfctr_dev_group g;

	memset(&g, 0xff, sizeof(g));
	if (ioctl(fd, PERFCTR_IOC_READ_GROUP, &g))
		g.sums.status = ~0u;
	return g;
}

static void print_group(const struct perfctr_dev_group *g)
{
	printf("# %llu instructions, status %u, error %d; %u live, %u ended, %u errors, ",
	       g->sums.pmc[0], g->sums.status, g->sums.error, g->live, g->ended, g->errors);
	printf("%u refused, %u lost, %u records lost\n", g->refused, g->lost, g->records_lost);
}

/* Nothing went wrong, and @live and @ended are the members. */
static bool group_is(const struct perfctr_dev_group *g, unsigned int live, unsigned int ended)
{
	bool good = g->live == live && g->ended == ended && !g->errors && !g->refused &&
		!g->lost && !g->records_lost && !g->sums.error &&
		!(g->sums.status & PERFCTR_STATUS_ERROR) && g->sums.nr == 2;

	if (!good)
		print_group(g);
	return good;
}

static void test_group_errors(int fd)
{
	struct perfctr_dev_record r = {};
	struct perfctr_dev_control c;
	struct perfctr_dev_group g;
	struct perfctr_dev_sums s;
	int fd2 = dev();

	fails(ioctl(fd2, PERFCTR_IOC_READ_GROUP, &g), ENOENT, "not bound: READ_GROUP");
	fails(ioctl(fd2, PERFCTR_IOC_NEXT_RECORD, &r), ENOENT, "not bound: NEXT_RECORD");
	close(fd2);
	c = two(); c.flags |= PERFCTR_CTL_RECORDS;
	fails(control(fd, &c), EINVAL, "CONTROL: RECORDS without INHERIT");
	c = two(); c.si_signo = 1;
	fails(control(fd, &c), EINVAL, "CONTROL: a reserved field");
	c = two();
	control(fd, &c);
	g = group(fd);
	s = sums(fd);
	ok(group_is(&g, 1, 0) && g.sums.pmc[0] && g.sums.pmc[0] < s.pmc[0] &&
	   g.sums.status == PERFCTR_STATUS_RUNNING, "READ_GROUP without INHERIT is the set itself");
	fails(ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r), EINVAL, "NEXT_RECORD without RECORDS");
	fails(ioctl(fd, PERFCTR_IOC_READ_GROUP, NULL), EFAULT, "READ_GROUP: bad pointer");
	fails(ioctl(fd, PERFCTR_IOC_NEXT_RECORD, NULL), EFAULT, "NEXT_RECORD: bad pointer");
}

/* Three levels: 4 * 4 * 4 leaves, each level works. */
static int tree(int level)
{
	int i, status, bad = 0;
	pid_t pid[4];

	spin(10000);
	if (level == 3)
		return 0;
	for (i = 0; i < 4; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(tree(level + 1));
	}
	for (i = 0; i < 4; i++)
		bad += waitpid(pid[i], &status, 0) != pid[i] || status;
	return bad;
}

static void *group_thread(void *arg)
{
	spin(100000);
	if (arg)
		sched_yield();
	return NULL;
}

static int group_founder(int fd)
{
	struct perfctr_dev_control c = group_control(0);
	pthread_t t[8];
	uint64_t before;
	int i, status;
	pid_t pid;

	must(!ioctl(fd, PERFCTR_IOC_CREATE) && !control(fd, &c));
	before = group(fd).sums.pmc[0];
	for (i = 0; i < 8; i++)
		must(!pthread_create(&t[i], NULL, group_thread, i & 1 ? t : NULL));
	for (i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < 1000 && group(fd).live > 1; i++)
		usleep(1000);
	must(group(fd).live == 1 && group(fd).ended == 8);
	must(group(fd).sums.pmc[0] - before >= 8 * 200000);
	must(sums(fd).pmc[0] < 8 * 200000);
	pid = vfork();
	if (!pid) {
		execl("/proc/self/exe", "device-abi", "spin", NULL);
		_exit(1);
	}
	must(waitpid(pid, &status, 0) == pid && !status);
	must(group(fd).ended == 9 && group(fd).sums.pmc[0] - before >= 8 * 200000 + 2000000);
	return tree(0);
}

/* A member's own view: a set, which it did not found. */
static int member_child(int fd)
{
	struct perfctr_dev_control c = two();
	struct perfctr_dev_record r = {};
	struct perfctr_dev_group g;
	struct perfctr_page *p;
	uint64_t v;
	int own = dev();

	must(ioctl(own, PERFCTR_IOC_CREATE) == -1 && errno == EEXIST);
	must(!ioctl(own, PERFCTR_IOC_OPEN));
	p = map(own);
	must(p->status == PERFCTR_STATUS_RUNNING && p->nr == 2);
	v = count(p, 0);
	spin(10000);
	must(count(p, 0) - v >= 20000);
	must(ioctl(own, PERFCTR_IOC_READ_GROUP, &g) == -1 && errno == ENOENT);
	must(ioctl(own, PERFCTR_IOC_NEXT_RECORD, &r) == -1 && errno == ENOENT);
	/* The inherited handle is the founder's. */
	g = group(fd);
	must(g.live == 2 && g.sums.pmc[0] > sums(own).pmc[0]);
	/* Another control: it has left, with what it had. */
	must(!control(own, &c));
	g = group(fd);
	must(g.live == 1 && g.ended == 1);
	v = g.sums.pmc[0];
	spin(1000000);
	must(group(own).live == 1 && group(own).sums.pmc[0] >= 2000000);
	must(group(fd).sums.pmc[0] - v < 2000000);
	return 0;
}

static void *exec_spin(void *arg)
{
	execl("/proc/self/exe", "device-abi", "spin", NULL);
	return arg;
}

static int exec_nonleader_member(int fd)
{
	pthread_t t;

	(void)fd;
	/* The leader ends in the exec of the other one: both are members. */
	pthread_create(&t, NULL, exec_spin, NULL);
	pthread_join(t, NULL);
	return 1;
}

static int privileged_member(int fd)
{
	(void)fd;
	must(!setgid(65534) && !setuid(65534));
	spin(100000);
	execl(SETUID_COPY, "device-abi", "has-no-set", NULL);
	return 1;
}

static bool kill_member(int fd)
{
	struct perfctr_dev_group a, b, c;
	int i;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		for (;;)
			spin(1000000);
	/* Running, without a switch of its own for long: read exactly. */
	for (i = 0; i < 5; i++)
		usleep(20000);
	a = group(fd);
	usleep(20000);
	b = group(fd);
	end(pid);
	c = group(fd);
	return a.live == 2 && b.live == 2 && c.live == 1 && c.ended == a.ended + 1 &&
		a.sums.pmc[0] < b.sums.pmc[0] && b.sums.pmc[0] <= c.sums.pmc[0] && !c.errors;
}

static int copy_for_setuid(void)
{
	return system("cp \"$DEVICE_ABI\" " SETUID_COPY " && chmod 4755 " SETUID_COPY);
}

/* Readers while members come and go: sums never go back, nor miss anybody. */
static volatile bool churn_stop;

static void *churn_reader(void *arg)
{
	struct perfctr_dev_group g, last = {};
	int fd = *(int *)arg;
	uint64_t wrong = 0;

	while (!churn_stop) {
		g = group(fd);
		wrong += g.sums.pmc[0] < last.sums.pmc[0] || g.sums.pmc[1] < last.sums.pmc[1] ||
			g.sums.tsc < last.sums.tsc || g.ended < last.ended || !g.live ||
			g.sums.nr != 2 || g.sums.error;
		last = g;
	}
	return (void *)(uintptr_t)wrong;
}

static void test_groups(void)
{
	struct perfctr_dev_control c = group_control(0), other;
	struct perfctr_dev_group g, g2;
	int fd, i, status, good;
	pthread_t t;
	void *wrong;
	pid_t pid;

	fd = dev();
	ok(child(group_founder, fd), "a group: 8 threads, vfork and exec, a tree of 84");
	g = group(fd);
	ok(group_is(&g, 0, 1 + 8 + 1 + 84) && g.sums.status == PERFCTR_STATUS_EXITED,
	   "all of them ended, none lost");
	ok(g.sums.pmc[0] >= 8 * 200000 + 2000000 + 85 * 20000 &&
	   (!(info.features & PERFCTR_FEAT_SPLIT) || g.sums.pmc[0] < 20000000),
	   "their counts: %llu instructions", g.sums.pmc[0]);
	g2 = group(fd);
	ok(!memcmp(&g, &g2, sizeof(g)), "final means final");
	close(fd);

	fd = dev();
	ioctl(fd, PERFCTR_IOC_CREATE);
	works(control(fd, &c), "CONTROL with INHERIT");
	ok(child(member_child, fd),
	   "a member: its own set, not its group; another control: it has left");
	g = group(fd);
	ok(group_is(&g, 1, 1), "the group is as before it");

	control(fd, &c);
	g = group(fd);
	ok(group_is(&g, 1, 0) && g.sums.pmc[0] < 1000000,
	   "CONTROL of the founder, when it is alone: a new group");

	ok(child(exec_nonleader_member, fd), "exec by a member that is not the first thread");
	g = group(fd);
	ok(group_is(&g, 1, 2) && g.sums.pmc[0] >= 2000000, "both threads' counts are there");
	ok(kill_member(fd), "a member is killed: read while it runs, and after");
	if (copy_for_setuid())
		ok(false, "copy for setuid");
	ok(child(privileged_member, fd), "a member execs a program with more rights");
	unlink(SETUID_COPY);
	g = group(fd);
	ok(g.refused == 1 && !g.errors && g.live == 1 && g.sums.error == -EPERM &&
	   g.sums.status == (PERFCTR_STATUS_RUNNING | PERFCTR_STATUS_ERROR),
	   "refused, and said so");
	control(fd, &c);

	fflush(stdout);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	other = c;
	other.counter[0].evtsel = ev_branch | USR | OS;
	fails(control(fd, &other), EBUSY, "CONTROL of the founder while others live");
	fails(control(fd, &c), EBUSY, "the same, were it only to start from 0");
	g = group(fd);
	other = c;
	other.preserve = 3;
	works(control(fd, &other), "but what changes no sum");
	g2 = group(fd);
	ok(g2.sums.pmc[0] > g.sums.pmc[0] && g2.sums.tsc > g.sums.tsc && group_is(&g2, 2, 0),
	   "goes on");
	works(ioctl(fd, PERFCTR_IOC_STOP), "STOP of the founder");
	g = group(fd);
	ok(group_is(&g, 2, 0) && g.sums.status == PERFCTR_STATUS_RUNNING, "members stay");
	end(pid);
	works(control(fd, &c), "CONTROL when they are gone");

	/* No bit of @preserve is for the ticks. */
	other = c;
	other.nr = 0;
	works(control(fd, &other), "CONTROL of the TSC only");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		pause();
		_exit(0);
	}
	ioctl(fd, PERFCTR_IOC_STOP);
	g = group(fd);
	fails(control(fd, &other), EBUSY, "once more after STOP, while others live");
	ok(group(fd).sums.tsc >= g.sums.tsc, "no tick is lost");
	end(pid);
	control(fd, &c);

	churn_stop = false;
	pthread_create(&t, NULL, churn_reader, &fd);
	for (i = 0, good = 0; i < 300; i++) {
		pid = fork();
		if (!pid) {
			spin(1000);
			_exit(0);
		}
		if (i % 3 == 0)
			kill(pid, SIGKILL);
		good += waitpid(pid, &status, 0) == pid;
	}
	churn_stop = true;
	pthread_join(t, &wrong);
	for (i = 0; i < 1000 && group(fd).live > 1; i++)
		usleep(1000);
	g = group(fd);
	ok(good == 300 && !wrong && group_is(&g, 1, 301),
	   "300 children come and go under a reader: %lu wrong", (unsigned long)wrong);
	ioctl(fd, PERFCTR_IOC_UNLINK);
	g = group(fd);
	ok(group_is(&g, 0, 302) && !g.sums.status,
	   "UNLINK of the founder: it has ended, not exited");
	close(fd);

	fd = dev();
	ioctl(fd, PERFCTR_IOC_CREATE);
	c = group_control(PERFCTR_CTL_START_ON_EXEC);
	control(fd, &c);
	pid = vfork();
	if (!pid) {
		execl("/proc/self/exe", "device-abi", "spin", NULL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	g = group(fd);
	ok(!status && group_is(&g, 1, 1) && g.sums.pmc[0] >= 2000000 && !sums(fd).pmc[0],
	   "START_ON_EXEC is inherited: the child's exec starts it, in the child only");
	ioctl(fd, PERFCTR_IOC_UNLINK);
	close(fd);
}

static void test_records(void)
{
	struct perfctr_dev_control c = group_control(PERFCTR_CTL_RECORDS);
	struct perfctr_dev_record r = {}, first;
	uint64_t total = 0, loaded = 0;
	struct perfctr_dev_group g;
	int fd = dev(), i, status;
	pid_t pid[5], live;
	bool good = true;

	ioctl(fd, PERFCTR_IOC_CREATE);
	works(control(fd, &c), "CONTROL with RECORDS");
	fflush(stdout);
	for (i = 0; i < 5; i++) {
		pid[i] = fork();
		if (!pid[i]) {
			spin(10000 * (i + 1));
			_exit(0);
		}
		waitpid(pid[i], &status, 0);
	}
	live = fork();
	if (!live) {
		pause();
		_exit(0);
	}
	usleep(50000);
	ok(!ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r) && r.serial == 1 && r.pid == getpid() &&
	   r.tid == getpid() && r.sums.status == PERFCTR_STATUS_RUNNING,
	   "the first record is the founder's");
	first = r;
	for (i = 0; i < 5; i++) {
		good = good && !ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r) &&
			r.serial == 2u + i && r.pid == pid[i] && r.tid == pid[i] &&
			r.sums.status == PERFCTR_STATUS_EXITED && r.sums.nr == 2 &&
			r.sums.pmc[0] >= 20000ull * (i + 1) && !strcmp(r.comm, first.comm);
		total += r.sums.pmc[0];
		loaded += r.sums.loaded[1] == r.sums.tsc && r.sums.tsc;
	}
	ok(good && loaded == 5, "then those that ended, in the order they joined");
	ok(!ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r) && r.serial == 7 && r.pid == live &&
	   r.sums.status == PERFCTR_STATUS_RUNNING, "then the live one");
	fails(ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r), ENOENT, "no more records");
	total += r.sums.pmc[0] + first.sums.pmc[0];
	g = group(fd);
	ok(group_is(&g, 2, 5) && g.sums.pmc[0] >= total, "their sum is the group's");
	end(live);
	c.preserve = 3;
	works(control(fd, &c), "CONTROL that preserves keeps them");
	r.serial = 6;
	ok(!ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r) && r.serial == 7 &&
	   r.sums.status == PERFCTR_STATUS_EXITED, "also the killed one's");
	c.preserve = 0;
	control(fd, &c);
	r.serial = 0;
	good = !ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r) && r.serial == 1 && r.pid == getpid();
	fails(ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r), ENOENT, "one that does not drops them");
	ok(good, "but the founder's own");
	ioctl(fd, PERFCTR_IOC_UNLINK);
	r.serial = 0;
	ok(!ioctl(fd, PERFCTR_IOC_NEXT_RECORD, &r) && r.serial == 1 && !r.sums.status &&
	   r.sums.pmc[0], "which stays when it has ended");
	close(fd);
}

/* ---- slots of time, TSC, Xen's share -------------------------------------- */

/* Counter 0 in each slot: instructions, branches, instructions again. */
static struct perfctr_dev_control three_slots(void)
{
	const uint64_t insn = ev_insn | USR | OS, branch = ev_branch | USR | OS;
	struct perfctr_dev_control c = {
		.nr = 4,
		.slice_us = 1000,
		.counter = {
			{ .index = 0, .flags = PERFCTR_COUNTER_SLOT(0), .evtsel = insn },
			{ .index = 0, .flags = PERFCTR_COUNTER_SLOT(1), .evtsel = branch },
			{ .index = 1, .flags = PERFCTR_COUNTER_SLOT(1), .evtsel = insn },
			{ .index = 0, .flags = PERFCTR_COUNTER_SLOT(2), .evtsel = insn },
		},
	};

	return c;
}

/* Each slot had its third, and its counts are in proportion. */
static bool fair(const struct perfctr_dev_sums *s, double tolerance)
{
	double share[4], rate[4];
	bool good = s->loaded[1] == s->loaded[2];
	int i;

	for (i = 0; i < 4; i++) {
		share[i] = (double)s->loaded[i] / s->tsc;
		rate[i] = (double)s->pmc[i] / s->loaded[i];
		good = good && share[i] > (1 - tolerance) / 3 && share[i] < (1 + tolerance) / 3;
	}
	printf("# shares %.4f %.4f %.4f %.4f, events per tick %.4f %.4f %.4f %.4f\n",
	       share[0], share[1], share[2], share[3], rate[0], rate[1], rate[2], rate[3]);
	/* All of the time is some slot's. */
	return good && s->loaded[0] + s->loaded[1] + s->loaded[3] == s->tsc;
}

static void test_slots(void)
{
	struct perfctr_dev_control c, got;
	volatile struct perfctr_page *p;
	struct perfctr_dev_sums s;
	int fd = dev(), i, j, loaded;
	bool good = true;

	ioctl(fd, PERFCTR_IOC_CREATE);
	p = map(fd);
	c = two(); c.slice_us = 1000;
	fails(control(fd, &c), EINVAL, "slots: a slice for one slot");
	c = three_slots(); c.slice_us = 99;
	fails(control(fd, &c), EINVAL, "slots: too short");
	c = three_slots(); c.slice_us = 1000001;
	fails(control(fd, &c), EINVAL, "slots: too long");
	c = three_slots(); c.counter[3].flags = PERFCTR_COUNTER_SLOT(3);
	fails(control(fd, &c), EINVAL, "slots: a gap");
	c = three_slots(); c.counter[3].flags = PERFCTR_COUNTER_SLOT(8);
	fails(control(fd, &c), EINVAL, "slots: slot 8");
	c = three_slots(); c.counter[2].index = 0;
	fails(control(fd, &c), EINVAL, "slots: a counter twice in one");

	c = three_slots();
	works(control(fd, &c), "CONTROL with three slots");
	ok(!ioctl(fd, PERFCTR_IOC_GET_CONTROL, &got) && !memcmp(&c, &got, sizeof(c)),
	   "GET_CONTROL says so");
	for (i = 0; i < 3000; i++) {
		uint32_t seq;

		do {
			seq = p->sequence;
			loaded = (p->counter[0].index >= 0) + (p->counter[1].index >= 0) +
				(p->counter[3].index >= 0);
			good = good && p->all_running == 0;
		} while (seq != p->sequence);
		good = good && loaded == 1;
		spin(10000);
	}
	ok(good, "one slot at a time is loaded");
	/* A timer that is late on a busy host is made up for in the turns after it. */
	for (i = 0; i < 10 && (s = sums(fd), !fair(&s, 0.15)); i++)
		spin(30000000);
	ok(s.nr == 4 && s.status == PERFCTR_STATUS_RUNNING && i < 10,
	   "a thread that runs: each slot a third");
	works(control(fd, &c), "CONTROL again");
	ok(sums(fd).tsc < s.tsc / 2, "from 0, its TSC too");
	for (j = 0; j < 10 && (!j || !fair(&s, 0.15)); j++) {
		for (i = 0; i < 1500; i++) {
			spin(20000);
			usleep(1);
		}
		s = sums(fd);
	}
	ok(fair(&s, 0.15), "a thread that sleeps before its slice is over: each slot a third");
	if (info.features & PERFCTR_FEAT_SAMPLING) {
		/* So long a period that no overflow changes the slot. */
		c.counter[0].ireset = -(1ll << (info.general_width - 2));
		works(control(fd, &c), "CONTROL that samples");
		for (i = 0; i < 10 && (spin(30000000), s = sums(fd), !fair(&s, 0.15)); i++)
			;
		ok(i < 10, "a thread that samples and runs: each slot a third");
	}
	ioctl(fd, PERFCTR_IOC_STOP);
	s = sums(fd);
	good = true;
	for (i = 0; i < 4; i++)
		good = good && p->counter[i].index < 0 && p->counter[i].sum == s.pmc[i];
	ok(good, "STOP");
	munmap((void *)p, PAGE);
	ioctl(fd, PERFCTR_IOC_UNLINK);
	close(fd);
}

static void *hog(void *arg)
{
	pin(0);
	while (!*(volatile bool *)arg)
		spin(10000);
	return NULL;
}

static void test_tsc(void)
{
	uint64_t t0, t1, v0, v1, last = 0, back = 0, i;
	struct perfctr_dev_control c = two();
	volatile struct perfctr_page *p;
	struct perfctr_dev_sums s;
	bool stop = false;
	pthread_t t;
	int fd = dev();

	ioctl(fd, PERFCTR_IOC_CREATE);
	p = map(fd);
	pin(0);
	control(fd, &c);
	ok(p->all_running == 2, "all_running: two counters and the TSC");
	c.flags = 0;
	control(fd, &c);
	ok(p->all_running == 0 && sums(fd).loaded[0] == 0, "all_running: not without the TSC");
	c = two(); c.nr = 0;
	works(control(fd, &c), "CONTROL with the TSC only");
	/* Another thread takes half of this CPU. */
	pthread_create(&t, NULL, hog, &stop);
	usleep(100000);
	v0 = tsc(p);
	t0 = rdtsc();
	for (i = 0; i < 2000000 || (rdtsc() - t0) / info.tsc_khz < 1000; i++) {
		v1 = tsc(p);
		back += v1 < last;
		last = v1;
	}
	v1 = tsc(p) - v0;
	t1 = rdtsc() - t0;
	stop = true;
	pthread_join(t, NULL);
	s = sums(fd);
	printf("# of %llu ticks %llu were ours; %llu stolen\n", (unsigned long long)t1,
	       (unsigned long long)v1, s.stolen);
	ok(!back, "the TSC never goes back");
	ok(v1 > t1 / 4 && v1 < t1 * 3 / 4, "and runs only while the thread does");
	ok(s.tsc + s.stolen <= rdtsc() && p->tsc_stolen == sums(fd).stolen, "READ has the same");
	ioctl(fd, PERFCTR_IOC_UNLINK);
	munmap((void *)p, PAGE);
	close(fd);
	unpin();
}

static void test_modes(void)
{
	struct perfctr_dev_control c;
	struct perfctr_dev_sums s, s2;
	int fd = dev(), i;

	ioctl(fd, PERFCTR_IOC_CREATE);
	c = two(); c.counter[0].flags = PERFCTR_COUNTER_HOST;
	c.counter[0].evtsel &= ~OS;
	fails(control(fd, &c), EOPNOTSUPP, "CONTROL: Xen's share with one of user and kernel");
	c = two();
	c.counter[0].evtsel = ev_insn;
	c.counter[0].flags = PERFCTR_COUNTER_HOST;
	if (!(info.features & PERFCTR_FEAT_HOST)) {
		fails(control(fd, &c), EOPNOTSUPP,
		      "CONTROL: Xen's share in a guest that may not ask");
	} else {
		c.counter[1].evtsel = ev_insn | USR | OS;
		c.counter[1].flags = PERFCTR_COUNTER_HOST;
		works(control(fd, &c), "CONTROL: Xen's share alone, and with the guest's");
		spin(1000000);
		for (i = 0; i < 100; i++)
			sched_yield();
		s = sums(fd);
		ok(s.pmc[1] > 2000000 + s.pmc[0] && s.pmc[0] > 0,
		   "%llu in Xen, of %llu in all", s.pmc[0], s.pmc[1]);
	}
	if (info.features & PERFCTR_FEAT_SPLIT) {
		c = two();
		c.counter[0].evtsel = ev_insn | USR;
		c.counter[1].evtsel = ev_insn | OS;
		works(control(fd, &c), "CONTROL: user and kernel apart");
		s = sums(fd);
		spin(1000000);
		s2 = sums(fd);
		ok(s2.pmc[0] - s.pmc[0] >= 2000000 && s2.pmc[0] - s.pmc[0] < 2002000 &&
		   s2.pmc[1] > s.pmc[1], "user %llu, kernel %llu", s2.pmc[0] - s.pmc[0],
		   s2.pmc[1] - s.pmc[1]);
	}
	ioctl(fd, PERFCTR_IOC_UNLINK);
	close(fd);
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

static int orphan(int out)
{
	struct perfctr_dev_control c = group_control(PERFCTR_CTL_RECORDS);
	int fd = dev();
	pid_t pid;

	must(!ioctl(fd, PERFCTR_IOC_CREATE) && !control(fd, &c));
	pid = fork();
	if (!pid) {
		close(fd);
		for (;;)
			spin(1000000);
	}
	must(write(out, &pid, sizeof(pid)) == sizeof(pid));
	return 0;
}

static bool member_holds_module(void)
{
	bool good;
	pid_t pid;
	int p[2], i;

	if (pipe(p) || !child(orphan, p[1]) || read(p[0], &pid, sizeof(pid)) != sizeof(pid))
		return false;
	close(p[0]);
	close(p[1]);
	good = rmmod() == -1 && errno == EWOULDBLOCK;
	kill(pid, SIGKILL);
	/* It is not our child: no wait() says when it is gone. */
	for (i = 0; i < 1000 && rmmod(); i++)
		usleep(1000);
	return good && i < 1000 && !insmod();
}

static void test_module(void)
{
	struct perfctr_page *p;
	int i, fd, good = 0;
	pid_t pid;

	test_unregistered();
	ok(!rmmod() && !insmod(), "loaded anew, so that each vCPU has counters");
	for (i = 0; i < 2; i++) {
		pid = start_counting(i);
		ok(pid > 0, "a program counts%s", i ? "" : ", without a handle");
		fails(rmmod(), EWOULDBLOCK, "rmmod is refused");
		end(pid);
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

	for (i = 0, good = 0; i < 3; i++)
		good += member_holds_module();
	ok(good == 3, "a member outlives founder and handles: rmmod is refused, then works");
	good = 0;

	for (i = 0; i < 20; i++) {
		pid = start_counting(i & 1);
		usleep(i * 1000);
		end(pid);
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
	if (argc > 1 && !strcmp(argv[1], "groups")) {
		test_groups();
		test_records();
		test_slots();
		test_tsc();
		test_modes();
	} else if (argc > 2 && !strcmp(argv[1], "module")) {
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
		test_group_errors(fd);
		test_unlink(fd);
		close(fd);
		test_groups();
		test_records();
		test_slots();
		test_tsc();
		test_modes();
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
