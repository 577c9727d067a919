// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rings
 * rings worker KO [ROUNDS]
 *
 * Rings of samples, without libperfctr, in TAP: with slots of which only one samples, with the
 * kernel's addresses, of another thread, of a group that all have left, when they wake their reader,
 * and how much memory they may take; and that an overflow is told at once which no interrupt has found.
 * As root.
 *
 * "worker": programs with so many mappings that the module still looks at them when they have been
 * killed; it is removed then, and KO loaded again.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <uapi/perfctr.h>

#include "codes.h"
#include "pin.h"
#include "tap.h"

#define PAGES    64
#define MAX_CPUS 64
#define NOBODY   65534
#define USR      (1u << 16)
#define OS       (1u << 17)
/* Where the kernel's code is not lower than this. */
#define KERNEL   (1ull << 63)

static __attribute__((noreturn)) void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* 2 * n instructions */
static void spin(uint64_t n)
{
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
}

static long ms_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - begin->tv_sec) * 1000 + (now.tv_nsec - begin->tv_nsec) / 1000000;
}

static int device(void)
{
	int fd = open("/dev/perfctr", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/perfctr");
	return fd;
}

static int give_ring(int fd, uint32_t pages)
{
	struct perfctr_dev_ring ring = {.pages = pages};

	return ioctl(fd, PERFCTR_IOC_RING, &ring);
}

static struct perfctr_dev_counter counter(enum count what, uint32_t modes, int64_t period,
					  unsigned int slot)
{
	return (struct perfctr_dev_counter){
		.evtsel = code_of(what) | modes,
		.ireset = -period,
		.flags = PERFCTR_COUNTER_SLOT(slot),
	};
}

struct samples {
	unsigned int cpus, nr, kernel, addresses, wrong_tid;
};

/* What is in the rings of @fd; nothing is taken out of them. */
static struct samples look(int fd, uint32_t pages, int tid)
{
	struct samples found = {0};
	unsigned int cpu;

	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		struct perfctr_ring_page *ring =
			mmap(NULL, (pages + 1) * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			     (off_t)PERFCTR_RING_OFFSET(cpu));
		const struct perfctr_ring_record *record;
		uint64_t at, end;

		if (ring == MAP_FAILED)
			break;
		found.cpus++;
		end = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
		for (at = ring->tail; at < end; at += record->size) {
			const struct perfctr_ring_sample *sample;

			record = (const void *)((const char *)ring + 4096 + (at & (ring->size - 1)));
			sample = (const void *)record;
			if (record->type != PERFCTR_RING_SAMPLE)
				continue;
			found.nr++;
			found.wrong_tid += (int)sample->task.tid != tid;
			if (record->flags & PERFCTR_SAMPLE_KERNEL) {
				found.kernel++;
				found.addresses += sample->ip >= KERNEL;
				found.wrong_tid += sample->ip && sample->ip < KERNEL;
			}
		}
		munmap(ring, (pages + 1) * 4096);
	}
	return found;
}

/* Of two slots only one samples, and nothing counts the kernel: Xen may let counters go on. */
static void test_slots(unsigned int sampling)
{
	struct perfctr_dev_control control = {
		.nr = 2,
		.flags = PERFCTR_CTL_TSC_ON,
		.slice_us = 1000,
	};
	struct perfctr_dev_sums sums;
	struct samples found;
	int fd = device();

	control.counter[0] = counter(INSTRUCTIONS, USR, 10007, sampling);
	control.counter[1] = counter(BRANCHES, USR, 0, !sampling);
	ok(!ioctl(fd, PERFCTR_IOC_CREATE) && !give_ring(fd, PAGES) &&
		   !ioctl(fd, PERFCTR_IOC_CONTROL, &control),
	   "a ring, and slot %u samples", sampling);
	spin(20000000);
	if (ioctl(fd, PERFCTR_IOC_READ, &sums))
		die("PERFCTR_IOC_READ");
	ok(sums.status == PERFCTR_STATUS_RUNNING && !sums.error, "it counts on (status %u, error %d)", sums.status, sums.error);
	ioctl(fd, PERFCTR_IOC_STOP);
	found = look(fd, PAGES, (int)gettid());
	ok(found.nr > 100 && !found.wrong_tid, "it samples (%u samples)", found.nr);
	ok(sums.loaded[0] && sums.loaded[1] && sums.pmc[1] > 1000000, "each slot had its turns");
	ioctl(fd, PERFCTR_IOC_UNLINK);
	close(fd);
}

static void sample_the_kernel(int fd, uid_t uid)
{
	struct perfctr_dev_control control = {.nr = 1};
	int i;

	/* Where a tick takes a million instructions, its samples must not fill the time to the next. */
	control.counter[0] = counter(INSTRUCTIONS, OS, 100003, 0);
	if ((uid && setresuid(uid, uid, uid)) || ioctl(fd, PERFCTR_IOC_CREATE) || give_ring(fd, PAGES) ||
	    ioctl(fd, PERFCTR_IOC_CONTROL, &control))
		_exit(1);
	for (i = 0; i < 30000; i++)
		syscall(SYS_getppid);
	_exit(0);
}

static void test_kernel(uid_t uid, const char *whose)
{
	struct samples found;
	int fd = device(), status;
	pid_t pid = fork();

	if (!pid)
		sample_the_kernel(fd, uid);
	ok(waitpid(pid, &status, 0) == pid && !status, "%s samples of the kernel", whose);
	found = look(fd, PAGES, pid);
	ok(found.kernel > 10 && !found.wrong_tid, "there are some (%u of %u)", found.kernel, found.nr);
	if (uid)
		ok(!found.addresses, "none says where the kernel is");
	else
		ok(found.addresses == found.kernel, "each says where");
	close(fd);
}

#define HANDLES 16

/* Each set is ended, its handle is not: which is how they would be kept. */
static void make_rings(const int *fds, uid_t uid, int out)
{
	unsigned int nr = 0;

	if (setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}) || setresuid(uid, uid, uid))
		_exit(1);
	while (nr < HANDLES && !ioctl(fds[nr], PERFCTR_IOC_CREATE) && !give_ring(fds[nr], PAGES) &&
	       !ioctl(fds[nr], PERFCTR_IOC_UNLINK))
		nr++;
	if (nr < HANDLES && errno != ENOBUFS)
		nr = 100 + (unsigned int)errno;
	_exit(write(out, &nr, sizeof(nr)) != sizeof(nr));
}

/* How many rings can @uid have on new handles @fds, which keep them? */
static unsigned int keep_rings(int *fds, uid_t uid)
{
	unsigned int nr = 0, i;
	int ends[2], status;
	pid_t pid;

	if (pipe(ends))
		die("pipe");
	for (i = 0; i < HANDLES; i++)
		fds[i] = device();
	pid = fork();
	if (!pid)
		make_rings(fds, uid, ends[1]);
	if (waitpid(pid, &status, 0) != pid || status || read(ends[0], &nr, sizeof(nr)) != sizeof(nr))
		die("a child");
	close(ends[0]);
	close(ends[1]);
	return nr;
}

static void close_all(const int *fds)
{
	unsigned int i;

	for (i = 0; i < HANDLES; i++)
		close(fds[i]);
}

static void test_memory(void)
{
	const unsigned int most = PERFCTR_RINGS_FREE_BYTES / 4096 / (PAGES + 1);
	int fds[HANDLES], others[HANDLES];
	unsigned int i, nr;

	nr = keep_rings(fds, NOBODY);
	ok(nr == most, "a user's rings: %u, then ENOBUFS", nr);
	nr = keep_rings(others, NOBODY);
	ok(!nr, "none by another process, while handles keep them: %u", nr);
	close_all(others);
	close_all(fds);
	/* They are freed a little later. */
	for (i = 0, nr = 0; i < 100 && nr != most; i++) {
		usleep(20000);
		nr = keep_rings(fds, NOBODY);
		close_all(fds);
	}
	ok(nr == most, "again when the handles are closed: %u", nr);
	nr = keep_rings(fds, 0);
	close_all(fds);
	ok(nr == HANDLES, "root's: no limit");
}

static void test_remote(void)
{
	struct perfctr_dev_control control = {.nr = 1};
	struct perfctr_dev_attach attach = {.flags = PERFCTR_ATTACH_CREATE};
	struct samples found = {0};
	char path[40];
	pid_t pid;
	int fd = device(), i;

	control.counter[0] = counter(INSTRUCTIONS, USR, 10007, 0);
	pid = fork();
	if (!pid)
		for (;;)
			spin(1000000);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	attach.tid = pid;
	attach.mem_fd = open(path, O_RDWR | O_CLOEXEC);
	ok(attach.mem_fd >= 0 && !ioctl(fd, PERFCTR_IOC_ATTACH, &attach), "ATTACH to another process");
	ok(!give_ring(fd, PAGES), "it gets a ring");
	ok(give_ring(fd, PAGES) == -1 && errno == EEXIST, "once");
	ok(!ioctl(fd, PERFCTR_IOC_CONTROL, &control), "CONTROL that samples");
	ok(give_ring(fd, PAGES) == -1 && errno == EBUSY, "no ring while it counts");
	for (i = 0; i < 200 && found.nr < 100; i++) {
		usleep(10000);
		found = look(fd, PAGES, pid);
	}
	ok(found.nr >= 100 && !found.wrong_tid, "its samples (%u)", found.nr);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(attach.mem_fd);
	close(fd);
}

/* A member of the caller's group that leaves it when @in says so, and lives until that ends. */
static __attribute__((noreturn)) void leave_the_group(int in)
{
	struct perfctr_dev_control control = {.nr = 1};
	int fd = device();
	char byte;

	control.counter[0] = counter(INSTRUCTIONS, USR, 0, 0);
	if (read(in, &byte, 1) != 1)
		_exit(1);
	/* Who says so waits by then. */
	usleep(300000);
	if (ioctl(fd, PERFCTR_IOC_OPEN) || ioctl(fd, PERFCTR_IOC_CONTROL, &control))
		_exit(1);
	while (read(in, &byte, 1) > 0)
		;
	_exit(0);
}

static __attribute__((noreturn)) void found_a_group(int fd, const int *ends)
{
	struct perfctr_dev_control control = {.nr = 1, .flags = PERFCTR_CTL_INHERIT};

	control.counter[0] = counter(INSTRUCTIONS, USR, 1000000000, 0);
	if (ioctl(fd, PERFCTR_IOC_CREATE) || give_ring(fd, PAGES) ||
	    ioctl(fd, PERFCTR_IOC_CONTROL, &control))
		_exit(1);
	if (!fork()) {
		close(ends[1]);
		leave_the_group(ends[0]);
	}
	_exit(0);
}

/* Who waits for the end of a group, and its last member does not end, but gets another control. */
static void test_last(void)
{
	struct pollfd poller = {.fd = device()};
	struct timespec begin;
	int ends[2], status, nr;
	long took;
	pid_t pid;

	if (pipe(ends))
		die("pipe");
	pid = fork();
	if (!pid)
		found_a_group(poller.fd, ends);
	ok(waitpid(pid, &status, 0) == pid && !status, "a group with a ring; its first thread has ended");
	ok(!poll(&poller, 1, 100), "but not its second one");
	if (write(ends[1], "x", 1) != 1)
		die("write");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	nr = poll(&poller, 1, 20000);
	took = ms_since(&begin);
	/* It looks once more when its time is over. */
	ok(nr == 1 && poller.revents == POLLHUP && took < 15000,
	   "its last one leaves it: POLLHUP at once (%ld ms)", took);
	close(ends[0]);
	close(ends[1]);
	close(poller.fd);
}

/* Samples of a thread of its own, one or three when @in says so. */
static __attribute__((noreturn)) void sample_by_command(int fd, int in, int out)
{
	struct perfctr_dev_control control = {.nr = 2};
	unsigned int nr;
	char byte;

	control.counter[0] = counter(INSTRUCTIONS, USR, 10007, 0);
	control.counter[1] = counter(INSTRUCTIONS, USR, 0, 0);
	control.counter[1].index = 1;
	if (pin(0, 0) || ioctl(fd, PERFCTR_IOC_CREATE) || give_ring(fd, 1) ||
	    ioctl(fd, PERFCTR_IOC_CONTROL, &control))
		_exit(1);
	do {
		nr = 1;
		if (read(in, &byte, 1) != 1)
			_exit(0);
		if (byte == 'w') {
			/* Who says so waits by then. */
			usleep(300000);
			nr = 3;
		}
		spin(nr * 5100);
	} while (write(out, &byte, 1) == 1);
	_exit(1);
}

/* A record that does not fit before the ring's end makes it half full by what it leaves there. */
static void test_half(void)
{
	struct pollfd poller = {.fd = device(), .events = POLLIN};
	struct perfctr_ring_page *ring;
	int to[2], from[2], nr = -1;
	uint64_t head, step = 0, to_end = 0;
	struct timespec begin;
	unsigned int i;
	long took = 0;
	pid_t pid;
	char byte;

	if (pipe(to) || pipe(from))
		die("pipe");
	pid = fork();
	if (!pid) {
		close(to[1]);
		sample_by_command(poller.fd, to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	if (write(to[1], "1", 1) != 1 || read(from[0], &byte, 1) != 1)
		die("a child");
	ring = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, poller.fd,
		    (off_t)PERFCTR_RING_OFFSET(0));
	if (ring == MAP_FAILED)
		die("mmap");
	for (i = 0; i < 500; i++) {
		head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
		__atomic_store_n(&ring->tail, head, __ATOMIC_RELEASE);
		to_end = ring->size - (head & (ring->size - 1));
		if (step && to_end < step)
			break;
		if (write(to[1], "1", 1) != 1 || read(from[0], &byte, 1) != 1)
			die("a child");
		/* Until there is one: the last sample's size. */
		step = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) - head;
	}
	ok(step && to_end < step, "%u bytes to the ring's end, where a sample has %u",
	   (unsigned int)to_end, (unsigned int)step);
	/* It is as if the reader was late: what is there once more is good. */
	__atomic_store_n(&ring->tail, ring->head - ring->size / 2 + 8, __ATOMIC_RELEASE);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	if (write(to[1], "w", 1) == 1)
		nr = poll(&poller, 1, 20000);
	took = ms_since(&begin);
	/* It looks once more when its time is over. */
	ok(nr == 1 && poller.revents == POLLIN && took < 15000, "half full: POLLIN at once (%ld ms)", took);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(ring, 2 * 4096);
	close(to[1]);
	close(from[0]);
	close(poller.fd);
}

static volatile sig_atomic_t overflows, enough;
static int sampled_fd;

static void overflow(int signo)
{
	(void)signo;
	/*
	 * With KASAN the end of this call may take longer than a period: then nothing else is
	 * executed any more.
	 */
	if (++overflows < enough)
		ioctl(sampled_fd, PERFCTR_IOC_IRESUME);
}

/* Sampling by a signal, at @period, calls that are refused; how often it was suspended then. */
static unsigned int refuse(int64_t period, const volatile struct perfctr_page *page)
{
	struct perfctr_dev_control control = {
		.nr = 1,
		.flags = PERFCTR_CTL_INHERIT,
		.si_signo = SIGUSR1,
	};
	static struct iovec nothing[128];
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), i;
	unsigned int suspended = 0;
	pid_t pid;

	enough = overflows + 1500;
	control.counter[0] = counter(INSTRUCTIONS, OS, period, 0);
	if (ioctl(sampled_fd, PERFCTR_IOC_CONTROL, &control))
		die("PERFCTR_IOC_CONTROL");
	/* While this member lives another control is refused, when the counters have been stopped. */
	pid = fork();
	if (!pid)
		for (;;)
			pause();
	/* Each time a few instructions more of the kernel's since the last overflow. */
	for (i = 0; i < 1000; i++) {
		if (writev(null, nothing, 1 + i % 128) < 0)
			die("/dev/null");
		if (ioctl(sampled_fd, PERFCTR_IOC_CONTROL, &control) != -1 || errno != EBUSY)
			die("a control is not refused");
		if (overflows >= enough)
			break;
		suspended += !!(page->status & PERFCTR_STATUS_SUSPENDED);
	}
	ioctl(sampled_fd, PERFCTR_IOC_STOP);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(null);
	return suspended;
}

/*
 * An overflow in the kernel may be found by a call that stops the counters, before its interrupt.  When
 * that call fails they go on; but user mode must not see them suspended without its signal.
 */
static void test_stopped(void)
{
	struct sigaction action = {.sa_handler = overflow};
	const volatile struct perfctr_page *page;
	unsigned int suspended = 0;
	int64_t period;

	sampled_fd = device();
	sigaction(SIGUSR1, &action, NULL);
	if (ioctl(sampled_fd, PERFCTR_IOC_CREATE))
		die("PERFCTR_IOC_CREATE");
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, sampled_fd, 0);
	if (page == MAP_FAILED)
		die("mmap");
	for (period = 1501; period < 6000; period += 503)
		suspended += refuse(period, page);
	ok(overflows > 1000, "sampled by a signal (%d times)", (int)overflows);
	ok(!suspended, "never suspended without it (%u times)", suspended);
	ioctl(sampled_fd, PERFCTR_IOC_UNLINK);
	munmap((void *)page, 4096);
	close(sampled_fd);
}

/*
 * A real-time signal for which there is no room in the queue, as the user has too many in it, comes when
 * there is: else nobody would resume.
 */
static void test_queue(void)
{
	struct sigaction action = {.sa_handler = overflow};
	struct perfctr_dev_control control = {.nr = 1, .si_signo = SIGRTMIN + 1};
	struct rlimit before;
	int i, early;

	sampled_fd = device();
	sigaction(control.si_signo, &action, NULL);
	control.counter[0] = counter(INSTRUCTIONS, USR, 100003, 0);
	if (getrlimit(RLIMIT_SIGPENDING, &before) ||
	    setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){0, before.rlim_max}))
		die("RLIMIT_SIGPENDING");
	overflows = 0;
	enough = 1000;
	if (ioctl(sampled_fd, PERFCTR_IOC_CREATE) || ioctl(sampled_fd, PERFCTR_IOC_CONTROL, &control))
		die("PERFCTR_IOC_CONTROL");
	spin(200000);
	early = overflows;
	if (setrlimit(RLIMIT_SIGPENDING, &before))
		die("RLIMIT_SIGPENDING");
	for (i = 0; i < 100 && !overflows; i++)
		usleep(1000);
	i = overflows;
	spin(200000);
	ok(!early && i && overflows > i, "a signal that can't be queued comes later (%d, %d, %d)", early, i,
	   (int)overflows);
	ioctl(sampled_fd, PERFCTR_IOC_UNLINK);
	close(sampled_fd);
}

#define MANY	8000
#define CHILDREN 6
#define CPUMASK	"/sys/devices/virtual/workqueue/cpumask"

/* A program with many mappings that can be executed has samples; then it does nothing. */
static void be_sampled(int out)
{
	struct perfctr_dev_control control = {.nr = 1};
	int fd = device();

	control.counter[0] = counter(INSTRUCTIONS, USR, 10007, 0);
	if (ioctl(fd, PERFCTR_IOC_CREATE) || give_ring(fd, 256) ||
	    ioctl(fd, PERFCTR_IOC_CONTROL, &control))
		_exit(1);
	spin(100000);
	if (write(out, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* For workers of no certain CPU; what was there before is in @old. */
static void set_cpumask(const char *text, char *old, size_t size)
{
	int fd = open(CPUMASK, O_RDWR | O_CLOEXEC);
	ssize_t got = old ? pread(fd, old, size - 1, 0) : 0;

	if (fd < 0 || got < 0 || write(fd, text, strlen(text)) < 0)
		die(CPUMASK);
	if (old)
		old[got] = '\0';
	close(fd);
}

static bool make_children(pid_t *pid)
{
	unsigned int i;
	bool good = true;
	int ends[2];
	char byte;

	if (pipe(ends))
		die("pipe");
	for (i = 0; i < CHILDREN; i++) {
		pid[i] = fork();
		if (!pid[i])
			be_sampled(ends[1]);
	}
	close(ends[1]);
	for (i = 0; i < CHILDREN; i++)
		good = read(ends[0], &byte, 1) == 1 && good;
	close(ends[0]);
	return good;
}

/* Longer than it takes to remove a module; but all come to their end, however slow this is. */
static void hog_for_a_while(void)
{
	struct timespec begin;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		spin(100000);
	} while (ms_since(&begin) < 1500);
	usleep(500000);
}

static int test_worker(const char *ko, int rounds)
{
	unsigned int i;
	int round;
	char mask[100], *at;
	pid_t hog;

	at = mmap(NULL, 2ul * MANY * 4096, PROT_READ | PROT_EXEC,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (i = 0; at != MAP_FAILED && i < MANY; i++)
		if (mprotect(at + 8192ul * i, 4096, PROT_READ))
			die("mprotect");
	/* All workers where there is little time for what takes long, and we elsewhere. */
	set_cpumask("1", mask, sizeof(mask));
	if (pin(0, 0))
		die("sched_setaffinity");
	hog = fork();
	if (!hog) {
		setpriority(PRIO_PROCESS, 0, -18);
		for (;;)
			hog_for_a_while();
	}
	if (pin(0, 1))
		die("sched_setaffinity");
	for (round = 0; round < rounds; round++) {
		pid_t pid[CHILDREN];
		bool good = make_children(pid);
		int fd, status;

		for (i = 0; i < CHILDREN; i++)
			kill(pid[i], SIGKILL);
		for (i = 0; i < CHILDREN; i++)
			good = waitpid(pid[i], &status, 0) == pid[i] && WIFSIGNALED(status) && good;
		ok(good && !syscall(SYS_delete_module, "perfctr", O_NONBLOCK), "rmmod beside workers");
		fd = open(ko, O_RDONLY | O_CLOEXEC);
		ok(fd >= 0 && !syscall(SYS_finit_module, fd, "", 0), "insmod");
		close(fd);
	}
	kill(hog, SIGKILL);
	waitpid(hog, NULL, 0);
	set_cpumask(mask, NULL, 0);
	printf("1..%u\n", tests);
	return !!failures;
}

int main(int argc, char **argv)
{
	struct perfctr_dev_info info;
	int fd;

	if ((argc == 3 || argc == 4) && !strcmp(argv[1], "worker"))
		return test_worker(argv[2], argc == 4 ? atoi(argv[3]) : 1);
	if (argc != 1) {
		fprintf(stderr, "usage: rings [worker KO [ROUNDS]]\n");
		return 2;
	}
	fd = device();
	if (ioctl(fd, PERFCTR_IOC_INFO, &info))
		die("PERFCTR_IOC_INFO");
	close(fd);
	if (!(info.features & PERFCTR_FEAT_SAMPLING)) {
		printf("1..0 # SKIP this guest can't sample\n");
		return 0;
	}
	test_slots(0);
	test_slots(1);
	test_kernel(0, "root's");
	/* Another one than NOBODY, whose rings are counted next. */
	test_kernel(NOBODY - 1, "a user's");
	test_memory();
	test_remote();
	test_last();
	test_half();
	test_stopped();
	test_queue();
	printf("1..%u\n", tests);
	return !!failures;
}
