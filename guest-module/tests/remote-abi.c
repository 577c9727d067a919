// SPDX-License-Identifier: GPL-2.0-only
/*
 * PERFCTR_IOC_ATTACH and PERFCTR_IOC_CPU_*, checked word by word, without
 * libperfctr: counting other threads, and whole vCPUs.  Prints TAP.  Run as root
 * in a guest with two vCPUs and perfctr.ko loaded.
 *
 * "remote-abi threads" and "remote-abi cpus" do half of it each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uapi/perfctr.h"
#include "../../tests/machine/ruler/ruler.h"

#define DEV	"/dev/perfctr"
#define PAGE	4096

#define USR	0x10000ull
#define OS	0x20000ull

#define NOBODY	65534

#define SETUID_COPY	"/dev/shm/remote-abi-setuid"

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

/* In a child: the first thing that is wrong is its exit status. */
#define must(cond)							\
do {									\
	if (!(cond)) {							\
		printf("# line %d: %s (errno %d)\n", __LINE__, #cond,	\
		       errno);						\
		fflush(stdout);						\
		_exit(1);						\
	}								\
} while (0)

static int dev(void)
{
	return open(DEV, O_RDWR | O_CLOEXEC);
}

/* Exactly 2 * n + 1 instructions, n branches, between its first and last. */
static void spin(uint64_t n)
{
	asm volatile("1: dec %0\n\tjnz 1b" : "+r" (n) : : "cc");
}

static bool split(void)
{
	return info.features & PERFCTR_FEAT_SPLIT;
}

/*
 * Counter 0 instructions, 1 branches.  User mode alone where the guest has it;
 * in a PV guest without PERFCTR_FEAT_SPLIT user and kernel.
 */
static struct perfctr_dev_control two(void)
{
	const __u64 mode = split() ? USR : USR | OS;
	struct perfctr_dev_control c = {
		.nr = 2,
		.flags = PERFCTR_CTL_TSC_ON,
		.counter = {
			{ .index = 0, .evtsel = ev_insn | mode },
			{ .index = 1, .evtsel = ev_branch | mode },
		},
	};

	return c;
}

/* For whole vCPUs: whatever runs there. */
static struct perfctr_dev_control all(void)
{
	struct perfctr_dev_control c = two();

	c.counter[0].evtsel |= USR | OS;
	c.counter[1].evtsel |= USR | OS;
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

static void pin_task(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(tid, sizeof(set), &set);
}

static void unpin(void)
{
	cpu_set_t set;

	memset(&set, -1, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Who holds the module: sets, handles, mappings. */
static int users(void)
{
	FILE *f = fopen("/sys/module/perfctr/refcnt", "r");
	int n = -1;

	if (f) {
		if (fscanf(f, "%d", &n) != 1)
			n = -1;
		fclose(f);
	}
	return n;
}

static void get_info(void)
{
	int fd = works(dev(), "open");

	works(ioctl(fd, PERFCTR_IOC_INFO, &info), "INFO");
	printf("# %s, user and kernel %s\n", info.guest, split() ? "apart" : "together");
	ev_insn = 0xc0;
	ev_branch = info.vendor == PERFCTR_VENDOR_INTEL ? 0xc4 : 0xc2;
	close(fd);
}

/* ---- the other thread ------------------------------------------------------ */

enum job_op { JOB_SPIN, JOB_OPEN, JOB_CREATE, JOB_UNLINK, JOB_EXEC, JOB_EXIT };

struct job {
	enum job_op op;
	uint64_t n;
};

/* A process that does one job after the other, and is blocked in between. */
struct target {
	pid_t pid;
	int jobs, results;
	int mem;
};

static int target_fd = -1;	/* the target's own handle */

static int do_job(const struct job *j)
{
	switch (j->op) {
	case JOB_SPIN:
		spin(j->n);
		return 0;
	case JOB_OPEN:
	case JOB_CREATE:
		target_fd = dev();
		if (ioctl(target_fd, j->op == JOB_OPEN ? PERFCTR_IOC_OPEN : PERFCTR_IOC_CREATE))
			return errno;
		return 0;
	case JOB_UNLINK:
		return ioctl(target_fd, PERFCTR_IOC_UNLINK) ? errno : 0;
	case JOB_EXEC:
		/* On with the same pipes, in a new address space. */
		execl(j->n ? SETUID_COPY : "/proc/self/exe", "remote-abi",
		      "target", NULL);
		return errno;
	default:
		_exit(0);
	}
}

#define JOBS_FD		200
#define RESULTS_FD	201

/* Never returns. */
static void target_main(void)
{
	struct job j;
	int result;

	while (read(JOBS_FD, &j, sizeof(j)) == sizeof(j)) {
		result = do_job(&j);
		if (write(RESULTS_FD, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

static int open_mem(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static struct target start_target(uid_t uid)
{
	int jobs[2], results[2], ready = 0;
	struct target t = {};

	if (pipe2(jobs, O_CLOEXEC) || pipe2(results, O_CLOEXEC))
		exit(2);
	fflush(stdout);
	t.pid = fork();
	if (!t.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(jobs[0], JOBS_FD);
		dup2(results[1], RESULTS_FD);
		if (uid && (setgid(uid) || setuid(uid) || prctl(PR_SET_DUMPABLE, 1)))
			_exit(1);
		close(jobs[1]);
		if (write(RESULTS_FD, &ready, sizeof(ready)) != sizeof(ready))
			_exit(1);
		target_main();
	}
	close(jobs[0]);
	close(results[1]);
	t.jobs = jobs[1];
	t.results = results[0];
	/* Until then it is not yet who it shall be. */
	if (read(t.results, &ready, sizeof(ready)) != sizeof(ready))
		exit(2);
	t.mem = open_mem(t.pid);
	return t;
}

static char state_of(pid_t tid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 0;
		fclose(f);
	}
	return state;
}

static bool wait_state(pid_t tid, char state)
{
	double end = now() + 10;

	while (now() < end) {
		if (state_of(tid) == state)
			return true;
		usleep(200);
	}
	return false;
}

static void give(struct target *t, enum job_op op, uint64_t n)
{
	struct job j = { .op = op, .n = n };

	if (write(t->jobs, &j, sizeof(j)) != sizeof(j))
		exit(2);
}

/* Its result, when it is blocked again. */
static int job(struct target *t, enum job_op op, uint64_t n)
{
	int result = -1;

	give(t, op, n);
	if (read(t->results, &result, sizeof(result)) != sizeof(result))
		return -1;
	return wait_state(t->pid, 'S') ? result : -1;
}

static void end_target(struct target *t)
{
	close(t->jobs);
	close(t->results);
	close(t->mem);
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
}

static int attach(int fd, pid_t tid, int mem, uint32_t flags)
{
	struct perfctr_dev_attach a = { .tid = tid, .mem_fd = mem, .flags = flags };

	return ioctl(fd, PERFCTR_IOC_ATTACH, &a);
}

#define CREATE	PERFCTR_ATTACH_CREATE

/* ---- attach: who may ------------------------------------------------------- */

static void test_attach_errors(void)
{
	struct target t = start_target(0), other = start_target(0);
	struct perfctr_dev_attach a;
	struct perfctr_page *p;
	struct perfctr_dev_sums s;
	int fd = dev(), fd2 = dev(), fd3 = dev(), f;
	char path[64];

	fails(ioctl(fd, PERFCTR_IOC_ATTACH, NULL), EFAULT, "ATTACH: bad pointer");
	fails(attach(fd, t.pid, t.mem, 4 | CREATE), EINVAL, "ATTACH: a flag that does not exist");
	fails(attach(fd, t.pid, t.mem, PERFCTR_ATTACH_OWN), EINVAL, "ATTACH: OWN of what somebody else has made");
	a = (struct perfctr_dev_attach){ .tid = t.pid, .mem_fd = t.mem, .reserved = 1 };
	fails(ioctl(fd, PERFCTR_IOC_ATTACH, &a), EINVAL, "ATTACH: a reserved field");
	fails(attach(fd, 0, t.mem, CREATE), ESRCH, "ATTACH: thread 0");
	fails(attach(fd, -t.pid, t.mem, CREATE), ESRCH, "ATTACH: a negative thread");
	fails(attach(fd, 0x3ffffff, t.mem, CREATE), ESRCH, "ATTACH: no such thread");
	fails(attach(fd, 2, t.mem, CREATE), EINVAL, "ATTACH: a kernel thread");
	fails(attach(fd, t.pid, -1, CREATE), EPERM, "ATTACH: no file");
	fails(attach(fd, t.pid, other.mem, CREATE), EPERM, "ATTACH: another process' memory");
	f = open("/proc/self/mem", O_RDWR);
	fails(attach(fd, t.pid, f, CREATE), EPERM, "ATTACH: the caller's memory");
	close(f);
	f = open("/dev/null", O_RDONLY);
	fails(attach(fd, t.pid, f, CREATE), EPERM, "ATTACH: /dev/null");
	close(f);
	/* It holds the same address space, by a weaker permission. */
	snprintf(path, sizeof(path), "/proc/%d/environ", t.pid);
	f = open(path, O_RDONLY);
	fails(attach(fd, t.pid, f, CREATE), EPERM, "ATTACH: /proc/TID/environ");
	close(f);
	snprintf(path, sizeof(path), "/proc/%d/mem", t.pid);
	f = open(path, O_PATH);
	fails(attach(fd, t.pid, f, CREATE), EPERM, "ATTACH: its memory, not really open");
	close(f);
	f = open("/dev/shm/mem", O_RDWR | O_CREAT, 0600);
	unlink("/dev/shm/mem");
	fails(attach(fd, t.pid, f, CREATE), EPERM, "ATTACH: another file named mem");
	close(f);
	fails(attach(fd, t.pid, t.mem, 0), ESRCH, "ATTACH: it has no set");
	fails(ioctl(fd, PERFCTR_IOC_READ, &s), ENOENT, "after errors the handle is not bound");

	works(attach(fd, t.pid, t.mem, CREATE), "ATTACH with CREATE");
	fails(attach(fd, t.pid, t.mem, CREATE), EBUSY, "ATTACH of a bound handle");
	fails(ioctl(fd, PERFCTR_IOC_CREATE), EBUSY, "CREATE on it");
	fails(ioctl(fd, PERFCTR_IOC_OPEN), EBUSY, "OPEN on it");
	fails(attach(fd2, t.pid, t.mem, CREATE), EEXIST, "ATTACH with CREATE: it has a set");
	works(attach(fd2, t.pid, t.mem, 0), "ATTACH to its set");
	ok(job(&t, JOB_CREATE, 0) == EEXIST, "the thread itself can't create another");
	ok(job(&t, JOB_OPEN, 0) == 0, "but open this one");
	s = sums(fd);
	ok(s.nr == 0 && s.status == 0, "a new set counts nothing");
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	ok(p != MAP_FAILED && p->nr == 0 && p->status == PERFCTR_STATUS_ERROR &&
	   p->error == -ESRCH, "mmap shows the empty page");
	munmap(p, PAGE);
	works(ioctl(fd2, PERFCTR_IOC_UNLINK), "UNLINK");
	fails(ioctl(fd, PERFCTR_IOC_UNLINK), ENOENT, "UNLINK on the other handle: it has ended");
	ok(job(&t, JOB_UNLINK, 0) == ENOENT, "nor can the thread");
	fails(attach(fd3, t.pid, t.mem, 0), ESRCH, "ATTACH: it has no set any more");
	works(attach(fd3, t.pid, t.mem, CREATE), "ATTACH with CREATE of a new one");
	close(fd);
	close(fd2);
	close(fd3);

	end_target(&t);
	end_target(&other);
}

static void test_attach_exec(void)
{
	struct perfctr_dev_control c = two();
	struct target t = start_target(0);
	struct perfctr_dev_sums s;
	int fd = dev(), fd2 = dev(), mem;

	attach(fd, t.pid, t.mem, CREATE);
	control(fd, &c);
	give(&t, JOB_EXEC, 0);
	usleep(100000);
	wait_state(t.pid, 'S');
	fails(attach(fd2, t.pid, t.mem, 0), EPERM, "ATTACH: its memory before an exec");
	mem = open_mem(t.pid);
	works(attach(fd2, t.pid, mem, 0), "ATTACH: its memory after it; the set is the same");
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_RUNNING && s.pmc[0] > 1000, "an exec keeps the set");
	works(control(fd, &c), "CONTROL by the handle of before");
	ok(job(&t, JOB_SPIN, 1000000) == 0 && sums(fd).pmc[0] >= 2000000, "it counts");

	/* What the thread itself may ask for, it may be asked to. */
	c.flags |= PERFCTR_CTL_START_ON_EXEC;
	works(control(fd, &c), "CONTROL with START_ON_EXEC");
	job(&t, JOB_SPIN, 1000000);
	s = sums(fd);
	ok(!s.pmc[0] && !s.pmc[1] && s.status == PERFCTR_STATUS_RUNNING,
	   "nothing before the exec");
	give(&t, JOB_EXEC, 0);
	usleep(100000);
	wait_state(t.pid, 'S');
	ok(sums(fd).pmc[0] > 1000, "but from then on");
	c = two();
	c.flags |= PERFCTR_CTL_CLOEXEC;
	works(control(fd, &c), "CONTROL with CLOEXEC");
	give(&t, JOB_EXEC, 0);
	usleep(100000);
	wait_state(t.pid, 'S');
	fails(control(fd, &c), ENOENT, "ended by the exec");
	close(fd);
	close(fd2);
	close(mem);
	end_target(&t);
}

static void test_attach_users(void)
{
	struct target theirs = start_target(NOBODY), roots = start_target(0);
	struct perfctr_dev_control c = two();
	int status, fd;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int mem, own;

		must(!setgid(NOBODY) && !setuid(NOBODY));
		must(open_mem(roots.pid) == -1);
		fd = dev();
		own = open("/proc/self/mem", O_RDONLY);
		must(attach(fd, roots.pid, own, CREATE) == -1 && errno == EPERM);
		must(attach(fd, 1, own, CREATE) == -1 && errno == EPERM);
		/* Its own user's it may trace. */
		mem = open_mem(theirs.pid);
		must(mem >= 0);
		must(attach(fd, roots.pid, mem, CREATE) == -1 && errno == EPERM);
		must(!attach(fd, theirs.pid, mem, CREATE));
		must(!control(fd, &c) && sums(fd).status == PERFCTR_STATUS_RUNNING);
		must(!ioctl(fd, PERFCTR_IOC_STOP) && sums(fd).status == 0);
		must(!ioctl(fd, PERFCTR_IOC_UNLINK));
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && !status,
	   "a user attaches to the own processes, not to root's");
	fflush(stdout);
	pid = fork();
	if (!pid) {
		must(!setgid(NOBODY - 1) && !setuid(NOBODY - 1));
		must(open_mem(theirs.pid) == -1);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && !status, "nor to another user's");
	end_target(&theirs);
	end_target(&roots);
}

static void test_attach_setuid(void)
{
	struct perfctr_dev_control c = two();
	struct target t = start_target(NOBODY);
	struct perfctr_dev_sums s;
	int fd = dev(), fd2 = dev();

	if (system("cp \"$REMOTE_ABI\" " SETUID_COPY " && chmod 4755 " SETUID_COPY))
		ok(false, "copy for setuid");
	works(attach(fd, t.pid, t.mem, CREATE), "ATTACH to a user's process");
	control(fd, &c);
	job(&t, JOB_SPIN, 1000000);
	give(&t, JOB_EXEC, 1);
	usleep(200000);
	wait_state(t.pid, 'S');
	s = sums(fd);
	ok(s.status == PERFCTR_STATUS_ERROR && s.error == -EPERM && s.pmc[0] >= 2000000,
	   "an exec that raises rights ends the set");
	fails(control(fd, &c), ENOENT, "CONTROL after that");
	fails(attach(fd2, t.pid, t.mem, CREATE), EPERM, "ATTACH by the memory of before");
	unlink(SETUID_COPY);
	close(fd);
	close(fd2);
	end_target(&t);
}

/* ---- attach: counts -------------------------------------------------------- */

/*
 * What the target counts from one blocking to the next, with a loop of n.  In
 * user mode alone that is the same in each round, to the instruction.
 */
static bool rounds(struct target *t, int fd, uint64_t n, uint64_t least[2])
{
	uint64_t most[2] = {};
	int i, j;

	least[0] = ~0ull;
	least[1] = ~0ull;
	for (i = 0; i < 20; i++) {
		struct perfctr_dev_sums a = sums(fd), b;

		if (job(t, JOB_SPIN, n))
			return false;
		b = sums(fd);
		for (j = 0; j < 2; j++) {
			uint64_t d = b.pmc[j] - a.pmc[j];

			least[j] = d < least[j] ? d : least[j];
			most[j] = d > most[j] ? d : most[j];
		}
	}
	printf("# loop of %llu: %llu to %llu instructions, %llu to %llu branches\n",
	       (unsigned long long)n,
	       (unsigned long long)least[0], (unsigned long long)most[0],
	       (unsigned long long)least[1], (unsigned long long)most[1]);
	return !split() || (least[0] == most[0] && least[1] == most[1]);
}

static bool near(uint64_t got, uint64_t want)
{
	/* With the kernel in it, two system calls differ by an interrupt. */
	uint64_t slack = split() ? 0 : 20000;

	return got + slack >= want && got <= want + slack;
}

static void test_attach_counts(void)
{
	struct perfctr_dev_control c = two(), bad, got;
	struct target t = start_target(0);
	struct perfctr_dev_sums s, s2;
	uint64_t small[2], large[2];
	int fd = dev();
	bool same;

	job(&t, JOB_SPIN, 1000);
	works(attach(fd, t.pid, t.mem, CREATE), "ATTACH to a blocked process");
	works(control(fd, &c), "CONTROL");
	ok(!ioctl(fd, PERFCTR_IOC_GET_CONTROL, &got) && !memcmp(&got, &c, sizeof(c)),
	   "GET_CONTROL: in force");
	s = sums(fd);
	ok(s.nr == 2 && s.status == PERFCTR_STATUS_RUNNING && !s.pmc[0] && !s.pmc[1] && !s.tsc,
	   "who is blocked counts nothing");

	same = rounds(&t, fd, 1000, small);
	same = rounds(&t, fd, 1001000, large) && same;
	ok(same, "each round counts the same");
	ok(near(large[0] - small[0], 2000000), "2,000,000 instructions: %llu",
	   (unsigned long long)(large[0] - small[0]));
	ok(near(large[1] - small[1], 1000000), "1,000,000 branches: %llu",
	   (unsigned long long)(large[1] - small[1]));
	ok(sums(fd).tsc > s.tsc, "its TSC runs");

	s = sums(fd);
	bad = c;
	bad.counter[1].index = 77;
	fails(control(fd, &bad), EINVAL, "CONTROL: no such counter");
	bad = c;
	bad.counter[0].evtsel |= 1ull << 63;
	fails(control(fd, &bad), EINVAL, "CONTROL: a reserved bit");
	bad = c;
	bad.counter[0].ireset = -1;
	fails(control(fd, &bad), EINVAL, "CONTROL: a period too short");
	s2 = sums(fd);
	ok(!memcmp(&s, &s2, sizeof(s)) && control_nr(fd) == 2, "after errors it is what it was");

	works(ioctl(fd, PERFCTR_IOC_STOP), "STOP");
	job(&t, JOB_SPIN, 1000000);
	s2 = sums(fd);
	ok(s2.pmc[0] == s.pmc[0] && s2.pmc[1] == s.pmc[1] && s2.status == 0 && s2.nr == 2 &&
	   control_nr(fd) == 0, "STOP: sums stay");
	c.preserve = 1;
	works(control(fd, &c), "CONTROL that preserves counter 0");
	s2 = sums(fd);
	ok(s2.pmc[0] == s.pmc[0] && s2.pmc[1] == 0, "its sum stays, the other starts at 0");
	job(&t, JOB_SPIN, 1000000);
	s2 = sums(fd);
	ok(s2.pmc[0] >= s.pmc[0] + 2000000 && s2.pmc[1] >= 1000000, "and goes on");

	/* The thread's own counts are the same. */
	ok(job(&t, JOB_OPEN, 0) == 0 && job(&t, JOB_UNLINK, 0) == 0,
	   "the thread itself ends the set");
	fails(control(fd, &c), ENOENT, "CONTROL then");
	fails(ioctl(fd, PERFCTR_IOC_STOP), ENOENT, "STOP then");
	s = sums(fd);
	ok(s.status == 0 && s.pmc[0] >= s2.pmc[0], "READ then: its last counts");
	close(fd);
	end_target(&t);
}

/* Publishes how many loops of 10,000 it has done. */
static volatile uint64_t *progress;

static void spin_for_ever(int cpu)
{
	pin_task(0, cpu);
	for (;;) {
		spin(10000);
		++*progress;
	}
}

static pid_t start_spinner(int cpu)
{
	pid_t pid;

	*progress = 0;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		spin_for_ever(cpu);
	}
	while (*progress < 10)
		usleep(1000);
	return pid;
}

/*
 * A thread that spins alone on its vCPU is hardly ever switched.  A READ that did
 * not interrupt it would be late by millions.
 */
static void test_attach_running(void)
{
	struct perfctr_dev_control c = two();
	int fd = dev(), i, late = 0, wrong = 0, mem;
	uint64_t before, after, first[2] = {}, max = 0;
	struct perfctr_dev_sums s, s2, last = {};
	pid_t pid;

	pin_task(0, 0);
	pid = start_spinner(1);
	mem = open_mem(pid);
	works(attach(fd, pid, mem, CREATE), "ATTACH to a running process");
	works(control(fd, &c), "CONTROL");
	/* Each loop: 20,001, and the few instructions around. */
	for (i = 0; i < 200; i++) {
		before = *progress;
		s = sums(fd);
		after = *progress;
		if (!i) {
			first[0] = before;
			first[1] = after;
			last = s;
			continue;
		}
		if (s.pmc[0] < last.pmc[0] || s.pmc[1] < last.pmc[1] || s.error)
			wrong++;
		if (before > first[1] + 1 &&
		    s.pmc[0] - last.pmc[0] < (before - first[1] - 1) * 20001)
			late++;
		/* In user mode alone also the other way round: no more than it did. */
		if (split() && s.pmc[0] - last.pmc[0] > (after - first[0] + 1) * 20010)
			wrong++;
		if (s.pmc[0] - last.pmc[0] > max)
			max = s.pmc[0] - last.pmc[0];
		usleep(500);
	}
	ok(!late && !wrong && max > 1000000,
	   "READ of a running thread is as of now (%d late, %d wrong of 200; %llu instructions)",
	   late, wrong, (unsigned long long)max);

	works(ioctl(fd, PERFCTR_IOC_STOP), "STOP while it runs");
	s = sums(fd);
	usleep(20000);
	s2 = sums(fd);
	ok(s.status == 0 && !memcmp(&s, &s2, sizeof(s)), "it counts no more");
	for (i = 0, wrong = 0; i < 100; i++) {
		wrong += control(fd, &c) != 0;
		s = sums(fd);
		before = *progress;
		while (*progress < before + 3)
			;
		s2 = sums(fd);
		wrong += s2.pmc[0] - s.pmc[0] < 2 * 20001 || s2.error ||
			s2.status != PERFCTR_STATUS_RUNNING;
		if (i & 1)
			wrong += ioctl(fd, PERFCTR_IOC_STOP) != 0;
	}
	ok(!wrong, "a hundred times CONTROL, READ, STOP while it runs");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	s = sums(fd);
	ok(s.status & PERFCTR_STATUS_EXITED, "killed: its counts are final");
	fails(ioctl(fd, PERFCTR_IOC_STOP), ENOENT, "STOP then");
	close(fd);
	close(mem);
	unpin();
}

struct thread_arg {
	pthread_t thread;
	volatile pid_t tid;
	uint64_t n;
	pthread_barrier_t *go;
};

static void *thread_fn(void *arg)
{
	struct thread_arg *a = arg;

	a->tid = syscall(SYS_gettid);
	pthread_barrier_wait(a->go);
	pthread_barrier_wait(a->go);
	spin(a->n);
	pthread_barrier_wait(a->go);
	pthread_barrier_wait(a->go);
	return NULL;
}

/* In one's own process, each thread by its own id. */
static void test_attach_threads(void)
{
	struct thread_arg a[2] = { { .n = 3000000 }, { .n = 5000000 } };
	int fd[2], mem = open("/proc/self/mem", O_RDONLY), i, self;
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s[2];
	pthread_barrier_t go;

	pthread_barrier_init(&go, NULL, 3);
	for (i = 0; i < 2; i++) {
		a[i].go = &go;
		pthread_create(&a[i].thread, NULL, thread_fn, &a[i]);
	}
	pthread_barrier_wait(&go);
	for (i = 0; i < 2; i++) {
		fd[i] = dev();
		works(attach(fd[i], a[i].tid, mem, CREATE), "ATTACH to thread %d", i);
		works(control(fd[i], &c), "CONTROL of it");
	}
	pthread_barrier_wait(&go);
	pthread_barrier_wait(&go);
	for (i = 0; i < 2; i++) {
		s[i] = sums(fd[i]);
		ok(s[i].pmc[0] > 2 * a[i].n && s[i].pmc[0] < 2 * a[i].n + 1000000 &&
		   s[i].pmc[1] > a[i].n && s[i].pmc[1] < a[i].n + 300000,
		   "thread %d counts its own: %llu instructions", i, s[i].pmc[0]);
	}
	pthread_barrier_wait(&go);
	for (i = 0; i < 2; i++) {
		pthread_join(a[i].thread, NULL);
		close(fd[i]);
	}

	self = dev();
	works(attach(self, getpid(), mem, CREATE), "ATTACH to oneself");
	works(control(self, &c), "CONTROL of oneself");
	s[0] = sums(self);
	spin(1000000);
	s[1] = sums(self);
	ok(s[1].pmc[0] - s[0].pmc[0] >= 2000000, "counts");
	works(ioctl(self, PERFCTR_IOC_UNLINK), "UNLINK of oneself");
	close(self);
	close(mem);
}

/* ---- attach: races --------------------------------------------------------- */

static void test_attach_exit(void)
{
	int none = users(), i, attached = 0, gone = 0, wrong = 0, fd, mem, e;
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s;
	struct target t;
	pid_t pid;

	t = start_target(0);
	give(&t, JOB_EXIT, 0);
	wait_state(t.pid, 'Z');
	fd = dev();
	fails(attach(fd, t.pid, t.mem, CREATE), ESRCH, "ATTACH to a zombie");
	close(fd);
	end_target(&t);

	for (i = 0; i < 100; i++) {
		int go[2];
		char b = 0;

		if (pipe(go))
			exit(2);
		fflush(stdout);
		pid = fork();
		if (!pid) {
			e = read(go[0], &b, 1);
			spin(1 + i * 2000);
			_exit(0);
		}
		mem = open_mem(pid);
		fd = dev();
		e = write(go[1], &b, 1);
		e = attach(fd, pid, mem, CREATE) ? errno : 0;
		attached += !e;
		gone += e == ESRCH;
		wrong += e && e != ESRCH;
		if (!e) {
			e = control(fd, &c) ? errno : 0;
			wrong += e && e != ENOENT;
		}
		waitpid(pid, NULL, 0);
		s = sums(fd);
		if (s.status != ~0u)
			wrong += !(s.status & PERFCTR_STATUS_EXITED) || s.error;
		close(mem);
		close(fd);
		close(go[0]);
		close(go[1]);
	}
	ok(!wrong, "ATTACH to 100 that exit: %d in time, %d too late", attached, gone);
	ok(users() == none, "none holds the module (%d)", users() - none);
}

/* The thread and another one create, control and end its set at once. */
static void test_attach_storm(void)
{
	int none = users(), mem, fd, e, wrong = 0, both = 0;
	struct perfctr_dev_control c = two();
	struct perfctr_dev_sums s;
	double end;
	pid_t pid;

	*progress = 0;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin_task(0, 1);
		for (;; ++*progress) {
			fd = dev();
			e = ioctl(fd, PERFCTR_IOC_CREATE) ? errno : 0;
			must(!e || e == EEXIST);
			if (e == EEXIST) {
				e = ioctl(fd, PERFCTR_IOC_OPEN) ? errno : 0;
				must(!e || e == ESRCH);
			}
			if (!e) {
				e = control(fd, &c) ? errno : 0;
				must(!e || e == ENOENT);
				spin(1000);
				e = ioctl(fd, PERFCTR_IOC_STOP) ? errno : 0;
				must(!e || e == ENOENT);
				e = ioctl(fd, PERFCTR_IOC_UNLINK) ? errno : 0;
				must(!e || e == ENOENT);
			}
			close(fd);
		}
	}
	mem = open_mem(pid);
	pin_task(0, 0);
	for (end = now() + 1; now() < end;) {
		fd = dev();
		e = attach(fd, pid, mem, CREATE) ? errno : 0;
		if (e == EEXIST)
			e = attach(fd, pid, mem, 0) ? errno : 0;
		if (!e) {
			both++;
			e = control(fd, &c) ? errno : 0;
			wrong += e && e != ENOENT;
			s = sums(fd);
			wrong += s.error != 0;
			e = ioctl(fd, PERFCTR_IOC_UNLINK) ? errno : 0;
			wrong += e && e != ENOENT;
		} else {
			wrong += e != ESRCH;
		}
		close(fd);
	}
	ok(!wrong && both > 10 && *progress > 10 && waitpid(pid, NULL, WNOHANG) == 0,
	   "a set created and ended from both sides: %d and %llu times", both,
	   (unsigned long long)*progress);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(mem);
	ok(users() == none, "none holds the module (%d)", users() - none);
	unpin();
}

static void test_attach_passed(void)
{
	struct perfctr_dev_control c = two();
	struct target t = start_target(0);
	int fd = dev(), status;
	pid_t pid;

	attach(fd, t.pid, t.mem, CREATE);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* Who could not have attached. */
		must(!setgid(NOBODY) && !setuid(NOBODY));
		must(open_mem(t.pid) == -1);
		must(!control(fd, &c));
		must(job(&t, JOB_SPIN, 100000) == 0);
		must(sums(fd).pmc[0] >= 200000);
		must(!ioctl(fd, PERFCTR_IOC_STOP));
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && !status,
	   "a handle keeps its rights in other hands, as an open file does");
	close(fd);
	end_target(&t);
}

static int has_set(pid_t pid)
{
	int fd = dev(), mem = open_mem(pid), e;

	e = attach(fd, pid, mem, 0) ? errno : 0;
	close(mem);
	close(fd);
	return e == ESRCH ? 0 : e ? -e : 1;
}

#define OWNED	100

/* A set of @flags, which the members of a group have, counts; then its maker is killed. */
static void leave_behind(pid_t pid, int mem, uint32_t flags)
{
	struct perfctr_dev_control c = two();
	int ends[2], status;
	char byte;
	pid_t tool;

	c.flags |= PERFCTR_CTL_INHERIT;
	if (pipe(ends))
		exit(2);
	fflush(stdout);
	tool = fork();
	if (!tool) {
		int fd = dev();

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		must(!attach(fd, pid, mem, flags));
		must(!control(fd, &c));
		must(write(ends[1], "x", 1) == 1);
		for (;;)
			pause();
	}
	close(ends[1]);
	must(read(ends[0], &byte, 1) == 1);
	/* The group grows. */
	*progress = 0;
	kill(pid, SIGUSR1);
	while (*progress < OWNED)
		usleep(1000);
	kill(tool, SIGKILL);
	must(waitpid(tool, &status, 0) == tool && WIFSIGNALED(status));
	close(ends[0]);
}

static volatile sig_atomic_t told;

static void tell(int signo)
{
	(void)signo;
	told = 1;
}

/* With its children, which live as long as it does, when it is told to have some. */
static __attribute__((noreturn)) void owned_main(void)
{
	pid_t self = getpid();
	sigset_t usr1, before;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &before);
	signal(SIGUSR1, tell);
	*progress = 1;
	while (!told)
		sigsuspend(&before);
	for (i = 0; i < OWNED; i++) {
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (getppid() != self)
				_exit(0);
			progress[1] = (uint64_t)getpid();
			__atomic_add_fetch(progress, 1, __ATOMIC_RELAXED);
			for (;;)
				pause();
		}
	}
	for (;;)
		pause();
}

static void test_attach_owned(void)
{
	static const struct {
		uint32_t flags;
		const char *what;
	} rows[] = {
		{ CREATE, "without OWN what a killed tool has made stays" },
		{ CREATE | PERFCTR_ATTACH_OWN, "with OWN it ends, and what it has founded" },
	};
	int none = users(), mem, before, after, child;
	unsigned int i;
	pid_t pid;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		*progress = 0;
		fflush(stdout);
		pid = fork();
		if (!pid)
			owned_main();
		while (!*progress)
			usleep(1000);
		mem = open_mem(pid);
		before = has_set(pid);
		leave_behind(pid, mem, rows[i].flags);
		after = has_set(pid);
		child = has_set((pid_t)progress[1]);
		ok(!before && after == !i && child == !i, "%s (%d %d %d)", rows[i].what, before, after,
		   child);
		if (i)
			ok(users() == none, "none of %d holds the module (%d)", OWNED, users() - none);
		close(mem);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		/* Its children end by its end. */
		usleep(300000);
	}
	ok(users() == none, "none holds the module (%d)", users() - none);
}

/* ---- whole vCPUs ----------------------------------------------------------- */

static int cpu_control(int fd, unsigned int cpu, const struct perfctr_dev_control *c)
{
	struct perfctr_dev_cpu a = { .cpu = cpu, .control = *c };

	return ioctl(fd, PERFCTR_IOC_CPU_CONTROL, &a);
}

static struct perfctr_dev_cpu cpu_read(int fd, unsigned int cpu)
{
	struct perfctr_dev_cpu a = { .cpu = cpu };

	if (ioctl(fd, PERFCTR_IOC_CPU_READ, &a))
		a.sums.status = ~0u;
	return a;
}

static uint64_t cpu_insn(int fd, unsigned int cpu)
{
	struct perfctr_dev_cpu a = cpu_read(fd, cpu);

	return a.sums.status == PERFCTR_STATUS_RUNNING ? a.sums.pmc[0] : 0;
}

static void test_cpu_errors(void)
{
	struct perfctr_dev_control c = all(), bad;
	struct perfctr_dev_cpu a = { .control = c };
	int fd = dev(), bound = dev(), fd2 = dev(), status;
	struct perfctr_dev_sums s;
	pid_t pid;

	fails(ioctl(fd, PERFCTR_IOC_CPU_CONTROL, NULL), EFAULT, "CPU_CONTROL: bad pointer");
	fails(ioctl(fd, PERFCTR_IOC_CPU_READ, &a), ENOENT, "CPU_READ before CPU_CONTROL");
	a.pad = 1;
	fails(ioctl(fd, PERFCTR_IOC_CPU_CONTROL, &a), EINVAL, "CPU_CONTROL: a reserved field");
	fails(cpu_control(fd, 9999, &c), ENXIO, "CPU_CONTROL: no such CPU");
	fails(cpu_control(fd, ~0u, &c), ENXIO, "CPU_CONTROL: CPU -1");
	bad = c; bad.flags |= PERFCTR_CTL_CLOEXEC;
	fails(cpu_control(fd, 0, &bad), EINVAL, "CPU_CONTROL: CLOEXEC");
	bad = c; bad.flags |= PERFCTR_CTL_START_ON_EXEC;
	fails(cpu_control(fd, 0, &bad), EINVAL, "CPU_CONTROL: START_ON_EXEC");
	bad = c; bad.flags |= PERFCTR_CTL_INHERIT;
	fails(cpu_control(fd, 0, &bad), EINVAL, "CPU_CONTROL: INHERIT");
	bad = c; bad.counter[1].flags = PERFCTR_COUNTER_SLOT(1);
	fails(cpu_control(fd, 0, &bad), EINVAL, "CPU_CONTROL: a second slot");
	bad = c; bad.counter[1].index = 77;
	fails(cpu_control(fd, 0, &bad), EINVAL, "CPU_CONTROL: no such counter");
	bad = c; bad.preserve = 4;
	fails(cpu_control(fd, 0, &bad), EINVAL, "CPU_CONTROL: preserves a counter not there");
	fails(ioctl(fd, PERFCTR_IOC_READ, &s), ENOENT, "after errors the handle is not bound");

	ioctl(bound, PERFCTR_IOC_CREATE);
	fails(cpu_control(bound, 0, &c), EBUSY, "CPU_CONTROL by a thread's handle");
	fails(ioctl(bound, PERFCTR_IOC_CPU_READ, &a), EBUSY, "CPU_READ by a thread's handle");

	works(cpu_control(fd, 0, &c), "CPU_CONTROL; a set that does not count is no obstacle");
	fails(cpu_control(fd2, 1, &c), EBUSY, "CPU_CONTROL by a second handle");
	fails(ioctl(fd, PERFCTR_IOC_CREATE), EBUSY, "CREATE on the handle");
	fails(ioctl(fd, PERFCTR_IOC_OPEN), EBUSY, "OPEN on the handle");
	fails(attach(fd, 1, 0, CREATE), EBUSY, "ATTACH on the handle");
	fails(ioctl(fd, PERFCTR_IOC_READ, &s), ENOENT, "READ on the handle");
	fails(control(fd, &c), ENOENT, "CONTROL on the handle");
	fails(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), ENOENT, "mmap of the handle");
	fails(ioctl(fd, PERFCTR_IOC_CPU_READ, NULL), EFAULT, "CPU_READ: bad pointer");
	a = (struct perfctr_dev_cpu){ .cpu = 9999 };
	fails(ioctl(fd, PERFCTR_IOC_CPU_READ, &a), ENXIO, "CPU_READ: no such CPU");
	a = cpu_read(fd, 1);
	ok(a.sums.status == 0 && a.sums.nr == 0 && a.control.nr == 0,
	   "CPU_READ of a CPU that does not count");
	a = cpu_read(fd, 0);
	ok(a.sums.status == PERFCTR_STATUS_RUNNING && a.sums.nr == 2 && a.sums.pmc[0] &&
	   !memcmp(&a.control, &c, sizeof(c)), "CPU_READ: counts, and the control in force");

	fflush(stdout);
	pid = fork();
	if (!pid) {
		must(!setgid(NOBODY) && !setuid(NOBODY));
		must(cpu_control(fd, 0, &c) == -1 && errno == EPERM);
		must(cpu_control(dev(), 0, &c) == -1 && errno == EPERM);
		must(ioctl(fd, PERFCTR_IOC_CPU_READ, &a) == -1 && errno == EPERM);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && !status, "EPERM without the capability");
	ioctl(bound, PERFCTR_IOC_UNLINK);
	close(bound);
	close(fd2);
	close(fd);
}

static void test_cpu_exclusive(void)
{
	struct perfctr_dev_control c = all(), tsc = all();
	/* First: it must not inherit the handles. */
	struct target t = start_target(0);
	int fd = dev(), thread = dev(), remote = dev(), self;

	tsc.nr = 0;
	ioctl(thread, PERFCTR_IOC_CREATE);
	attach(remote, t.pid, t.mem, CREATE);
	works(control(thread, &c), "a thread counts");
	fails(cpu_control(fd, 0, &c), EBUSY, "CPU_CONTROL then");
	works(control(thread, &tsc), "its TSC only");
	fails(cpu_control(fd, 0, &c), EBUSY, "CPU_CONTROL then");
	ioctl(thread, PERFCTR_IOC_STOP);
	works(control(remote, &c), "a thread that is blocked");
	fails(cpu_control(fd, 0, &c), EBUSY, "CPU_CONTROL then");
	ioctl(remote, PERFCTR_IOC_STOP);
	works(cpu_control(fd, 0, &c), "CPU_CONTROL when they have stopped");
	fails(control(thread, &c), EBUSY, "CONTROL of a thread");
	fails(control(thread, &tsc), EBUSY, "CONTROL of its TSC only");
	fails(control(remote, &c), EBUSY, "CONTROL of another thread");
	ok(cpu_insn(fd, 0) > 0, "the CPU counts on");
	self = cpu_control(fd, 0, &(struct perfctr_dev_control){});
	ok(!self, "CPU_CONTROL with no counter stops it");
	fails(control(thread, &c), EBUSY, "CONTROL of a thread while the handle is open");
	close(fd);
	works(control(thread, &c), "CONTROL of a thread when it is closed");
	spin(100000);
	ok(sums(thread).pmc[0] >= 200000 && !sums(thread).error, "which counts");
	ioctl(thread, PERFCTR_IOC_UNLINK);
	close(thread);
	close(remote);
	end_target(&t);
}

/* Both sides try; whoever succeeds must have the vCPU for itself. */
static void test_cpu_race(void)
{
	struct perfctr_dev_control c = two(), whole = all();
	int fd = dev(), e, wrong = 0, cpus = 0, busy = 0;
	double end;
	pid_t pid;

	*progress = 0;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pin_task(0, 1);
		must(!ioctl(fd, PERFCTR_IOC_CREATE));
		for (;;) {
			struct perfctr_dev_sums s;

			/* With icount the CPUs take turns: let the other's begin. */
			usleep(rand() % 200);
			e = control(fd, &c) ? errno : 0;
			must(!e || e == EBUSY);
			if (e)
				continue;
			++*progress;
			spin(10000);
			s = sums(fd);
			must(s.pmc[0] >= 20000 && !s.error &&
			     s.status == PERFCTR_STATUS_RUNNING);
			must(!ioctl(fd, PERFCTR_IOC_STOP));
		}
	}
	close(fd);
	pin_task(0, 0);
	for (end = now() + 1; now() < end;) {
		usleep(rand() % 2000);
		fd = dev();
		e = cpu_control(fd, 1, &whole) ? errno : 0;
		cpus += !e;
		busy += e == EBUSY;
		wrong += e && e != EBUSY;
		if (!e) {
			uint64_t a = cpu_insn(fd, 1), b;

			usleep(1000);
			b = cpu_insn(fd, 1);
			/* The other one asks all the time. */
			wrong += b < a + 1000;
		}
		close(fd);
	}
	ok(!wrong && cpus > 10 && *progress > 10 && waitpid(pid, NULL, WNOHANG) == 0,
	   "CONTROL and CPU_CONTROL race: %llu and %d times (%d times busy)",
	   (unsigned long long)*progress, cpus, busy);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unpin();
}

static sigjmp_buf no_ruler;

static void on_fault(int sig)
{
	siglongjmp(no_ruler, sig);
}

static bool ruler_is_there(void)
{
	volatile bool there = false;

	signal(SIGILL, on_fault);
	signal(SIGSEGV, on_fault);
	if (!sigsetjmp(no_ruler, 1))
		there = ruler_read(RULER_VERSION) == RULER_VERSION_1;
	signal(SIGILL, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return there;
}

/* All that runs in PV guests, their kernels included, is in ring 3. */
static uint64_t ruler_ring3(enum ruler_event event)
{
	return ruler_read(RULER_ALL_CPUS | RULER_EV(event, RULER_HOST_USER));
}

struct cpu_counts {
	uint64_t insn, branches;
};

static struct cpu_counts both_cpus(int fd)
{
	struct perfctr_dev_cpu a = cpu_read(fd, 0), b = cpu_read(fd, 1);

	return (struct cpu_counts){
		a.sums.pmc[0] + b.sums.pmc[0],
		a.sums.pmc[1] + b.sums.pmc[1],
	};
}

/*
 * The ruler counts a physical CPU, in whatever mode, by-passing its PMU.  When
 * dom0 alone runs, what its vCPUs count is what the machine does in ring 3.
 */
static void test_cpu_ruler(int fd)
{
	uint64_t outer[2], inner[2], b[2], x[2];
	struct cpu_counts c0, c1;

	if (strcmp(info.guest, "PV dom0") || !ruler_is_there()) {
		ok(true, "vCPUs and ruler # SKIP no ruler, or not alone on the machine");
		return;
	}
	pin_task(0, 0);
	outer[0] = ruler_ring3(RULER_INSN);
	outer[1] = ruler_ring3(RULER_BRANCHES);
	c0 = both_cpus(fd);
	inner[0] = ruler_ring3(RULER_INSN);
	inner[1] = ruler_ring3(RULER_BRANCHES);
	spin(20000000);
	usleep(200000);
	pin_task(0, 1);
	spin(20000000);
	b[0] = ruler_ring3(RULER_INSN);
	b[1] = ruler_ring3(RULER_BRANCHES);
	c1 = both_cpus(fd);
	x[0] = ruler_ring3(RULER_INSN);
	x[1] = ruler_ring3(RULER_BRANCHES);
	/* The ruler's part of the other CPU may be some blocks old. */
	ok(c1.insn - c0.insn + 5000 >= b[0] - inner[0] &&
	   c1.insn - c0.insn <= x[0] - outer[0] + 5000,
	   "both vCPUs count what the ruler does: %llu <= %llu <= %llu instructions",
	   (unsigned long long)(b[0] - inner[0]), (unsigned long long)(c1.insn - c0.insn),
	   (unsigned long long)(x[0] - outer[0]));
	ok(c1.branches - c0.branches + 1000 >= b[1] - inner[1] &&
	   c1.branches - c0.branches <= x[1] - outer[1] + 1000,
	   "%llu <= %llu <= %llu branches",
	   (unsigned long long)(b[1] - inner[1]),
	   (unsigned long long)(c1.branches - c0.branches),
	   (unsigned long long)(x[1] - outer[1]));
	ok((x[0] - outer[0]) - (b[0] - inner[0]) < (b[0] - inner[0]) / 50,
	   "between bounds less than 2 %% apart");
}

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a" (lo), "=d" (hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void test_cpu_counts(void)
{
	struct perfctr_dev_control c = all(), none = {};
	struct perfctr_dev_cpu a0, a1, b0, b1;
	int fd = dev(), cpu, i, j, wrong;
	uint64_t t, insn[2], branches[2];

	for (cpu = 0; cpu < 2; cpu++)
		works(cpu_control(fd, cpu, &c), "CPU_CONTROL of CPU %d", cpu);
	for (cpu = 0; cpu < 2; cpu++) {
		pin_task(0, cpu);
		/*
		 * What it costs to ask is the kernel's affair, and so are its interrupts: a
		 * loop short enough for some to be without, and as often as that takes.
		 */
		insn[0] = branches[0] = insn[1] = branches[1] = ~0ull;
		for (i = 0; i < 20 || (i < 1000 && insn[1] - insn[0] >= 20500); i++) {
			for (j = 0; j < 2; j++) {
				a0 = cpu_read(fd, cpu);
				spin(1 + j * 10000);
				a1 = cpu_read(fd, cpu);
				insn[j] = least(insn[j], a1.sums.pmc[0] - a0.sums.pmc[0]);
				branches[j] = least(branches[j],
						    a1.sums.pmc[1] - a0.sums.pmc[1]);
			}
		}
		insn[1] -= insn[0];
		branches[1] -= branches[0];
		ok(insn[1] > 19500 && insn[1] < 20500 &&
		   branches[1] > 9800 && branches[1] < 10200,
		   "a loop on CPU %d: %llu instructions, %llu branches", cpu,
		   (unsigned long long)insn[1], (unsigned long long)branches[1]);
		b0 = cpu_read(fd, !cpu);
		spin(20000000);
		b1 = cpu_read(fd, !cpu);
		/* It has work of its own, but the loop's would be in this, too. */
		ok(b1.sums.pmc[0] - b0.sums.pmc[0] < 40000000,
		   "not on the other: %llu", b1.sums.pmc[0] - b0.sums.pmc[0]);
	}
	test_cpu_ruler(fd);

	/*
	 * An idle vCPU does not run, and its TSC does not either.  Now and then the
	 * kernel has work for it (kmemleak's scan of all memory, say).
	 */
	pin_task(0, 0);
	for (i = 0; i < 3; i++) {
		a0 = cpu_read(fd, 1);
		t = rdtsc();
		usleep(1000000);
		t = rdtsc() - t;
		a1 = cpu_read(fd, 1);
		if (a1.sums.tsc - a0.sums.tsc < t / 2)
			break;
	}
	ok(a1.sums.pmc[0] - a0.sums.pmc[0] > 100 &&
	   a1.sums.tsc - a0.sums.tsc < t / 2,
	   "an idle CPU: %llu instructions, %llu ticks of %llu in a second",
	   a1.sums.pmc[0] - a0.sums.pmc[0], a1.sums.tsc - a0.sums.tsc, (unsigned long long)t);
	pin_task(0, 1);
	a0 = cpu_read(fd, 1);
	t = rdtsc();
	spin(50000000);
	t = rdtsc() - t;
	a1 = cpu_read(fd, 1);
	ok(a1.sums.tsc - a0.sums.tsc > 0 &&
	   a1.sums.tsc - a0.sums.tsc + a1.sums.stolen - a0.sums.stolen >= t,
	   "a busy CPU: %llu ticks and %llu stolen of %llu", a1.sums.tsc - a0.sums.tsc,
	   a1.sums.stolen - a0.sums.stolen, (unsigned long long)t);

	for (i = 0, wrong = 0; i < 300; i++) {
		a0 = cpu_read(fd, i & 1);
		a1 = cpu_read(fd, i & 1);
		wrong += a0.sums.pmc[0] >= a1.sums.pmc[0] || a1.sums.pmc[1] > a1.sums.pmc[0] ||
			a1.sums.error;
	}
	ok(!wrong, "300 times CPU_READ on either CPU: counts only grow");

	a0 = cpu_read(fd, 1);
	works(cpu_control(fd, 1, &none), "CPU_CONTROL with no counter");
	a0 = cpu_read(fd, 1);
	spin(1000000);
	a1 = cpu_read(fd, 1);
	ok(a0.sums.pmc[0] == a1.sums.pmc[0] && a0.sums.pmc[0] && a1.sums.status == 0 &&
	   a1.control.nr == 0, "stopped, and its sums stay");
	c.preserve = 1;
	works(cpu_control(fd, 1, &c), "CPU_CONTROL that preserves counter 0");
	spin(1000000);
	a1 = cpu_read(fd, 1);
	ok(a1.sums.pmc[0] >= a0.sums.pmc[0] + 2000000 && a1.sums.pmc[1] >= 1000000 &&
	   a1.sums.pmc[1] < a0.sums.pmc[1], "one goes on, the other starts at 0");
	close(fd);
	unpin();
}

static void test_cpu_hotplug(void)
{
	const char *path = "/sys/devices/system/cpu/cpu1/online";
	struct perfctr_dev_control c = all();
	int f = open(path, O_WRONLY), fd = dev();
	struct perfctr_dev_cpu a, b, d;
	uint64_t zero;

	if (f < 0) {
		ok(true, "hotplug # SKIP no %s", path);
		close(fd);
		return;
	}
	pin_task(0, 0);
	cpu_control(fd, 0, &c);
	cpu_control(fd, 1, &c);
	a = cpu_read(fd, 1);
	zero = cpu_insn(fd, 0);
	ok(pwrite(f, "0", 1, 0) == 1, "CPU 1 goes offline");
	b = cpu_read(fd, 1);
	d = cpu_read(fd, 1);
	ok(b.sums.status == PERFCTR_STATUS_ERROR && b.sums.error == -ENXIO &&
	   b.sums.nr == 2 && b.sums.pmc[0] > a.sums.pmc[0] && b.sums.pmc[1] > a.sums.pmc[1] &&
	   !memcmp(&b, &d, sizeof(b)) && b.control.nr == 0,
	   "its counting ends with ENXIO and its last sums");
	fails(cpu_control(fd, 1, &c), ENXIO, "CPU_CONTROL of it");
	ok(cpu_insn(fd, 0) > zero, "CPU 0 counts on");
	ok(pwrite(f, "1", 1, 0) == 1, "CPU 1 comes back");
	d = cpu_read(fd, 1);
	ok(!memcmp(&b, &d, sizeof(b)), "but does not count by itself");
	c.preserve = 1;
	fails(cpu_control(fd, 1, &c), ENXIO, "CPU_CONTROL can't preserve the sums");
	c.preserve = 0;
	works(cpu_control(fd, 1, &c), "CPU_CONTROL starts anew");
	pin_task(0, 1);
	spin(1000000);
	pin_task(0, 0);
	a = cpu_read(fd, 1);
	ok(a.sums.status == PERFCTR_STATUS_RUNNING && !a.sums.error && a.sums.pmc[0] >= 2000000,
	   "it counts");
	pwrite(f, "0", 1, 0);
	close(fd);
	fd = dev();
	fails(cpu_control(fd, 1, &c), ENXIO, "CPU_CONTROL of an offline CPU by a new handle");
	works(cpu_control(fd, 0, &c), "of the other");
	b = cpu_read(fd, 1);
	ok(b.sums.status == ~0u, "CPU_READ of an offline CPU that never counted fails");
	pwrite(f, "1", 1, 0);
	close(fd);
	close(f);
	unpin();
}

/* Killed, not closed: the same. */
static void test_cpu_killed(void)
{
	int none = users(), fd = dev(), fd2 = dev();
	struct perfctr_dev_control c = all();
	pid_t pid;

	*progress = 0;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		fd = dev();
		must(!cpu_control(fd, 0, &c) && !cpu_control(fd, 1, &c));
		*progress = 1;
		spin_for_ever(1);
	}
	while (!*progress)
		usleep(1000);
	fails(cpu_control(fd, 0, &c), EBUSY, "CPU_CONTROL while a program counts CPUs");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	works(cpu_control(fd, 0, &c), "and after SIGKILL and wait()");
	close(fd);
	close(fd2);
	ok(users() == none, "none holds the module (%d)", users() - none);
}

struct test {
	const char *name;
	void (*fn)(void);
};

static const struct test attach_tests[] = {
	{ "who may attach", test_attach_errors },
	{ "attach and exec", test_attach_exec },
	{ "attach and users", test_attach_users },
	{ "attach and setuid", test_attach_setuid },
	{ "counts of another thread", test_attach_counts },
	{ "counts of a running thread", test_attach_running },
	{ "threads of a process", test_attach_threads },
	{ "a handle passed on", test_attach_passed },
	{ "attach and exit", test_attach_exit },
	{ "both sides at once", test_attach_storm },
	{ "what a killed tool leaves", test_attach_owned },
	{}
};

static const struct test cpu_tests[] = {
	{ "who may count vCPUs", test_cpu_errors },
	{ "threads or vCPUs", test_cpu_exclusive },
	{ "counts of vCPUs", test_cpu_counts },
	{ "threads against vCPUs", test_cpu_race },
	{ "hotplug", test_cpu_hotplug },
	{ "killed", test_cpu_killed },
	{}
};

static void run(const struct test *test)
{
	double begin;

	for (; test->fn; test++) {
		begin = now();
		test->fn();
		printf("# %s: %.1f s\n", test->name, now() - begin);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "all";

	if (!strcmp(what, "target"))
		target_main();

	setenv("REMOTE_ABI", argv[0], 1);
	progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	signal(SIGPIPE, SIG_IGN);
	get_info();
	if (strcmp(what, "cpus"))
		run(attach_tests);
	if (strcmp(what, "threads"))
		run(cpu_tests);
	printf("1..%d\n", tests);
	return failures != 0;
}
