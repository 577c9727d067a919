// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * storm SEED ROUNDS [PROCESSES [THREADS]]
 *
 * Unprivileged users at their worst: threads of several processes, which share their
 * handles, do at random whatever the device offers, right and wrong, ROUNDS times
 * in all, while others exit, fork, execute this program anew, or are killed.
 * Overflows are resumed now and then only.  What is checked: each call does what it
 * should or fails with an error that the header has for it, and in the end a
 * thread gets counters that count.  Whether the kernel took harm is for its log,
 * its other programs and rmmod to say.
 *
 * Prints "wrong: ..." for each wrong error, and how often what was done; status 1
 * if something was wrong.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
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
#include <unistd.h>

#include <uapi/perfctr.h>

#include "regions.h"

#define SHARED        8 /* handles that all have, SHARED_AT on */
#define SHARED_AT     10
#define OWN           4 /* handles of each thread */
#define MAX_THREADS   8
#define MAX_PROCESSES 16
#define MAX_TIDS      64
#define USR_OS(e)     ((e) | 3ull << 16)
#define USR(e)        ((e) | 1ull << 16)
#define PAGE          4096ul
#define OVERFLOW_SIG  40

/* What all processes know */
struct common {
	_Atomic int tid[MAX_TIDS];
	_Atomic int pid[MAX_TIDS];
	_Atomic int64_t left; /* rounds, of all threads */
	_Atomic uint64_t calls, failed, faults, overflows, wrong, kills, execs,
		forks, exits;
};

static struct common *all;
static unsigned long nr_threads;
static char **arguments;
static struct perfctr_dev_info info;

static __thread uint64_t state;
static __thread sigjmp_buf fault;
static __thread volatile sig_atomic_t may_fault;
static __thread int own[OWN];
static __thread int here; /* index of this thread in "tid" */

static uint64_t number(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return state >> 33;
}

static unsigned int below(unsigned int n)
{
	return (unsigned int)(number() % n);
}

/* ------------------------------- errors ---------------------------------- */

struct call {
	const char *name;
	unsigned long number;
	int errors[12]; /* that the header has for it */
};

#define CALL(name, ...)                                                        \
	{                                                                      \
#name, PERFCTR_IOC_##name,                                     \
		{                                                              \
			__VA_ARGS__                                            \
		}                                                              \
	}
static const struct call calls[] = {
	CALL(INFO, EPERM),
	CALL(CREATE, EEXIST, EBUSY),
	CALL(OPEN, ESRCH, EBUSY),
	CALL(CONTROL, EPERM, EINVAL, ENOENT, EOPNOTSUPP, EACCES, ENODEV, EBUSY),
	CALL(STOP, EPERM, ENOENT),
	CALL(READ, ENOENT),
	CALL(GET_CONTROL, ENOENT),
	CALL(UNLINK, EPERM, ENOENT),
	CALL(READ_GROUP, ENOENT),
	CALL(NEXT_RECORD, ENOENT, EINVAL),
	CALL(ATTACH, EPERM, ESRCH, EINVAL, EEXIST, EBUSY),
	CALL(CPU_CONTROL, EPERM, EBUSY, ENXIO, EINVAL, EOPNOTSUPP, EACCES),
	CALL(CPU_READ, EPERM, EBUSY, ENXIO, EINVAL, ENOENT),
	CALL(RING, EPERM, EEXIST, EBUSY, ENOENT, EINVAL, ENOBUFS),
	CALL(IRESUME, EPERM, ENOENT),
};
enum {
	INFO,
	CREATE,
	OPEN,
	CONTROL,
	STOP,
	READ,
	GET_CONTROL,
	UNLINK,
	READ_GROUP,
	NEXT_RECORD,
	ATTACH,
	CPU_CONTROL,
	CPU_READ,
	RING,
	IRESUME
};

/* No memory, no such pointer, and a handle that another thread has closed */
static const int always[] = {ENOMEM, EFAULT, EBADF, ENOTTY};

static bool among(const int *list, size_t nr, int error)
{
	for (size_t i = 0; i < nr; i++)
		if (list[i] == error)
			return true;
	return false;
}

static int call(int which, int fd, void *argument)
{
	const struct call *c = &calls[which];
	int result = ioctl(fd, c->number, argument);

	all->calls++;
	if (result >= 0)
		return result;
	all->failed++;
	if (!among(c->errors, sizeof(c->errors) / sizeof(c->errors[0]),
		   errno) &&
	    !among(always, sizeof(always) / sizeof(always[0]), errno)) {
		all->wrong++;
		printf("wrong: %s: %s\n", c->name, strerrorname_np(errno));
		fflush(stdout);
	}
	return result;
}

/* ------------------------------- signals --------------------------------- */

static void on_fault(int signo)
{
	if (may_fault)
		siglongjmp(fault, signo);
	_exit(3);
}

/* Whoever wrote this program forgets to resume, most of the time. */
static void on_overflow(int signo)
{
	int error = errno;

	(void)signo;
	all->overflows++;
	if (!below(4))
		call(IRESUME, own[below(OWN)], NULL);
	errno = error;
}

/* ------------------------------- arguments ------------------------------- */

static int handle(void)
{
	switch (below(6)) {
	case 0:
		return (int)(SHARED_AT + below(SHARED));
	case 1:
	case 2:
		return own[below(OWN)];
	default:
		/* That of this thread's own set, most of the time */
		return own[0];
	}
}

static void noise(void *to, size_t size)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = (uint8_t)number();
}

static void random_control(struct perfctr_dev_control *c)
{
	static const unsigned int events[] = {0xc0, 0xc2, 0xc4,
					      0x3c, 0x76, 0x3ff};

	unsigned int slots;

	memset(c, 0, sizeof(*c));
	if (!below(10)) {
		noise(c, sizeof(*c));
		return;
	}
	c->nr = below(5);
	slots = below(4) ? 0 : 1 + below(3);
	c->flags = below(2) ? PERFCTR_CTL_TSC_ON : 0;
	if (!below(5))
		c->flags |= below(32);
	if (!below(8))
		c->preserve = below(16);
	for (unsigned int i = 0; i < c->nr; i++) {
		struct perfctr_dev_counter *counter = &c->counter[i];

		counter->index = below(16) ? i : below(8);
		counter->evtsel = below(8) ? USR(events[below(2)])
					   : USR_OS(events[below(6)]);
		if (slots)
			counter->flags = PERFCTR_COUNTER_SLOT(i % slots);
		if (!below(40))
			counter->flags |= below(8);
		if (!below(3)) {
			counter->ireset =
				-(int64_t)(info.min_period + below(20000));
			if (below(3))
				c->si_signo = OVERFLOW_SIG;
		}
	}
}

/* Somebody's thread: of this program, or one that was, or any number */
static int random_tid(void)
{
	if (below(8))
		return all->tid[below(MAX_TIDS)];
	return (int)below(4096) - 8;
}

/* ------------------------------- what is done ---------------------------- */

static void *bad_pointer(void *good)
{
	return below(50) ? good : (void *)(uintptr_t)number();
}

static void do_attach(void)
{
	struct perfctr_dev_attach attach = {.tid = random_tid()};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem",
		 below(8) ? attach.tid : random_tid());
	attach.mem_fd = below(10) ? open(path, O_RDONLY | O_CLOEXEC) : handle();
	attach.flags = below(8);
	if (below(4))
		attach.flags = PERFCTR_ATTACH_CREATE |
			       (below(2) ? PERFCTR_ATTACH_OWN : 0);
	call(ATTACH, handle(), bad_pointer(&attach));
	if (attach.mem_fd > SHARED_AT + SHARED &&
	    !among(own, OWN, attach.mem_fd))
		close(attach.mem_fd);
}

static void do_reopen(void)
{
	int *fd = &own[below(8) ? 1 + below(OWN - 1) : 0];

	close(*fd);
	*fd = open("/dev/perfctr", below(4)
					   ? O_RDWR | (below(2) ? O_CLOEXEC : 0)
					   : O_RDONLY | O_CLOEXEC);
	if (*fd < 0) {
		*fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (*fd < 0)
			_exit(4);
	}
}

/* Read as the library does, but for that it may fault. */
static void use_page(const volatile struct perfctr_page *page)
{
	may_fault = 1;
	if (sigsetjmp(fault, 1)) {
		all->faults++;
	} else {
		unsigned int i = below(4);
		int index = page->counter[i].index;

		if (index >= 0) {
			unsigned int low, high;

			asm volatile("rdpmc"
				     : "=a"(low), "=d"(high)
				     : "c"(index));
		}
	}
	may_fault = 0;
}

/* The rings' tail is the reader's to destroy. */
static void use_ring(volatile struct perfctr_ring_page *ring)
{
	if (below(2))
		ring->tail = ring->head;
	else
		ring->tail = number() << below(64);
}

static void do_map(void)
{
	bool ring = below(3) == 0;
	size_t size = ring ? PAGE * (1 + (1ul << below(3))) : PAGE;
	off_t offset = ring ? (off_t)PERFCTR_RING_OFFSET(below(3)) : 0;
	void *p = mmap(NULL, size, ring ? PROT_READ | PROT_WRITE : PROT_READ,
		       MAP_SHARED, handle(),
		       below(20) ? offset : (off_t)(number() << 12));

	if (p == MAP_FAILED)
		return;
	if (ring)
		use_ring(p);
	else
		for (int i = 0; i < 20; i++)
			use_page(p);
	if (!below(4))
		mremap(p, size, size + PAGE, MREMAP_MAYMOVE);
	if (below(8))
		munmap(p, size);
}

static void do_control(void)
{
	struct perfctr_dev_control c;

	random_control(&c);
	call(CONTROL, handle(), bad_pointer(&c));
}

static void do_read(void)
{
	union {
		struct perfctr_dev_sums sums;
		struct perfctr_dev_control control;
		struct perfctr_dev_group group;
		struct perfctr_dev_record record;
		struct perfctr_dev_info info;
	} u;

	memset(&u, 0, sizeof(u));
	switch (below(5)) {
	case 0:
		call(GET_CONTROL, handle(), bad_pointer(&u));
		break;
	case 1:
		call(READ_GROUP, handle(), bad_pointer(&u));
		break;
	case 2:
		u.record.serial = below(20);
		call(NEXT_RECORD, handle(), bad_pointer(&u));
		break;
	case 3:
		call(INFO, handle(), bad_pointer(&u));
		break;
	default:
		call(READ, handle(), bad_pointer(&u));
		break;
	}
}

static void do_cpu(void)
{
	struct perfctr_dev_cpu cpu = {.cpu = below(4)};

	random_control(&cpu.control);
	call(below(2) ? CPU_CONTROL : CPU_READ, handle(), bad_pointer(&cpu));
}

static void do_ring(void)
{
	struct perfctr_dev_ring ring = {.pages = 1u << below(3)};

	if (!below(2)) {
		ring.flags = PERFCTR_RINGS_CALLCHAIN;
		ring.depth = 1 + below(8);
	}
	if (!below(10))
		noise(&ring, sizeof(ring));
	call(RING, handle(), bad_pointer(&ring));
}

static void do_poll(void)
{
	struct pollfd fds[3];

	for (int i = 0; i < 3; i++)
		fds[i] = (struct pollfd){.fd = handle(), .events = POLLIN};
	poll(fds, 3, (int)below(3));
}

static void do_move(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(below((unsigned int)info.cpus), &cpus);
	if (below(3))
		CPU_SET(below((unsigned int)info.cpus), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void again(void)
{
	char seed[32];

	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)number());
	arguments[1] = seed;
	all->execs++;
	execv("/proc/self/exe", arguments);
}

static void work(unsigned int n)
{
	for (volatile unsigned int i = 0; i < n; i++)
		;
}

/* The child lives as long as it needs to do some work, or does this all, too. */
static void do_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (!pid) {
		if (!below(6))
			again();
		for (unsigned int i = below(4); i; i--) {
			work(below(20000));
			do_read();
		}
		_exit(0);
	}
	all->forks++;
	work(below(20000));
	if (below(3)) {
		if (below(2))
			kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static void do_kill(void)
{
	int pid = all->pid[below(MAX_TIDS)];

	if (pid > 0 && pid != getpid() && !kill(pid, SIGKILL))
		all->kills++;
}

static void once(void)
{
	switch (below(32)) {
	case 0 ... 3:
		do_control();
		break;
	case 4 ... 7:
		do_read();
		break;
	case 8:
	case 9:
		call(CREATE, handle(), NULL);
		break;
	case 10:
		call(OPEN, handle(), NULL);
		break;
	case 11:
		call(STOP, handle(), NULL);
		break;
	case 12:
		call(UNLINK, handle(), NULL);
		break;
	case 13 ... 15:
		do_attach();
		break;
	case 16 ... 18:
		do_map();
		break;
	case 19:
		do_ring();
		break;
	case 20:
	case 21:
		do_reopen();
		break;
	case 22:
		call(IRESUME, handle(), NULL);
		break;
	case 23:
		do_poll();
		break;
	case 24:
		do_move();
		break;
	case 25:
		do_cpu();
		break;
	case 26:
		/* Threads of this process may be in the kernel by it. */
		if (!below(4))
			dup2(own[below(OWN)], (int)(SHARED_AT + below(SHARED)));
		break;
	case 27:
		do_fork();
		break;
	case 28:
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		break;
	default:
		work(below(20000));
		break;
	}
}

/* ------------------------------- threads --------------------------------- */

static void *thread(void *data)
{
	state = (uint64_t)(uintptr_t)data;
	here = (int)below(MAX_TIDS);
	all->tid[here] = (int)syscall(SYS_gettid);
	for (int i = 0; i < OWN; i++)
		own[i] = open("/dev/perfctr",
			      O_RDWR | (below(2) ? O_CLOEXEC : 0));
	call(CREATE, own[0], NULL);
	while (all->left-- > 0) {
		once();
		if (!below(200))
			break;
		if (!below(500))
			do_kill();
		/* All other threads of the process end in the midst of it. */
		if (!below(1000))
			again();
		if (!below(1000))
			_exit(0);
	}
	all->exits++;
	for (int i = 0; i < OWN; i++)
		if (below(2))
			close(own[i]);
	return NULL;
}

static int process(uint64_t seed)
{
	static const int signals[] = {SIGSEGV, SIGBUS, SIGILL};
	struct sigaction action = {.sa_handler = on_fault,
				   .sa_flags = SA_NODEFER};
	pthread_t ids[MAX_THREADS];

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	action.sa_handler = on_overflow;
	action.sa_flags = SA_RESTART;
	sigaction(OVERFLOW_SIG, &action, NULL);
	state = seed;
	all->pid[below(MAX_TIDS)] = getpid();
	while (all->left > 0) {
		for (unsigned int i = 0; i < nr_threads; i++)
			if (pthread_create(&ids[i], NULL, thread,
					   (void *)(uintptr_t)number()))
				ids[i] = 0;
		for (unsigned int i = 0; i < nr_threads; i++)
			if (ids[i])
				pthread_join(ids[i], NULL);
	}
	return 0;
}

/* In the end: counters for a thread, and they count. */
static bool still_counts(void)
{
	struct perfctr_dev_control c = {.nr = 1};
	struct perfctr_dev_sums before, after;
	int fd = open("/dev/perfctr", O_RDWR);

	c.counter[0].evtsel = USR(0xc0);
	if (fd < 0 || ioctl(fd, PERFCTR_IOC_CREATE) ||
	    ioctl(fd, PERFCTR_IOC_CONTROL, &c) ||
	    ioctl(fd, PERFCTR_IOC_READ, &before))
		return false;
	find_region("loop")->run(100000, NULL);
	if (ioctl(fd, PERFCTR_IOC_READ, &after))
		return false;
	return after.pmc[0] - before.pmc[0] >= 200000 &&
	       after.pmc[0] - before.pmc[0] < 201000;
}

static pid_t start(uint64_t seed)
{
	pid_t pid = fork();

	if (!pid)
		exit(process(seed));
	return pid;
}

int main(int argc, char **argv)
{
	unsigned long processes = 4;
	pid_t pid, pids[MAX_PROCESSES];
	char *name = NULL;
	uint64_t seed;
	int fd;

	if (argc < 3) {
		fputs("usage: storm SEED ROUNDS [PROCESSES [THREADS]]\n",
		      stderr);
		return 2;
	}
	arguments = argv;
	seed = strtoull(argv[1], NULL, 0);
	if (argc > 3)
		processes = strtoul(argv[3], NULL, 0);
	nr_threads = argc > 4 ? strtoul(argv[4], NULL, 0) : 3;
	if (!processes || processes > MAX_PROCESSES || !nr_threads ||
	    nr_threads > MAX_THREADS)
		return fputs("storm: 1 to 16 processes, of 1 to 8 threads\n",
			     stderr),
		       2;

	/* What this program executes shares it by the file. */
	name = getenv("STORM");
	fd = name ? open(name, O_RDWR | O_CLOEXEC) : memfd_create("storm", 0);
	if (fd < 0 || (!name && ftruncate(fd, PAGE * 2)))
		return perror("storm: memory"), 2;
	all = mmap(NULL, PAGE * 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (all == MAP_FAILED)
		return perror("storm: memory"), 2;
	if (name) {
		close(fd);
		fd = open("/dev/perfctr", O_RDWR | O_CLOEXEC);
		if (fd < 0 || ioctl(fd, PERFCTR_IOC_INFO, &info))
			return 0;
		close(fd);
		return process(seed);
	}
	dup2(fd, SHARED_AT + SHARED);
	close(fd);
	{
		static char variable[64];

		snprintf(variable, sizeof(variable), "STORM=/proc/self/fd/%d",
			 SHARED_AT + SHARED);
		putenv(variable);
	}
	for (int i = 0; i < SHARED; i++) {
		fd = open("/dev/perfctr", O_RDWR);
		if (fd < 0 || dup2(fd, SHARED_AT + i) < 0)
			return perror("storm: /dev/perfctr"), 2;
		close(fd);
	}
	if (ioctl(SHARED_AT, PERFCTR_IOC_INFO, &info))
		return perror("storm: counters"), 2;

	all->left = strtoll(argv[2], NULL, 0);
	/* So that none of them is left in the end */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (unsigned long i = 0; i < processes; i++)
		pids[i] = start(seed++);
	/* Until none is left, orphans of theirs included. */
	while ((pid = wait(NULL)) > 0 || errno == EINTR)
		for (unsigned long i = 0; i < processes; i++)
			if (pid == pids[i] && all->left > 0)
				pids[i] = start(seed++);

	printf("calls %llu failed %llu faults %llu overflows %llu kills %llu execs %llu forks %llu "
	       "exits %llu wrong %llu\n",
	       (unsigned long long)all->calls, (unsigned long long)all->failed,
	       (unsigned long long)all->faults,
	       (unsigned long long)all->overflows,
	       (unsigned long long)all->kills, (unsigned long long)all->execs,
	       (unsigned long long)all->forks, (unsigned long long)all->exits,
	       (unsigned long long)all->wrong);
	if (!still_counts()) {
		puts("wrong: no counters in the end, or they don't count");
		return 1;
	}
	return all->wrong != 0;
}
