// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perfex selftest: does it count here?  A loop of which the number of
 * instructions and branches is known is counted by every counter at once; if
 * that can't be done, what is missing is said.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <unistd.h>

#include "perfex.h"

/* A turn of the loop is two instructions, one of them a branch. */
#define FEW  1000u
#define MANY 201000u

/* Of several tries the least: in the others something came in between. */
#define TRIES 9

static int fail(enum verdict verdict, const char *what)
{
	struct message message;

	complain(&message, "selftest: %s: %s", verdict_name(verdict), what);
	return fail_with(verdict == VERDICT_DEAD || verdict == VERDICT_WRONG
				 ? 1
				 : EXIT_USAGE,
			 &message);
}

/* --------------------------------- no device ----------------------------- */

enum { LOG_READ_ALL = 3, LOG_SIZE = 10 }; /* syslog(2) */

/* Why there is no device: the module that was to make it has said so. */
static enum verdict ask_log(void)
{
	enum verdict verdict = VERDICT_MODULE_ABSENT;
	int size = klogctl(LOG_SIZE, NULL, 0);
	char *log = size > 0 ? malloc((size_t)size + 1) : NULL;

	if (!log)
		return verdict;
	size = klogctl(LOG_READ_ALL, log, size);
	if (size >= 0) {
		log[size] = '\0';
		verdict = verdict_of_log(log);
	}
	free(log);
	return verdict;
}

static int no_device(int error)
{
	enum verdict verdict = VERDICT_OTHER;
	struct message message;

	explain_open(error, &message);
	switch (error) {
	case EACCES:
	case EPERM:
		verdict = VERDICT_NO_PERMISSION;
		break;
	case ENOENT:
	case ENXIO:
	case ENODEV:
		verdict = ask_log();
		if (verdict == VERDICT_MODULE_ABSENT &&
		    access("/sys/hypervisor/type", F_OK) < 0)
			verdict = VERDICT_NOT_XEN;
		break;
	}
	switch (verdict) {
	case VERDICT_NOT_XEN:
		return fail(
			verdict,
			"this kernel does not run on Xen; perf(1) counts there");
	case VERDICT_HYPERVISOR:
		return fail(
			verdict,
			"boot a Xen that was built with perfctr-xen's patches, and load the module again");
	case VERDICT_POLICY:
		return fail(verdict, perfctr_strerror(EPERM));
	case VERDICT_NO_PMU:
	case VERDICT_BUSY:
	case VERDICT_OTHER:
		return fail(
			verdict,
			"the module did not load; why is in the kernel's log (dmesg | grep perfctr)");
	default:
		return fail(verdict, message.text);
	}
}

/* ---------------------------------- counting ----------------------------- */

static __attribute__((noinline)) void run_loop(uint64_t turns)
{
	asm volatile("1:	dec %0\n"
		     "	jnz 1b"
		     : "+r"(turns)
		     :
		     : "cc");
}

struct test {
	unsigned int nr;
	struct event events[PERFCTR_MAX_PMCS];
	uint64_t few[PERFCTR_MAX_PMCS], many[PERFCTR_MAX_PMCS];
	uint64_t expected[PERFCTR_MAX_PMCS]; /* 0: not known */
};

/* Event @name in counter @index, if there is such an event. */
static void add_event(struct test *test, const char *name, uint32_t index,
		      uint64_t expected, const struct cpu *cpu,
		      const struct perfctr_dev_info *info)
{
	struct event *event = &test->events[test->nr];
	struct message ignored;

	if (test->nr == PERFCTR_MAX_PMCS ||
	    event_resolve(event, name, cpu, info, &ignored) < 0)
		return;
	/* On a fixed counter only its own. */
	if (index & PERFCTR_INDEX_FIXED && event->fixed != index)
		return;
	event->index = index;
	test->expected[test->nr++] = expected;
}

/* @name in all general counters, and what the fixed ones can. */
static void fill(struct test *test, const char *name, uint64_t per_turn,
		 const struct cpu *cpu, const struct perfctr_dev_info *info)
{
	static const char *const fixed[] = {"instructions", "cycles",
					    "ref-cycles"};
	uint32_t i;

	test->nr = 0;
	for (i = 0; i < 64; i++)
		if (info->general >> i & 1)
			add_event(test, name, i, per_turn * (MANY - FEW), cpu,
				  info);
	for (i = 0; i < 3; i++)
		if (info->fixed >> i & 1)
			add_event(test, fixed[i], PERFCTR_INDEX_FIXED + i,
				  i ? 0 : 2 * (MANY - FEW), cpu, info);
}

static void make_test_control(struct vperfctr_control *control,
			      const struct test *test)
{
	struct perfctr_cpu_control *cpu = &control->cpu_control;
	unsigned int i;

	memset(control, 0, sizeof(*control));
	cpu->tsc_on = 1;
	cpu->nractrs = test->nr;
	for (i = 0; i < test->nr; i++) {
		const struct event *event = &test->events[i];

		cpu->pmc_map[i] = event->index;
		cpu->evntsel[i] =
			(unsigned int)event->evtsel | PERFCTR_EVNTSEL_EN;
		if (event->index & PERFCTR_INDEX_FIXED)
			cpu->evntsel[i] &=
				PERFCTR_EVNTSEL_EN | PERFCTR_EVNTSEL_USR;
		else
			cpu->evntsel_high[i] =
				(unsigned int)(event->evtsel >> 32);
	}
}

/* The least of all tries into @counts.  0, or -1 and errno. */
static int measure(struct vperfctr *self, const struct test *test,
		   uint64_t turns, uint64_t *counts)
{
	struct perfctr_sum_ctrs before, after;
	unsigned int try, i;

	memset(counts, 0xff, test->nr * sizeof(*counts));
	for (try = 0; try < TRIES; try++) {
		if (vperfctr_read_ctrs(self, &before) < 0)
			return -1;
		run_loop(turns);
		if (vperfctr_read_ctrs(self, &after) < 0)
			return -1;
		for (i = 0; i < test->nr; i++)
			if (after.pmc[i] - before.pmc[i] < counts[i])
				counts[i] = after.pmc[i] - before.pmc[i];
	}
	return 0;
}

/* Says what each counter has counted; the worst verdict. */
static enum verdict judge(const struct test *test, struct message *worst)
{
	enum verdict verdict = VERDICT_RIGHT, found;
	unsigned int i;

	for (i = 0; i < test->nr; i++) {
		uint64_t got = test->many[i] - test->few[i];
		char name[16], expected[48] = "";

		found = verdict_of_counts(test->few[i], test->many[i],
					  test->expected[i]);
		counter_name(test->events[i].index, name);
		if (test->expected[i])
			snprintf(expected, sizeof(expected), " of %llu",
				 (unsigned long long)test->expected[i]);
		printf("%-8s%llu%s %s: %s\n", name, (unsigned long long)got,
		       expected, test->events[i].name, verdict_name(found));
		if (found == VERDICT_RIGHT || verdict != VERDICT_RIGHT)
			continue;
		verdict = found;
		complain(worst, "%s has counted %llu%s %s of a known loop",
			 name, (unsigned long long)got, expected,
			 test->events[i].name);
	}
	return verdict;
}

static int count_loop(struct vperfctr *self, struct test *test)
{
	struct vperfctr_control control;

	make_test_control(&control, test);
	if (vperfctr_control(self, &control) < 0 ||
	    measure(self, test, FEW, test->few) < 0 ||
	    measure(self, test, MANY, test->many) < 0)
		return -1;
	return 0;
}

static int run_tests(struct vperfctr *self, const struct cpu *cpu,
		     const struct perfctr_dev_info *info)
{
	static const struct {
		const char *name;
		uint64_t per_turn;
	} events[] = {{"instructions", 2}, {"branches", 1}};
	struct message message;
	enum verdict verdict;
	struct test test;
	size_t i;
	int status;

	for (i = 0; i < sizeof(events) / sizeof(*events); i++) {
		fill(&test, events[i].name, events[i].per_turn, cpu, info);
		if (!test.nr)
			return fail(VERDICT_NO_PMU,
				    "no counter here counts a known event");
		if (count_loop(self, &test) < 0)
			return fail(verdict_of_error(errno),
				    perfctr_strerror(errno));
		verdict = judge(&test, &message);
		if (verdict != VERDICT_RIGHT) {
			status = finish_stdout();
			return status ? status : fail(verdict, message.text);
		}
	}
	puts("selftest: every counter counts, and exactly");
	return finish_stdout();
}

int selftest_main(int argc, char **argv, const struct cpu *cpu)
{
	struct perfctr_dev_info info;
	struct vperfctr *self;
	struct message message;
	int fd, status;

	if (argc > 1) {
		complain(
			&message,
			"perfex selftest takes no arguments, not %s (perfex -h explains)",
			argv[1]);
		return fail_with(EXIT_USAGE, &message);
	}
	fd = perfctr_device_open();
	if (fd < 0)
		return no_device(errno);
	if (perfctr_device_info(fd, &info) < 0) {
		status = errno;
		close(fd);
		return fail(verdict_of_error(status), perfctr_strerror(status));
	}
	close(fd);
	names_initialize(cpu->vendor);
	report_info(stdout, cpu, &info);
	self = vperfctr_open();
	if (!self) {
		explain_device(errno, &message);
		return fail(verdict_of_error(errno), message.text);
	}
	status = run_tests(self, cpu, &info);
	vperfctr_unlink(self);
	vperfctr_close(self);
	return status;
}
