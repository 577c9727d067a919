// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fig7 SCENARIO SEED RUNS [MOVES]
 *
 * One domain's part of the paper's Fig. 7 (Nikolaev and Back, VEE 2011): two
 * threads count themselves while both schedulers switch and move them.
 *
 *	1	each thread on its own vCPU
 *	2	both on vCPU 0
 *	3	both on vCPU 0, and dom0 makes another domain share its pCPU
 *	4	moved over the vCPUs at random, here, and the vCPUs over the pCPUs, by dom0
 *
 * Counted are instructions, conditional branches, loads and stores of user
 * mode.  A run is one control of each thread, from its start to its stop, cut
 * into windows of random code of known counts:
 *
 *	READ  [code]  READ  read_ctrs  READ	 ...  READ  STOP
 *
 * READ is the ioctl: one system call, exact, and always the same number of
 * instructions around it.  So each window has to be its code plus one constant
 * (READ to READ), each user-mode read has to be one constant behind the next
 * READ, and what STOP leaves one constant behind the last READ.  The constants
 * are measured at the start, with a window without code.  A user-mode read that
 * met a switch tries again in other code, which has a constant of its own;
 * that is allowed only where the page's sequence number changed.
 *
 * A run goes on until what it is about has happened often enough, as seen by
 * the threads between two windows: which vCPU and which pCPU they are on, how often
 * they were preempted (getrusage), how often their vCPU was (the stolen ticks).
 * CPUID is not intercepted in a PV guest here, so the initial APIC id is that
 * of the pCPU.  A move that was undone between two windows is not seen: the
 * figures are lower bounds.
 *
 * Prints one line for each run; status 1 if a count was wrong.
 */

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <uapi/perfctr.h>

#include "codes.h"
#include "pin.h"

#define THREADS    2
#define STEPS      6
#define WINDOWS    100 /* of each thread, at least */
#define SWITCHES   10  /* in scenarios 2 and 3, of each thread */
#define STOLEN     10 /* in scenario 3, times that a thread's vCPU was preempted */
#define PATIENCE   100 /* seconds of the guest's time for one run */
#define COMPLAINTS 10  /* windows reported in full */
#define MAX_VCPUS  64

/* What is counted, in the order of the control. */
static const enum count counted[] = {INSTRUCTIONS, COND_BRANCHES, LOADS,
				     STORES};
#define NR_COUNTED (sizeof(counted) / sizeof(*counted))

struct random {
	uint64_t state;
};

/* Four numbers, as counted. */
struct values {
	unsigned long long of[NR_COUNTED];
};

struct thread {
	int number;
	pid_t tid;
	struct random random;
	struct vperfctr *self;
	int fd; /* the same counters, for READ, */
	const volatile struct perfctr_page *page; /* and their page */
	struct step steps[STEPS];
	void *memory, *fresh;
	/* Measured: READ to READ, start to READ, READ to STOP, */
	struct values window, start, stop;
	/* read_ctrs to READ: at the first try, and after another one */
	struct values user_read, retried_read;

	/* Of one run. */
	uint64_t windows, wrong, retried;
	struct values total, difference;
	uint64_t switches, stolen;
	unsigned int vcpu;
	atomic_uint moves;
	atomic_bool satisfied;
};

/*
 * On which pCPU a vCPU was when a thread of this domain looked last.  The lock is
 * held from the look on, so looks are recorded in their order, and each
 * difference is one move, whichever thread sees it.
 */
static struct {
	pthread_mutex_t lock;
	int pcpu[MAX_VCPUS];
	unsigned int moves;
} vcpus = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int scenario;
static uint64_t seed, wanted_moves = 1000;
static struct thread threads[THREADS];
static pthread_barrier_t barrier;
static atomic_bool run_over, run_failed;
static atomic_int complaints;

static void die(const char *what)
{
	fprintf(stderr, "fig7: %s: %s\n", what, strerror(errno));
	_exit(2);
}

static uint64_t random_number(struct random *random)
{
	uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t random_below(struct random *random, uint64_t limit)
{
	return random_number(random) % limit;
}

/* 1 to below 2^bits, each length of number as likely as any other. */
static uint64_t random_length(struct random *random, unsigned int bits)
{
	uint64_t power = UINT64_C(1) << random_below(random, bits);

	return power + random_below(random, power);
}

/* A window's code: returns how many steps, and what they count. */
static size_t random_code(struct thread *t, struct values *known)
{
	static const struct {
		const char *region;
		unsigned int bits; /* of the number of times */
	} menu[] = {
		{"loop", 14},    {"branches", 12}, {"loads", 12},
		{"stores", 12},  {"updates", 12},  {"calls", 12},
		{"rep", 12},     {"loop", 14},     {"loads", 12},
		{"syscalls", 4}, {"touch", 3},     {"stores", 12},
	};
	size_t n = 1 + random_below(&t->random, STEPS), i;
	uint64_t counts[NR_COUNTS] = {0};
	bool touched = false;

	for (i = 0; i < n; i++) {
		size_t choice =
			random_below(&t->random, sizeof(menu) / sizeof(*menu));
		const struct region *region = find_region(menu[choice].region);
		uint64_t times = random_length(&t->random, menu[choice].bits);

		t->steps[i].n = times;
		t->steps[i].run = region->run;
		t->steps[i].memory = region->fresh ? t->fresh : t->memory;
		touched |= region->fresh;
		add_step(counts, region, times);
	}
	add_sequence(counts);
	/* New pages again: page faults in the middle of a window. */
	if (touched && madvise(t->fresh, 4096 << 3, MADV_DONTNEED) < 0)
		die("madvise");
	for (i = 0; i < NR_COUNTED; i++)
		known->of[i] = counts[counted[i]];
	return n;
}

/* One window: the code of all of them, so that what it adds is the same. */
struct window {
	struct perfctr_dev_sums before, after, last;
	struct perfctr_sum_ctrs user;
	bool switched; /* while read_ctrs read */
	int failed;
};

static __attribute__((noinline)) void
run_window(struct thread *t, void (*run)(uint64_t n, void *memory), uint64_t n,
	   struct window *w)
{
	uint32_t sequence;
	int failed = 0;

	failed |= ioctl(t->fd, PERFCTR_IOC_READ, &w->before);
	run(n, t->steps);
	failed |= ioctl(t->fd, PERFCTR_IOC_READ, &w->after);
	sequence = t->page->sequence;
	failed |= vperfctr_read_ctrs(t->self, &w->user);
	w->switched = t->page->sequence != sequence;
	failed |= ioctl(t->fd, PERFCTR_IOC_READ, &w->last);
	w->failed = failed;
}

/* Start to READ. */
static __attribute__((noinline)) int
start_counting(struct thread *t, struct vperfctr_control *control,
	       struct perfctr_dev_sums *first)
{
	int failed = vperfctr_control(t->self, control);

	return failed | ioctl(t->fd, PERFCTR_IOC_READ, first);
}

/* READ to STOP. */
static __attribute__((noinline)) int
stop_counting(struct thread *t, struct perfctr_dev_sums *last)
{
	int failed = ioctl(t->fd, PERFCTR_IOC_READ, last);

	return failed | vperfctr_stop(t->self);
}

static void the_control(struct vperfctr_control *control)
{
	size_t i;

	one_counter(control, 0, code_of(counted[0]));
	control->cpu_control.nractrs = NR_COUNTED;
	for (i = 1; i < NR_COUNTED; i++) {
		control->cpu_control.pmc_map[i] = (unsigned int)i;
		control->cpu_control.evntsel[i] = code_of(counted[i]) |
						  PERFCTR_EVNTSEL_USR |
						  PERFCTR_EVNTSEL_EN;
	}
}

static struct values minus(const unsigned long long *x,
			   const unsigned long long *y)
{
	struct values result;
	size_t i;

	for (i = 0; i < NR_COUNTED; i++)
		result.of[i] = x[i] - y[i];
	return result;
}

static void least(struct values *to, const struct values *value)
{
	size_t i;

	for (i = 0; i < NR_COUNTED; i++)
		if (value->of[i] < to->of[i])
			to->of[i] = value->of[i];
}

/*
 * Counters of user mode repeat themselves: two vCPUs that begin alike hold the
 * same values.  Xen does not write what is in a register already, but the
 * machine's check for foreign counters (pmu-owner) knows only who wrote.  So
 * that equal values are rare, each thread begins with something else.
 */
static void differ(struct thread *t)
{
	struct vperfctr_control control;

	the_control(&control);
	if (vperfctr_control(t->self, &control) < 0)
		die("vperfctr_control");
	find_region("loop")->run(1 + random_below(&t->random, 1 << 17), NULL);
	find_region("loads")->run(1 + random_below(&t->random, 1 << 15),
				  t->memory);
	find_region("stores")->run(1 + random_below(&t->random, 1 << 15),
				   t->memory);
}

/* The constants: least of some, without code. */
static void calibrate(struct thread *t)
{
	static const struct values none;
	struct vperfctr_control control;
	int again;

	memset(&t->window, 0xff, sizeof(t->window));
	t->user_read = t->retried_read = t->start = t->stop = t->window;
	for (again = 0; again < 40; again++) {
		struct perfctr_dev_sums first, last;
		struct perfctr_sum_ctrs end;
		struct values v;
		struct window w;

		the_control(&control);
		/* Without the TSC read_ctrs begins where it else tries again. */
		control.cpu_control.tsc_on = again < 20;
		if (start_counting(t, &control, &first))
			die("counting (constants)");
		run_window(t, regions[0].run, 0, &w);
		if (w.failed || stop_counting(t, &last) ||
		    vperfctr_read_ctrs(t->self, &end))
			die("counting (constants)");
		v = minus(first.pmc, none.of);
		least(&t->start, &v);
		v = minus(w.after.pmc, w.before.pmc);
		least(&t->window, &v);
		v = minus(w.last.pmc, w.user.pmc);
		least(again < 20 ? &t->user_read : &t->retried_read, &v);
		v = minus(end.pmc, last.pmc);
		least(&t->stop, &v);
	}
}

/* Adds what @count is off. */
static void compare(struct thread *t, const char *what,
		    const struct values *count, const struct values *known,
		    const struct values *constant)
{
	bool wrong = false;
	size_t i;

	for (i = 0; i < NR_COUNTED; i++) {
		uint64_t off = count->of[i] - known->of[i] - constant->of[i];

		t->difference.of[i] += off;
		wrong |= off != 0;
	}
	if (!wrong)
		return;
	t->wrong++;
	if (atomic_fetch_add(&complaints, 1) >= COMPLAINTS)
		return;
	for (i = 0; i < NR_COUNTED; i++)
		fprintf(stderr,
			"thread %d, window %llu, %s: %s: counted %llu, known %llu + %llu, off %lld\n",
			t->number, (unsigned long long)t->windows, what,
			count_names[counted[i]],
			(unsigned long long)count->of[i],
			(unsigned long long)known->of[i],
			(unsigned long long)constant->of[i],
			(long long)(count->of[i] - known->of[i] -
				    constant->of[i]));
}

/* Where the thread is: both, at one time. */
static void look_around(unsigned int *vcpu, unsigned int *pcpu)
{
	unsigned int eax, ebx, ecx, edx, after;

	do {
		if (syscall(SYS_getcpu, vcpu, NULL, NULL) < 0)
			die("getcpu");
		__cpuid(1, eax, ebx, ecx, edx);
		*pcpu = ebx >> 24;
		if (syscall(SYS_getcpu, &after, NULL, NULL) < 0)
			die("getcpu");
	} while (after != *vcpu);
}

static void count_moves(struct thread *t)
{
	unsigned int vcpu, pcpu;

	pthread_mutex_lock(&vcpus.lock);
	look_around(&vcpu, &pcpu);
	if (vcpu >= MAX_VCPUS)
		die("a vCPU beyond 63");
	if (vcpus.pcpu[vcpu] >= 0 && (unsigned int)vcpus.pcpu[vcpu] != pcpu)
		vcpus.moves++;
	vcpus.pcpu[vcpu] = (int)pcpu;
	pthread_mutex_unlock(&vcpus.lock);
	if (vcpu != t->vcpu)
		t->moves++;
	t->vcpu = vcpu;
}

static void forget_moves(void)
{
	size_t i;

	vcpus.moves = 0;
	for (i = 0; i < MAX_VCPUS; i++)
		vcpus.pcpu[i] = -1;
}

static unsigned int vcpu_moves(void)
{
	unsigned int moves;

	pthread_mutex_lock(&vcpus.lock);
	moves = vcpus.moves;
	pthread_mutex_unlock(&vcpus.lock);
	return moves;
}

static uint64_t preemptions(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		die("getrusage");
	return (uint64_t)usage.ru_nivcsw;
}

static bool enough(const struct thread *t)
{
	if (t->windows < WINDOWS)
		return false;
	switch (scenario) {
	case 2:
		return t->switches >= SWITCHES;
	case 3:
		return t->switches >= SWITCHES && t->stolen >= STOLEN;
	case 4:
		return threads[0].moves + threads[1].moves >= wanted_moves &&
		       vcpu_moves() >= wanted_moves;
	default:
		return true;
	}
}

static void one_run(struct thread *t)
{
	struct perfctr_dev_sums first, last, *previous = &first;
	static const struct values none;
	uint64_t stolen, switches_before;
	struct vperfctr_control control;
	struct perfctr_sum_ctrs end;
	struct values v, known;
	struct window w;
	unsigned int pcpu;

	t->windows = t->wrong = t->retried = t->switches = t->stolen = 0;
	t->moves = 0;
	memset(&t->total, 0, sizeof(t->total));
	memset(&t->difference, 0, sizeof(t->difference));
	memset(&w, 0, sizeof(w));
	memset(&last, 0, sizeof(last));
	look_around(&t->vcpu, &pcpu);
	the_control(&control);
	switches_before = preemptions();

	if (start_counting(t, &control, &first))
		die("start");
	v = minus(first.pmc, none.of);
	compare(t, "start", &v, &none, &t->start);
	stolen = first.stolen;
	while (!run_over) {
		size_t n = random_code(t, &known);

		run_window(t, region_sequence, n, &w);
		if (w.failed)
			die("counting");
		t->windows++;
		v = minus(w.after.pmc, w.before.pmc);
		compare(t, "code", &v, &known, &t->window);
		v = minus(w.last.pmc, w.user.pmc);
		if (w.switched && !memcmp(&v, &t->retried_read, sizeof(v)))
			t->retried++;
		else
			compare(t, "user-mode read", &v, &none, &t->user_read);
		/* Time goes on, and the sums with it. */
		if ((int64_t)(w.before.tsc - previous->tsc) < 0 ||
		    w.after.tsc < w.before.tsc || w.user.tsc < w.after.tsc ||
		    w.last.tsc < w.user.tsc) {
			fprintf(stderr,
				"thread %d, window %llu: the TSC went back: %llu %llu %llu %llu %llu\n",
				t->number, (unsigned long long)t->windows,
				(unsigned long long)previous->tsc,
				(unsigned long long)w.before.tsc,
				(unsigned long long)w.after.tsc, w.user.tsc,
				(unsigned long long)w.last.tsc);
			t->wrong++;
		}
		last = w.last;
		previous = &last;
		count_moves(t);
		if (w.last.stolen != stolen) {
			t->stolen++;
			stolen = w.last.stolen;
		}
		t->switches = preemptions() - switches_before;
		if (!t->satisfied && enough(t))
			t->satisfied = true;
	}
	if (stop_counting(t, &last) || vperfctr_read_ctrs(t->self, &end))
		die("stop");
	v = minus(end.pmc, last.pmc);
	compare(t, "stop", &v, &none, &t->stop);
	memcpy(t->total.of, end.pmc, sizeof(t->total.of));
}

static int runs;

static void *thread_main(void *argument)
{
	struct thread *t = argument;
	int run;

	t->tid = (pid_t)syscall(SYS_gettid);
	if (pin(t->tid, scenario == 1 || scenario == 4 ? (unsigned int)t->number
						       : 0))
		die("sched_setaffinity");
	t->random.state = seed << 8 | (uint64_t)(scenario << 4 | t->number);
	t->memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	t->fresh = mmap(NULL, 4096 << 3, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (t->memory == MAP_FAILED || t->fresh == MAP_FAILED)
		die("mmap");
	t->self = vperfctr_open();
	if (!t->self)
		die("vperfctr_open");
	t->fd = open("/dev/perfctr", O_RDWR | O_CLOEXEC);
	if (t->fd < 0 || ioctl(t->fd, PERFCTR_IOC_OPEN) < 0)
		die("/dev/perfctr");
	t->page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, t->fd, 0);
	if (t->page == MAP_FAILED)
		die("mmap of /dev/perfctr");
	differ(t);
	calibrate(t);
	pthread_barrier_wait(&barrier);
	for (run = 0; run < runs; run++) {
		pthread_barrier_wait(&barrier);
		one_run(t);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void sleep_us(uint64_t us)
{
	struct timespec time = {.tv_sec = 0, .tv_nsec = (long)us * 1000};

	nanosleep(&time, NULL);
}

/* Until both threads have had enough: here threads are moved. */
static void direct(struct random *random)
{
	unsigned int at[THREADS] = {0, 1};
	time_t end = time(NULL) + PATIENCE;

	while (!(threads[0].satisfied && threads[1].satisfied)) {
		if (time(NULL) > end) {
			run_failed = true;
			break;
		}
		if (scenario == 4) {
			unsigned int which =
				(unsigned int)random_below(random, THREADS);

			at[which] ^= 1;
			if (pin(threads[which].tid, at[which]))
				die("sched_setaffinity");
			sleep_us(random_below(random, 400));
		} else {
			sleep_us(5000);
		}
	}
	run_over = true;
}

static void report(int run, const struct thread *t)
{
	size_t i;

	printf("run %d thread %d windows %llu", run, t->number,
	       (unsigned long long)t->windows);
	for (i = 0; i < NR_COUNTED; i++)
		printf(" %s %llu off %lld", count_names[counted[i]],
		       (unsigned long long)t->total.of[i],
		       (long long)t->difference.of[i]);
	printf(" wrong %llu retried %llu switches %llu stolen %llu moves %u vcpu-moves %u\n",
	       (unsigned long long)t->wrong, (unsigned long long)t->retried,
	       (unsigned long long)t->switches, (unsigned long long)t->stolen,
	       t->moves, vcpus.moves);
}

int main(int argc, char **argv)
{
	struct random random;
	pthread_t handles[THREADS];
	int run, i, status = 0;

	if (argc < 4 || argc > 5) {
		fputs("usage: fig7 SCENARIO SEED RUNS [MOVES]\n", stderr);
		return 2;
	}
	scenario = (int)parse_number(argv[1]);
	seed = parse_number(argv[2]);
	runs = (int)parse_number(argv[3]);
	if (argc == 5)
		wanted_moves = parse_number(argv[4]);
	if (scenario < 1 || scenario > 4 || runs < 1) {
		fputs("fig7: SCENARIO is 1 to 4, RUNS at least 1\n", stderr);
		return 2;
	}
	random.state = ~seed;
	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++) {
		threads[i].number = i;
		errno = pthread_create(&handles[i], NULL, thread_main,
				       &threads[i]);
		if (errno)
			die("pthread_create");
	}
	pthread_barrier_wait(&barrier);
	for (run = 1; run <= runs; run++) {
		run_over = false;
		threads[0].satisfied = threads[1].satisfied = false;
		forget_moves();
		pthread_barrier_wait(&barrier);
		direct(&random);
		pthread_barrier_wait(&barrier);
		for (i = 0; i < THREADS; i++) {
			report(run, &threads[i]);
			status |= threads[i].wrong != 0;
		}
		fflush(stdout);
		if (run_failed) {
			fprintf(stderr,
				"fig7: scenario %d did not happen in %d s\n",
				scenario, PATIENCE);
			return 3;
		}
	}
	return status;
}
