// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User mode's reads, interrupted between any two instructions.
 *
 * The library's functions as they are shipped run with the trap flag set.
 * After each instruction the counters go on; and after the first, the second,
 * ... each of them in turn, and after each two of them, the kernel changes the
 * page: another thread ran, the thread moved to another CPU, a fold, a stop, an
 * error, another control, another slot.  Whatever was read has to be what the
 * counters had counted at some time during the read; of all counters, at one
 * time, with no change in between.
 *
 * A race detector for threads, as ThreadSanitizer, has nothing to find here:
 * reader and writer are the same thread, and the kernel's switch, which orders
 * everything, is between them.  What can be wrong is the order of the reader's
 * own instructions, and of these nothing is left to chance here.
 *
 * RDPMC and RDTSC are executed by the trap's handler, on counters of our own.
 *
 * PERFCTR_SEED	another seed than the fixed one (decimal)
 * PERFCTR_STEPS	how often each pair of instructions is interrupted, each time
 *		by other changes; without it a sample of the pairs is
 */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <ucontext.h>

#include "random.h"
#include "test.h"

#include <perfctr_arith.h>

#include "internal.h"

/* ----- the thread and its counters ---------------------------------------- */

#define TRAP_FLAG    0x100
#define MAX_NR       PERFCTR_MAX_COUNTERS
#define NR_REGISTERS 32 /* general ones, and from 24 on fixed ones */
#define MAX_STEPS    20000

enum change {
	OTHER_THREAD, /* switched out and in */
	OTHER_CPU, /* the same, and elsewhere: other values in all counters */
	FOLD,
	STOP,
	START,
	LOST, /* ended with an error */
	OTHER_CONTROL,
#ifdef TEST_SLOTS
	OTHER_SLOT,
#endif
	NR_CHANGES
};

static const char *const change_names[] = {
	"other thread", "other CPU", "fold",          "stop",
	"start",        "error",     "other control",
#ifdef TEST_SLOTS
	"other slot",
#endif
};

static struct vperfctr handle;
static struct perfctr_page *const page = &handle.page;

/* The hardware. */
static uint64_t registers[NR_REGISTERS], tsc;

/* The model: what each counter has counted, whatever the page says. */
static struct {
	unsigned int nr;
	uint32_t index[MAX_NR]; /* when it runs */
	unsigned int slot[MAX_NR], slots, slot_now;
	bool tsc_on, running;
	int error;
	uint64_t count[MAX_NR], tsc;
} thread;

/* What it was after each instruction of a read. */
struct moment {
	unsigned int period; /* from one change to the next */
	unsigned int nr;
	int error;
	uint64_t count[MAX_NR], tsc;
};
static struct moment moments[MAX_STEPS];
static unsigned int nr_moments, period;

/* When to interrupt it, by the number of instructions. */
static struct {
	unsigned int at;
	enum change change;
} plan[4];
static unsigned int nr_plan, next_in_plan, storm;

static unsigned int instructions;
static uint32_t indices_seen; /* counters that ran at some time in this read */
static unsigned int kernel_reads, stray_rdpmcs, bad_rdpmcs;
/* A change that only somebody else, or a failure, makes in mid-read. */
static bool from_outside;
static unsigned long faults;
static volatile bool in_kernel;
static bool bad_sum;

static unsigned long seed, runs, interrupted;

static unsigned int register_of(uint32_t index)
{
	return index & PERFCTR_INDEX_FIXED ? 24 + (index & 7) : index % 24;
}

static bool runs_now(unsigned int i)
{
	return thread.running && thread.slot[i] == thread.slot_now;
}

/* An instruction is over. */
static void count_on(void)
{
	unsigned int i;

	tsc += 3;
	if (thread.running)
		thread.tsc += thread.tsc_on ? 3 : 0;
	for (i = 0; i < thread.nr; i++) {
		uint64_t *now = &registers[register_of(thread.index[i])];

		if (!runs_now(i))
			continue;
		*now = (*now + i + 1) & page->counter[i].mask;
		thread.count[i] += i + 1;
	}
}

static void note_moment(void)
{
	struct moment *m = &moments[nr_moments];
	unsigned int i;

	if (nr_moments < MAX_STEPS - 1)
		nr_moments++;
	m->period = period;
	m->nr = thread.nr;
	m->error = thread.error;
	m->tsc = thread.tsc;
	memcpy(m->count, thread.count, sizeof(m->count));
	for (i = 0; i < thread.nr; i++)
		if (runs_now(i))
			indices_seen |= 1U << register_of(thread.index[i]);
}

/* ----- the kernel --------------------------------------------------------- */

static void fold(void)
{
	unsigned int i;

	for (i = 0; i < thread.nr; i++) {
		struct perfctr_page_counter *c = &page->counter[i];
		uint64_t now = registers[register_of(thread.index[i])];

		if (runs_now(i)) {
			c->sum = perfctr_count(c->sum, now, c->start, c->mask);
			c->start = now;
		}
		/* Else the test is wrong, not what it tests. */
		bad_sum |= c->sum != thread.count[i];
	}
	if (page->tsc_running) {
		page->tsc_sum += tsc - page->tsc_start;
		page->tsc_start = tsc;
	}
	bad_sum |= page->tsc_sum != thread.tsc;
	page->sequence++;
}

static void stop(void)
{
	unsigned int i;

	fold();
	for (i = 0; i < thread.nr; i++)
		page->counter[i].index = -1;
	page->tsc_running = 0;
	page->all_running = 0;
	thread.running = false;
}

static void start(void)
{
	unsigned int i, running = 0;

	thread.running = true;
	thread.error = 0;
	page->status = PERFCTR_STATUS_RUNNING;
	page->error = 0;
	for (i = 0; i < thread.nr; i++) {
		if (!runs_now(i))
			continue;
		running++;
		page->counter[i].index = (int32_t)thread.index[i];
		page->counter[i].start =
			registers[register_of(thread.index[i])];
	}
	page->tsc_running = thread.tsc_on;
	page->tsc_start = tsc;
	page->all_running = thread.tsc_on && running == thread.nr ? running : 0;
	page->sequence++;
}

/* Whatever else used the counters. */
static void others(bool all)
{
	unsigned int i, j;

	tsc += below(100000);
	for (i = 0; i < NR_REGISTERS; i++) {
		uint64_t mask = perfctr_width_mask(48);

		for (j = 0; j < thread.nr; j++)
			if (register_of(thread.index[j]) == i)
				mask = page->counter[j].mask;
		/* Often just before a wrap. */
		if (all || below(2))
			registers[i] =
				(below(2) ? random64() : -below(200)) & mask;
	}
}

static void control(unsigned int nr, bool tsc_on, unsigned int slots)
{
	static const unsigned int widths[] = {32, 40, 48, 64};
	const unsigned int width = widths[below(4)], first = below(24);
	unsigned int i;

	thread.nr = nr;
	thread.tsc_on = tsc_on || slots > 1;
	thread.slots = slots;
	thread.slot_now = below(slots);
	thread.tsc = random64() >> 20;
	page->nr = nr;
	page->tsc_sum = thread.tsc;
	for (i = 0; i < MAX_NR; i++) {
		struct perfctr_page_counter *c = &page->counter[i];

		thread.slot[i] = i % slots;
		thread.index[i] = i % 4 == 3 && i < 32
					  ? PERFCTR_INDEX_FIXED + i / 4
					  : (first + i) % 24;
		/* As if it were preserved. */
		thread.count[i] = i < nr ? random64() >> 20 : 0;
		c->index = -1;
		c->sum = thread.count[i];
		c->start = 0;
		c->mask = i < nr ? perfctr_width_mask(width) : 0;
	}
	page->sequence++;
}

static void apply(enum change change)
{
	bool was_running = thread.running;

	if (was_running)
		stop();
	switch (change) {
	case OTHER_THREAD:
		others(false);
		break;
	case OTHER_CPU:
		others(true);
		break;
	case FOLD:
		if (was_running)
			start();
		return;
	case STOP:
		others(false);
		page->status = 0;
		page->sequence++;
		return;
	case START:
		others(false);
		start();
		return;
	case LOST:
		others(true);
		page->status = PERFCTR_STATUS_ERROR;
		page->error = -EIO;
		page->sequence++;
		thread.error = EIO;
		return;
	case OTHER_CONTROL:
		control(below(8), below(4), 1);
		others(false);
		start();
		return;
#ifdef TEST_SLOTS
	case OTHER_SLOT:
		thread.slot_now = (thread.slot_now + 1) % thread.slots;
		break;
#endif
	case NR_CHANGES:
		break;
	}
	if (was_running)
		start();
}

static void interrupt(enum change change)
{
	apply(change);
	from_outside |=
		change == STOP || change == LOST || change == OTHER_CONTROL;
	period++;
	interrupted++;
	note_moment();
}

int ioctl(int fd, unsigned long request, ...)
{
	struct perfctr_dev_sums *sums;
	va_list arguments;
	unsigned int i;

	in_kernel = true;
	(void)fd;
	va_start(arguments, request);
	sums = va_arg(arguments, struct perfctr_dev_sums *);
	va_end(arguments);
	kernel_reads++;
	memset(sums, 0, sizeof(*sums));
	sums->tsc = thread.tsc;
	sums->nr = thread.nr;
	sums->status = page->status;
	sums->error = page->error;
	for (i = 0; i < thread.nr; i++)
		sums->pmc[i] = thread.count[i];
	period++;
	note_moment();
	in_kernel = false;
	return 0;
}

/* ----- the processor ------------------------------------------------------ */

/* Whatever its parameters are. */
typedef void read_function(void);

/* The second is where the first goes on when the read has returned. */
unsigned long long stepped(read_function *function, const void *handle,
			   const void *to);
extern const char stepped_return[];
__asm__(".text\n"
	"stepped:\n\t"
	"movq %rdi, %rax\n\t"
	"movq %rsi, %rdi\n\t"
	"movq %rdx, %rsi\n\t"
	"subq $8, %rsp\n\t"
	"pushfq\n\t"
	"orq $0x100, (%rsp)\n\t"
	"popfq\n\t"
	"call *%rax\n"
	"stepped_return:\n\t"
	"addq $8, %rsp\n\t"
	"ret\n");

static uint64_t rdpmc_now(uint32_t index)
{
	unsigned int n = register_of(index), i;

	if (index & ~(PERFCTR_INDEX_FIXED | 31) || !(indices_seen >> n & 1))
		bad_rdpmcs++;
	for (i = 0; i < thread.nr; i++)
		if (runs_now(i) && thread.index[i] == index)
			return registers[n];
	/* What it reads is nothing, and has to be dropped. */
	stray_rdpmcs++;
	return random64();
}

static void trap(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	const unsigned char *at;
	uint64_t value;

	(void)signal;
	(void)info;
	for (;;) {
		at = (const unsigned char *)regs[REG_RIP];
		if ((const char *)at == stepped_return) {
			regs[REG_EFL] &= ~TRAP_FLAG;
			return;
		}
		if (in_kernel)
			return;
		/* Between the last instruction and the one at RIP. */
		if (instructions)
			count_on();
		note_moment();
		while (next_in_plan < nr_plan &&
		       plan[next_in_plan].at == instructions)
			interrupt(plan[next_in_plan++].change);
		if (storm && instructions % storm == storm - 1)
			interrupt(below(2) ? OTHER_THREAD : OTHER_CPU);
		instructions++;
		if (at[0] != 0x0f || (at[1] != 0x33 && at[1] != 0x31))
			return;
		value = at[1] == 0x31 ? tsc
				      : rdpmc_now((uint32_t)regs[REG_RCX]);
		regs[REG_RAX] = (uint32_t)value;
		regs[REG_RDX] = (greg_t)(value >> 32);
		regs[REG_RIP] += 2;
	}
}

/* ----- one read ----------------------------------------------------------- */

/* The state before. */
struct situation {
	unsigned int nr;
	bool tsc_on, running;
	unsigned int slots;
};

static const struct situation situations[] = {
	{1, true, true, 1},  {2, true, true, 1},  {3, true, true, 1},
	{4, true, true, 1},  {6, true, true, 1},  {18, true, true, 1},
	{4, false, true, 1}, {2, false, true, 1}, {4, true, false, 1},
	{0, true, true, 1},
#ifdef TEST_SLOTS
	{4, true, true, 2},  {6, true, true, 3},
#endif
};
#define NR_SITUATIONS (sizeof(situations) / sizeof(*situations))

enum what { PMC, CTRS, TSC, NR_WHATS };
static const char *const what_names[] = {"read_pmc", "read_ctrs", "read_tsc"};

static void set_up(const struct situation *s)
{
	memset(&handle, 0, sizeof(handle));
	memset(&thread, 0, sizeof(thread));
	thread.slots = 1;
	page->version = PERFCTR_ABI_VERSION_DEV;
	page->sequence = (uint32_t)random64();
	control(s->nr, s->tsc_on, s->slots);
	others(true);
	if (s->running)
		start();
	nr_moments = period = next_in_plan = instructions = 0;
	kernel_reads = stray_rdpmcs = bad_rdpmcs = indices_seen = 0;
	bad_sum = from_outside = false;
}

/* Is it what they had counted in one period? */
static bool ctrs_right(const struct perfctr_sum_ctrs *sums, int result,
		       int error)
{
	unsigned int first, m, i;

	for (first = 0; first < nr_moments; first = m) {
		const struct moment *f = &moments[first];
		const unsigned int nr =
			f->nr < PERFCTR_MAX_PMCS ? f->nr : PERFCTR_MAX_PMCS;
		uint32_t right = 0;

		for (m = first;
		     m < nr_moments && moments[m].period == f->period; m++) {
			for (i = 0; i < nr; i++)
				if (moments[m].count[i] == sums->pmc[i])
					right |= 1U << i;
			if (moments[m].tsc == sums->tsc)
				right |= 1U << 31;
		}
		if (right == (1U << 31 | ((1U << nr) - 1)) &&
		    (f->error ? result == -1 && error == f->error : !result))
			return true;
	}
	return false;
}

static bool pmc_right(unsigned int i, uint64_t value)
{
	unsigned int m;

	for (m = 0; m < nr_moments; m++)
		if (i < moments[m].nr ? moments[m].count[i] == value : !value)
			return true;
	return false;
}

static bool tsc_right(uint64_t value)
{
	unsigned int m;

	for (m = 0; m < nr_moments; m++)
		if (moments[m].tsc == value)
			return true;
	return false;
}

/* Returns for how many instructions it ran. */
static unsigned int read_once(const struct situation *s, enum what what)
{
	struct perfctr_sum_ctrs sums;
	/* The last one: all before it have been in the way. */
	const unsigned int i = s->nr ? s->nr - 1 : 0;
	unsigned long long value;
	const char *wrong = NULL;
	unsigned int n;

	set_up(s);
	memset(&sums, 0xaa, sizeof(sums));
	runs++;
	switch (what) {
	case PMC:
		value = stepped((read_function *)vperfctr_read_pmc, &handle,
				(const void *)(uintptr_t)i);
		if (!pmc_right(i, value))
			wrong = "count";
		break;
	case CTRS:
		errno = 0;
		value = stepped((read_function *)vperfctr_read_ctrs, &handle,
				&sums);
		if (!ctrs_right(&sums, (int)value, errno))
			wrong = "snapshot";
		break;
	default:
		value = stepped((read_function *)vperfctr_read_tsc, &handle,
				NULL);
		if (!tsc_right(value))
			wrong = "TSC";
	}
	if (bad_sum)
		wrong = "sum in the page (the test's own)";
	/*
	 * If another process stops the thread, or a failure does, between the
	 * look at whether it counts and RDPMC, then RDPMC may have an operand
	 * of no counter, and faults.  No schedule alone may lead to that.
	 */
	faults += bad_rdpmcs && from_outside;
	if (bad_rdpmcs && !from_outside)
		wrong = "operand of RDPMC, of no counter that ever ran";
	if (!period && stray_rdpmcs)
		wrong = "RDPMC of a counter that does not run";
	if (kernel_reads && !storm)
		wrong = "call of the kernel after few changes";
	if (kernel_reads > 1)
		wrong = "second call of the kernel";
	if (nr_moments >= MAX_STEPS - 1)
		wrong = "endless read";
	if (!wrong)
		return instructions;
	print_error("# %s: wrong %s: %d counters%s%s, %d slots\n",
		    what_names[what], wrong, (int)s->nr,
		    s->tsc_on ? ", TSC" : "", s->running ? "" : ", stopped",
		    (int)s->slots);
	for (n = 0; n < nr_plan; n++)
		print_error("# after %u instructions: %s\n", plan[n].at,
			    change_names[plan[n].change]);
	print_error("# PERFCTR_SEED=%lu, run %lu\n", seed, runs);
	fail();
	return 0;
}

/* ----- tests -------------------------------------------------------------- */

static int begin(void **state)
{
	const char *given = getenv("PERFCTR_SEED");
	const struct sigaction action = {.sa_sigaction = trap,
					 .sa_flags = SA_SIGINFO};

	(void)state;
	seed = given ? strtoul(given, NULL, 0) : 1;
	rng = seed * 2 + 1;
	runs = 0;
	nr_plan = storm = 0;
	return sigaction(SIGTRAP, &action, NULL);
}

static void test_undisturbed(void **state)
{
	unsigned int s, what;

	(void)state;
	for (s = 0; s < NR_SITUATIONS; s++)
		for (what = 0; what < NR_WHATS; what++) {
			unsigned int n = read_once(&situations[s], what);

			/* The trap flag works. */
			assert_in_range(n, 5, 2000);
		}
}

/* Each change after each instruction. */
static void test_one_change(void **state)
{
	const bool hasty = !getenv("PERFCTR_STEPS");
	unsigned int s, what, change, at, n;

	(void)state;
	for (s = 0; s < NR_SITUATIONS; s++)
		for (what = 0; what < NR_WHATS; what++)
			for (change = 0; change < NR_CHANGES; change++) {
				nr_plan = 0;
				n = read_once(&situations[s], what);
				nr_plan = 1;
				plan[0].change = change;
				/* Of the longest reads a sample, if in haste. */
				for (at = 0; at < n;
				     at +=
				     hasty && n > 100 ? 1 + below(12) : 1) {
					plan[0].at = at;
					read_once(&situations[s], what);
					/* With slots the next read may be shorter. */
					if (situations[s].slots <= 1)
						assert_int_equal(next_in_plan, 1);
				}
			}
}

/* And another one after each that is executed after it. */
static void test_two_changes(void **state)
{
	const char *times = getenv("PERFCTR_STEPS");
	unsigned long t, nr_times = times ? strtoul(times, NULL, 0) : 1;
	unsigned int s, what, at, second, n;
	/* A sample of them. */
	const unsigned int step = times ? 6 : 60;

	(void)state;
	for (t = 0; t < nr_times; t++)
		for (s = 0; s < NR_SITUATIONS; s++)
			for (what = 0; what < NR_WHATS; what++) {
				nr_plan = 0;
				n = read_once(&situations[s], what);
				nr_plan = 2;
				for (at = 0; at < n; at++)
					for (second = at + below(step);;
					     second += 1 + below(step)) {
						plan[0].at = at;
						plan[0].change =
							below(NR_CHANGES);
						plan[1].at = second;
						plan[1].change =
							below(NR_CHANGES);
						read_once(&situations[s], what);
						/* It was over before. */
						if (next_in_plan < 2)
							break;
					}
			}
}

/* Changes so often that no try succeeds: the kernel is asked, once. */
static void test_too_many_changes(void **state)
{
	unsigned int s, what, every, asked = 0;

	(void)state;
	nr_plan = 0;
	for (s = 0; s < NR_SITUATIONS; s++)
		for (what = 0; what < NR_WHATS; what++)
			for (every = 2; every < 100;
			     every += getenv("PERFCTR_STEPS") ? 1 : 24) {
				storm = every;
				read_once(&situations[s], what);
				asked += kernel_reads;
			}
	assert_true(asked);
	storm = 0;
}

static void test_interrupted_enough(void **state)
{
	(void)state;
	print_message("# reads were interrupted %lu times\n", interrupted);
	print_message("# stopped from outside just before an RDPMC, which then "
		      "faults: %lu times\n",
		      faults);
	assert_true(interrupted > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_undisturbed, begin),
		cmocka_unit_test_setup(test_one_change, begin),
		cmocka_unit_test_setup(test_two_changes, begin),
		cmocka_unit_test_setup(test_too_many_changes, begin),
		cmocka_unit_test(test_interrupted_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
