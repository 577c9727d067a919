// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * costs none|ours|perf [sleep | spin]
 *
 * What counting costs, by the emulated machine's ruler: of everything that the
 * CPU does, user, kernel and Xen.  With libperfctr (ours), with Linux's
 * perf_event_open(2), or what there is without either.  Prints lines
 * "WORK METRIC NUMBER"; nothing is judged here.
 *
 * Every number is the median of many: timer ticks and what else comes in
 * between is in some of them.  Extras are differences of two medians.
 *
 * "sleep" measures only what happens when the vCPU leaves its physical CPU and
 * comes back; "spin" counts until it is killed.  One in each of two domains
 * that share a physical CPU, they contend for its PMU.
 *
 * Needs one physical CPU, because the ruler is that of the CPU that is asked.
 */

#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../machine/ruler/ruler.h"
#include "codes.h"
#include "pin.h"

#define WARM_UP     40
#define REPETITIONS 401
#define COUNTERS    4

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ------------------------------- measuring ------------------------------- */

enum metric {
	INSN, /* retired by the CPU, in all modes */
	SYSTEM_CALLS,
	HYPERCALLS,
	WRMSR, /* of PMU registers */
	RDMSR,
	RDPMC,
	GP_FAULTS,
	NR_METRICS
};

static const char *const metric_names[NR_METRICS] = {
	"insn", "syscalls", "hypercalls", "wrmsr", "rdmsr", "rdpmc", "gp",
};

struct counts {
	uint64_t of[NR_METRICS];
};

/* The instructions innermost, so that little of the ruler's own is in them. */
static inline __attribute__((always_inline)) void begin(struct counts *counts)
{
	counts->of[SYSTEM_CALLS] = ruler_read(RULER_SYSCALLS);
	counts->of[HYPERCALLS] = ruler_read(RULER_HYPERCALLS);
	counts->of[WRMSR] = ruler_read(RULER_PMU_WRMSR);
	counts->of[RDMSR] = ruler_read(RULER_PMU_RDMSR);
	counts->of[RDPMC] = ruler_read(RULER_RDPMC);
	counts->of[GP_FAULTS] = ruler_read(RULER_GP_FAULTS);
	counts->of[INSN] = ruler_event_total(RULER_INSN);
}

static inline __attribute__((always_inline)) void
end(struct counts *delta, const struct counts *begun)
{
	struct counts now;
	int i;

	now.of[INSN] = ruler_event_total(RULER_INSN);
	now.of[SYSTEM_CALLS] = ruler_read(RULER_SYSCALLS);
	now.of[HYPERCALLS] = ruler_read(RULER_HYPERCALLS);
	now.of[WRMSR] = ruler_read(RULER_PMU_WRMSR);
	now.of[RDMSR] = ruler_read(RULER_PMU_RDMSR);
	now.of[RDPMC] = ruler_read(RULER_RDPMC);
	now.of[GP_FAULTS] = ruler_read(RULER_GP_FAULTS);
	for (i = 0; i < NR_METRICS; i++)
		delta->of[i] = now.of[i] - begun->of[i];
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of each metric, the one with that many smaller ones. */
static struct counts ranked(const struct counts *deltas, int rank)
{
	static uint64_t sorted[REPETITIONS];
	struct counts result;
	int i, metric;

	for (metric = 0; metric < NR_METRICS; metric++) {
		for (i = 0; i < REPETITIONS; i++)
			sorted[i] = deltas[i].of[metric];
		qsort(sorted, REPETITIONS, sizeof(*sorted), by_size);
		result.of[metric] = sorted[rank];
	}
	return result;
}

static struct counts median(const struct counts *deltas)
{
	return ranked(deltas, REPETITIONS / 2);
}

static void print(const char *work, struct counts counts)
{
	int metric;

	for (metric = 0; metric < NR_METRICS; metric++)
		printf("%s %s %lld\n", work, metric_names[metric],
		       (long long)counts.of[metric]);
	fflush(stdout);
}

static struct counts minus(struct counts a, struct counts b)
{
	int metric;

	for (metric = 0; metric < NR_METRICS; metric++)
		a.of[metric] -= b.of[metric];
	return a;
}

static __attribute__((noinline)) void nothing(void *handle, void *to)
{
	(void)handle;
	(void)to;
}

typedef void call(void *handle, void *to);

static struct counts measure_ranked(call *call, void *handle, void *to, int rank)
{
	static struct counts deltas[REPETITIONS];
	struct counts begun;
	int i;

	for (i = -WARM_UP; i < REPETITIONS; i++) {
		begin(&begun);
		call(handle, to);
		end(&deltas[i < 0 ? 0 : i], &begun);
	}
	return ranked(deltas, rank);
}

static struct counts measure_call(call *call, void *handle, void *to)
{
	return measure_ranked(call, handle, to, REPETITIONS / 2);
}

/* What the call costs, its CALL and RET included. */
static struct counts cost_of_call(call *call, void *handle, void *to)
{
	struct counts result = minus(measure_call(call, handle, to),
				     measure_call(nothing, handle, to));

	result.of[INSN] += 2;
	return result;
}

static sigjmp_buf fault;

static void on_fault(int signal_number)
{
	(void)signal_number;
	siglongjmp(fault, 1);
}

/* Does @call(@to) run without SIGSEGV and SIGILL? */
static bool bears(void (*call)(void *to), void *to)
{
	bool borne = false;

	signal(SIGSEGV, on_fault);
	signal(SIGILL, on_fault);
	if (!sigsetjmp(fault, 1)) {
		call(to);
		borne = true;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	return borne;
}

static void check_ruler(void *to)
{
	if (ruler_read(RULER_VERSION) != RULER_VERSION_1)
		*(bool *)to = false;
}

/* ------------------------------- what counts ----------------------------- */

/* What a thread counts; all with four general counters. */
enum kind {
	NONE,
	SAME,  /* user and kernel mode */
	OTHER, /* other events */
	USER_ONLY,
};

/* Events that Linux does not move to fixed counters, and that exist. */
static uint32_t event(enum kind kind, int i)
{
	static const uint32_t intel[2][COUNTERS] = {
		{0x00c4, 0x01c4, 0x81d0, 0x82d0},
		{0x10c4, 0x04c4, 0x83d0, 0x0149},
	};
	static const uint32_t amd[2][COUNTERS] = {
		{0x00c2, 0x00d1, 0x0129, 0x0229},
		{0x00c4, 0x00c0, 0x0329, 0x0076},
	};

	return (cpu_is_amd() ? amd : intel)[kind == OTHER][i];
}

#define RING_PAGES 64 /* more than all samples take */
#define PERIOD     200000ULL

/*
 * Each of the measured calls had an overflow, and some two.  Were some not
 * sampled (throttled, or the ring full), the median might be that of none.
 */
static void check_samples(int samples)
{
	if (samples < REPETITIONS + WARM_UP) {
		fprintf(stderr, "costs: %d samples only\n", samples);
		exit(1);
	}
}

/* Both ways of counting, seen from here.  All act on the calling thread. */
struct way {
	const char *name;
	void *(*open)(enum kind kind, int counters);
	void (*close)(void *handle);
	void (*stop)(void *handle);
	void (*start)(void *handle);
	void (*read)(void *handle);     /* measures reads of one counter */
	void (*snapshot)(void *handle); /* and of all at the same time */
	/* Samples of user mode's instructions, to a ring. */
	void *(*open_sampling)(uint64_t period);
	void (*close_sampling)(void *handle);
};

struct ours {
	struct vperfctr *self;
	struct vperfctr_control control;
	struct vperfctr_rings *rings;
};

static void *ours_open(enum kind kind, int counters)
{
	struct ours *ours = calloc(1, sizeof(*ours));
	struct vperfctr_control *control = &ours->control;
	int i;

	control->cpu_control.tsc_on = 1;
	control->cpu_control.nractrs = (unsigned int)counters;
	for (i = 0; i < counters; i++) {
		control->cpu_control.pmc_map[i] = (unsigned int)i;
		control->cpu_control.evntsel[i] =
			event(kind, i) | PERFCTR_EVNTSEL_USR |
			(kind == USER_ONLY ? 0 : PERFCTR_EVNTSEL_OS) |
			PERFCTR_EVNTSEL_EN;
	}
	ours->self = vperfctr_open();
	if (!ours->self)
		die("vperfctr_open");
	if (vperfctr_control(ours->self, control))
		die("vperfctr_control");
	return ours;
}

static void ours_close(void *handle)
{
	struct ours *ours = handle;

	if (vperfctr_unlink(ours->self))
		die("vperfctr_unlink");
	vperfctr_close(ours->self);
	free(ours);
}

static void ours_stop(void *handle)
{
	vperfctr_stop(((struct ours *)handle)->self);
}

static void ours_start(void *handle)
{
	struct ours *ours = handle;

	vperfctr_control(ours->self, &ours->control);
}

static void ours_read_state(void *self, void *sums)
{
	vperfctr_read_state(self, sums, NULL);
}

/* The library's functions without anything around them. */
static void ours_read(void *handle)
{
	struct vperfctr *self = ((struct ours *)handle)->self;
	struct perfctr_sum_ctrs sums;

	print("read-user",
	      cost_of_call((call *)(void *)vperfctr_read_pmc, self, (void *)0));
	print("read-kernel", cost_of_call(ours_read_state, self, &sums));
}

static void ours_snapshot(void *handle)
{
	struct vperfctr *self = ((struct ours *)handle)->self;
	struct perfctr_sum_ctrs sums;

	print("snapshot",
	      cost_of_call((call *)(void *)vperfctr_read_ctrs, self, &sums));
}

static void *ours_open_sampling(uint64_t period)
{
	struct ours *ours = calloc(1, sizeof(*ours));
	struct vperfctr_control *control = &ours->control;
	const struct vperfctr_rings_control rings = {.pages = RING_PAGES};

	control->cpu_control.tsc_on = 1;
	control->cpu_control.nrictrs = 1;
	control->cpu_control.evntsel[0] = code_of(INSTRUCTIONS) |
		PERFCTR_EVNTSEL_USR | PERFCTR_EVNTSEL_INT | PERFCTR_EVNTSEL_EN;
	control->cpu_control.ireset[0] = -(int)period;
	ours->self = vperfctr_open();
	if (!ours->self)
		die("vperfctr_open");
	ours->rings = vperfctr_rings_open(ours->self, &rings);
	if (!ours->rings)
		die("vperfctr_rings_open");
	if (vperfctr_control(ours->self, control))
		die("vperfctr_control");
	return ours;
}

static void ours_close_sampling(void *handle)
{
	struct ours *ours = handle;
	const struct vperfctr_record *record;
	int samples = 0;

	vperfctr_stop(ours->self);
	while ((record = vperfctr_rings_next(ours->rings)))
		samples += record->type == VPERFCTR_RECORD_SAMPLE;
	check_samples(samples);
	vperfctr_rings_close(ours->rings);
	ours_close(ours);
}

/* The leader of the group first. */
struct perf {
	int counters;
	int fd[COUNTERS];
	struct perf_event_mmap_page *ring;
};

static void *perf_open(enum kind kind, int counters)
{
	struct perf *perf = calloc(1, sizeof(*perf));
	int i;

	perf->counters = counters;
	for (i = 0; i < counters; i++) {
		struct perf_event_attr attr;

		memset(&attr, 0, sizeof(attr));
		attr.size = sizeof(attr);
		attr.type = PERF_TYPE_RAW;
		attr.config = event(kind, i);
		attr.exclude_kernel = kind == USER_ONLY;
		attr.read_format = counters > 1 ? PERF_FORMAT_GROUP : 0;
		perf->fd[i] = (int)syscall(SYS_perf_event_open, &attr, 0, -1,
					   i ? perf->fd[0] : -1, 0);
		if (perf->fd[i] < 0)
			die("perf_event_open");
	}
	return perf;
}

static void perf_close(void *handle)
{
	struct perf *perf = handle;
	int i;

	for (i = perf->counters - 1; i >= 0; i--)
		close(perf->fd[i]);
	free(perf);
}

static void perf_stop(void *handle)
{
	ioctl(((struct perf *)handle)->fd[0], PERF_EVENT_IOC_DISABLE,
	      PERF_IOC_FLAG_GROUP);
}

static void perf_start(void *handle)
{
	ioctl(((struct perf *)handle)->fd[0], PERF_EVENT_IOC_ENABLE,
	      PERF_IOC_FLAG_GROUP);
}

static void *perf_open_sampling(uint64_t period)
{
	struct perf *perf = calloc(1, sizeof(*perf));
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = PERF_TYPE_RAW;
	attr.config = code_of(INSTRUCTIONS);
	attr.exclude_kernel = 1;
	attr.sample_period = period;
	/* What a record of ours has. */
	attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |
		PERF_SAMPLE_CPU | PERF_SAMPLE_READ;
	perf->counters = 1;
	perf->fd[0] = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	if (perf->fd[0] < 0)
		die("perf_event_open");
	perf->ring = mmap(NULL, (1 + RING_PAGES) * 4096, PROT_READ | PROT_WRITE,
			  MAP_SHARED, perf->fd[0], 0);
	if (perf->ring == MAP_FAILED)
		die("mmap");
	return perf;
}

static void perf_close_sampling(void *handle)
{
	struct perf *perf = handle;
	uint64_t head, tail = 0;
	int samples = 0;

	perf_stop(perf);
	head = __atomic_load_n(&perf->ring->data_head, __ATOMIC_ACQUIRE);
	while (tail < head) {
		const struct perf_event_header *record =
			(const void *)((char *)perf->ring + 4096 + tail);

		samples += record->type == PERF_RECORD_SAMPLE;
		tail += record->size;
	}
	check_samples(samples);
	munmap(perf->ring, (1 + RING_PAGES) * 4096);
	perf_close(perf);
}

/* As the comment at "cap_user_rdpmc" of linux/perf_event.h says. */
static void perf_read_user(void *mapping, void *to)
{
	struct perf_event_mmap_page *page = mapping;
	uint32_t sequence, index, lo, hi;
	uint64_t count;

	do {
		sequence = *(volatile uint32_t *)&page->lock;
		__asm__ __volatile__("" ::: "memory");
		index = page->index;
		count = (uint64_t)page->offset;
		if (page->cap_user_rdpmc && index) {
			int64_t pmc;

			__asm__ __volatile__("rdpmc"
					     : "=a"(lo), "=d"(hi)
					     : "c"(index - 1));
			pmc = (int64_t)((uint64_t)hi << 32 | lo);
			pmc <<= 64 - page->pmc_width;
			pmc >>= 64 - page->pmc_width;
			count += (uint64_t)pmc;
		}
		__asm__ __volatile__("" ::: "memory");
	} while (*(volatile uint32_t *)&page->lock != sequence);
	*(uint64_t *)to = count;
}

static void perf_try_read_user(void *mapping)
{
	uint64_t count;

	perf_read_user(mapping, &count);
}

static void perf_read_kernel(void *handle, void *to)
{
	struct perf *perf = handle;
	size_t words = perf->counters > 1 ? (size_t)perf->counters + 1 : 1;

	if (read(perf->fd[0], to, words * sizeof(uint64_t)) < 0)
		die("read of counters");
}

static void perf_read(void *handle)
{
	struct perf *perf = handle;
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, perf->fd[0], 0);
	uint64_t count;

	if (page == MAP_FAILED)
		die("mmap of a counter");
	if (bears(perf_try_read_user, page))
		print("read-user", cost_of_call(perf_read_user, page, &count));
	else
		puts("read-user insn faults");
	munmap(page, 4096);
	print("read-kernel", cost_of_call(perf_read_kernel, handle, &count));
}

static void perf_snapshot(void *handle)
{
	uint64_t counts[1 + COUNTERS];

	print("snapshot", cost_of_call(perf_read_kernel, handle, counts));
}

static const struct way ways[] = {
	{.name = "none"},
	{"ours", ours_open, ours_close, ours_stop, ours_start, ours_read,
	 ours_snapshot, ours_open_sampling, ours_close_sampling},
	{"perf", perf_open, perf_close, perf_stop, perf_start, perf_read,
	 perf_snapshot, perf_open_sampling, perf_close_sampling},
};

static const struct way *way;

static void *open_kind(enum kind kind)
{
	return kind == NONE ? NULL : way->open(kind, COUNTERS);
}

static void close_kind(void *handle)
{
	if (handle)
		way->close(handle);
}

/* ---------------------------------- calls -------------------------------- */

static void stop_start(void *handle, void *to)
{
	(void)to;
	way->stop(handle);
	way->start(handle);
}

static void system_call(void *handle, void *to)
{
	(void)handle;
	(void)to;
	syscall(SYS_getppid);
}

static void measure_calls(void)
{
	static const struct {
		enum kind kind;
		const char *name;
	} kinds[] = {{SAME, "syscall-extra"},
		     {USER_ONLY, "syscall-extra-user-only"}};
	struct counts none = cost_of_call(system_call, NULL, NULL);
	void *handle;
	size_t i;

	handle = way->open(SAME, 1);
	way->read(handle);
	way->close(handle);

	handle = way->open(SAME, COUNTERS);
	way->snapshot(handle);
	print("start-stop", cost_of_call(stop_start, handle, NULL));
	way->close(handle);

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		handle = way->open(kinds[i].kind, COUNTERS);
		print(kinds[i].name,
		      minus(cost_of_call(system_call, handle, NULL), none));
		way->close(handle);
	}
}

/* A period, and a tenth of the next one. */
static __attribute__((noinline)) void one_overflow(void *handle, void *to)
{
	uint64_t n = PERIOD / 2 + PERIOD / 20;

	(void)handle;
	(void)to;
	__asm__ __volatile__("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
}

/* From the overflow until the loop goes on, its record in the ring. */
static void measure_sampling(void)
{
	struct counts none = measure_call(one_overflow, NULL, NULL);
	void *handle = way->open_sampling(PERIOD);

	print("overflow", minus(measure_call(one_overflow, NULL, NULL), none));
	way->close_sampling(handle);
}

/* --------------------------------- switches ------------------------------ */

/*
 * Two threads that pass a turn to and fro through pipes.  What passes from just
 * before one gives it away until the other has it is one switch, with the
 * system calls that it takes.
 */
struct side {
	bool second;
	enum kind kind;
	int in, out;
	struct counts deltas[REPETITIONS]; /* of getting the turn */
};

static struct side sides[2];
static struct counts sent;

static void give(const struct side *side)
{
	if (write(side->out, "", 1) != 1)
		die("write to a pipe");
}

static void get(const struct side *side)
{
	char c;

	if (read(side->in, &c, 1) != 1)
		die("read of a pipe");
}

static void *run_side(void *argument)
{
	const struct sched_param batch = {0};
	struct side *side = argument;
	void *handle;
	int i;

	if (pin(0, 0))
		die("sched_setaffinity");
	/* Not preempted by the other one as soon as that is awake. */
	if (sched_setscheduler(0, SCHED_BATCH, &batch))
		die("sched_setscheduler");
	handle = open_kind(side->kind);
	if (side->second)
		get(side);
	for (i = -WARM_UP; i < REPETITIONS; i++) {
		begin(&sent);
		give(side);
		get(side);
		end(&side->deltas[i < 0 ? 0 : i], &sent);
	}
	if (!side->second) {
		/* The other one is waiting for its last turn. */
		begin(&sent);
		give(side);
	}
	close_kind(handle);
	return NULL;
}

/* A switch from the first to the second side, and one back. */
struct both_ways {
	struct counts to, from;
};

static struct both_ways switches(enum kind first, enum kind second)
{
	pthread_t thread[2];
	struct both_ways result;
	int i, there[2], back[2];

	if (pipe(there) || pipe(back))
		die("pipe");
	sides[0].kind = first;
	sides[0].in = back[0];
	sides[0].out = there[1];
	sides[1].kind = second;
	sides[1].in = there[0];
	sides[1].out = back[1];
	for (i = 0; i < 2; i++) {
		sides[i].second = i;
		if (pthread_create(&thread[i], NULL, run_side, &sides[i]))
			die("pthread_create");
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
	result.to = median(sides[1].deltas);
	result.from = median(sides[0].deltas);
	return result;
}

/*
 * Of threads without counters: of three runs the shortest.  Now and then most switches
 * of one are 28 instructions longer, and with another seed are not; which code it is
 * was not looked into.
 */
static struct both_ways bare_switches(void)
{
	struct both_ways least = switches(NONE, NONE), is;
	int i;

	for (i = 0; i < 2; i++) {
		is = switches(NONE, NONE);
		if (is.to.of[INSN] < least.to.of[INSN])
			least.to = is.to;
		if (is.from.of[INSN] < least.from.of[INSN])
			least.from = is.from;
	}
	return least;
}

static void print_extra(const char *work, struct counts is, struct counts base)
{
	print(work, minus(is, base));
}

static void measure_thread_switches(struct both_ways base)
{
	void *handle = way->open(SAME, COUNTERS);
	struct both_ways is = bare_switches();

	print_extra("switch-extra-others", is.to, base.to);
	way->close(handle);

	is = switches(SAME, SAME);
	print_extra("switch-extra-same", is.to, base.to);
	is = switches(USER_ONLY, USER_ONLY);
	print_extra("switch-extra-same-user-only", is.to, base.to);
	is = switches(SAME, OTHER);
	print_extra("switch-extra-other", is.to, base.to);
	is = switches(SAME, NONE);
	print_extra("switch-extra-to-none", is.to, base.to);
	print_extra("switch-extra-from-none", is.from, base.from);
}

/*
 * The vCPU leaves its physical CPU and comes back: two vCPU switches, to what
 * else there is to run, or to Xen's idle vCPU.  The guest's kernel is not asked
 * whether it has something better to do: the hypercall is.
 */
static int privcmd = -1;
static int64_t xen_time; /* ahead of CLOCK_MONOTONIC, ns */

static bool hypercall(uint64_t op, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	/* Linux's IOCTL_PRIVCMD_HYPERCALL, whose header needs Xen's. */
	struct {
		uint64_t op, arg[5];
	} call = {.op = op, .arg = {arg0, arg1, arg2}};

	return ioctl(privcmd, _IOC(_IOC_NONE, 'P', 0, sizeof(call)), &call) ==
	       0;
}

static int64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Linux lets only a privileged domain make hypercalls from programs: else false. */
static bool may_sleep(void)
{
	struct {
		int32_t state;
		uint64_t entered; /* it, system time */
		uint64_t time[4];
	} runstate = {0};

	privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
	if (privcmd < 0)
		return false;
	/* After a sleep the vCPU has entered "running" just now. */
	usleep(20000);
	xen_time = -now();
	if (!hypercall(24 /* vcpu_op */, 4 /* VCPUOP_get_runstate_info */, 0,
		       (uint64_t)&runstate))
		return false;
	xen_time += (int64_t)runstate.entered;
	return true;
}

static void sleep_vcpu(void *handle, void *to)
{
	/* struct sched_poll: no ports, only the timeout */
	struct {
		void *ports;
		uint32_t nr_ports;
		uint64_t timeout;
	} poll = {NULL, 0, (uint64_t)(now() + xen_time + 200000)};

	(void)handle;
	(void)to;
	if (!hypercall(29 /* sched_op */, 3 /* SCHEDOP_poll */, (uint64_t)&poll,
		       0))
		die("SCHEDOP_poll");
}

static struct counts vcpu_sleeps(enum kind kind)
{
	void *handle = open_kind(kind);
	struct counts result = minus(measure_call(sleep_vcpu, NULL, NULL),
				     measure_call(nothing, NULL, NULL));

	close_kind(handle);
	return result;
}

static void measure_all(void)
{
	struct counts empty = measure_call(nothing, NULL, NULL);
	bool vcpus = may_sleep();
	struct both_ways threads;
	struct counts vcpu = {{0}};

	/* All without counters first: what they turn on may linger. */
	threads = bare_switches();
	print("switch", minus(threads.to, empty));
	if (vcpus) {
		vcpu = vcpu_sleeps(NONE);
		print("vcpu", vcpu);
		/*
		 * Where two hypervisors are compared, the least: how often a
		 * timer of Xen's is in it, and so the median, is another
		 * matter in each boot.
		 */
		print("vcpu-least",
		      minus(measure_ranked(sleep_vcpu, NULL, NULL, 0), empty));
	}
	if (!way->open)
		return;
	measure_thread_switches(threads);
	measure_calls();
	measure_sampling();
	if (vcpus)
		print_extra("vcpu-extra", vcpu_sleeps(SAME), vcpu);
}

static void spin(void)
{
	void *handle = open_kind(OTHER);

	puts("spinning");
	fflush(stdout);
	while (handle)
		__asm__ __volatile__("" ::: "memory");
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[2] : "";
	bool ruler = true;
	size_t i;

	for (i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (argc > 1 && !strcmp(argv[1], ways[i].name))
			way = &ways[i];
	if (!way || argc > 3 ||
	    (*what && strcmp(what, "sleep") && strcmp(what, "spin"))) {
		fprintf(stderr, "usage: costs none|ours|perf [sleep | spin]\n");
		return 2;
	}
	if (!bears(check_ruler, &ruler) || !ruler) {
		fprintf(stderr, "costs: no ruler in this machine\n");
		return 1;
	}
	if (pin(0, 0))
		die("sched_setaffinity");
	if (!strcmp(what, "spin")) {
		spin();
	} else if (!strcmp(what, "sleep")) {
		if (!may_sleep())
			die("/dev/xen/privcmd");
		print("vcpu-contended", vcpu_sleeps(way->open ? SAME : NONE));
	} else {
		measure_all();
	}
	return 0;
}
