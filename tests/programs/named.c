// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * named LIST: can these events be counted?  Prints yes, or the error.
 * named again LIST: counts them, prints "counting", and then stops and starts until that
 * fails; prints the error, and "kept" if the counts are what they were.
 * named: libperfctr-events in TAP: lists of events, counts, regions.  What a
 * region counts is compared with what the code in it is known to do; a region
 * with "empty" in it is subtracted, which is called in the same way.  Where user
 * and kernel can't be told apart the kernel's work is counted, too: so of some
 * tries the least is taken, and limits leave room for a timer tick.
 */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perfctr_events.h"
#include "regions.h"
#include "tap.h"

#define N     100000
#define TRIES 8

static const struct region *loop, *empty;

static struct perfctr_events *must_open(const char *list, unsigned int flags)
{
	struct perfctr_events *events = perfctr_events_open(list, flags);

	if (events)
		return events;
	printf("Bail out! %s: %s\n", list, perfctr_events_error());
	exit(1);
}

/* ---------------------------------- errors ------------------------------- */

static void refused(const char *list, unsigned int flags, int error,
		    const char *text)
{
	struct perfctr_events *events;

	errno = 0;
	events = perfctr_events_open(list, flags);
	ok(!events && errno == error && strstr(perfctr_events_error(), text) &&
		   !strchr(perfctr_events_error(), '\n'),
	   "%.40s: %s", list, perfctr_events_error());
	perfctr_events_close(events);
}

static void test_errors(void)
{
	struct perfctr_events *events;
	bool good;

	refused("", 0, EINVAL, "an event is missing");
	refused("instructions,,cycles", 0, EINVAL, "an event is missing");
	refused("instructons", 0, EINVAL, "did you mean instructions");
	refused("{instructions,cycles", 0, EINVAL, "not closed");
	refused("instructions:x", 0, EINVAL, "may follow");
	refused("instructions", 0x80, EINVAL, "no flags 0x80");
	refused("4100c0/80000000", 0, EOPNOTSUPP, "not allowed in this guest");
	refused("0x4300c0,0x4300c0,0x4300c0,0x4300c0,0x4300c0,0x4300c0,0x4300c0,"
		"0x4300c0,0x4300c0,0x4300c0,0x4300c0,0x4300c0,0x4300c0",
		0, ENOSPC, "PERFCTR_EVENTS_TURNS");
	refused("1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1", 0, EINVAL,
		"18 at most");

	events = must_open("instructions", 0);
	refused("cycles", 0, EEXIST, "counters already");
	good = !perfctr_region(events, "") && errno == EINVAL &&
	       !perfctr_region(events, NULL) &&
	       !perfctr_region(events, "a\nb") && errno == EINVAL;
	ok(good, "names of regions: %s", perfctr_events_error());
	perfctr_events_close(events);
	perfctr_events_close(NULL);
	events = must_open("instructions", 0);
	ok(true, "closed, the thread has counters to give again");
	perfctr_events_close(events);
}

/* ------------------------------- what there is --------------------------- */

struct listed {
	unsigned int nr, masks, common, refused;
	char last[128];
};

static int visit(const char *name, const char *description, void *data)
{
	struct listed *listed = data;
	const char *mask = strchr(name, ':');

	listed->nr++;
	listed->common += !strcmp(name, "instructions");
	/* A mask follows its event. */
	if (mask)
		listed->masks +=
			!strncmp(name, listed->last, (size_t)(mask - name));
	else
		snprintf(listed->last, sizeof(listed->last), "%s", name);
	/* Those with masks may need one. */
	if (!mask && listed->nr < 6 &&
	    perfctr_events_control(name, 0, NULL) < 0)
		listed->refused++;
	/* It may ask about libpfm4's, too, whatever the answer. */
	if (listed->nr % 40 == 0)
		perfctr_events_control(name, 0, NULL);
	return description ? 0 : 1;
}

static int stop_at_once(const char *name, const char *description, void *data)
{
	(void)name;
	(void)description;
	++*(int *)data;
	return 42;
}

static void test_list(void)
{
	struct vperfctr_group_control group;
	struct perfctr_cpu_control *cpu = &group.control.cpu_control;
	struct listed listed = {.nr = 0};
	int calls = 0;
	bool good;

	good = !perfctr_events_list(visit, &listed);
	ok(good && listed.nr > 20 && listed.masks > 5 && listed.common == 1 &&
		   !listed.refused,
	   "%u events are listed, %u with a unit mask", listed.nr,
	   listed.masks);
	ok(perfctr_events_list(stop_at_once, &calls) == 42 && calls == 1,
	   "or one");
	ok(perfctr_events_pmu() && *perfctr_events_pmu(), "this CPU's PMU: %s",
	   perfctr_events_pmu());
	ok(!perfctr_events_control(
		   "4100c0,branches:u@0",
		   PERFCTR_EVENTS_INHERIT | PERFCTR_EVENTS_TURNS, &group) &&
		   cpu->nractrs == 2 && !cpu->nrictrs && cpu->tsc_on &&
		   cpu->evntsel[0] == 0x4100c0 && cpu->pmc_map[1] == 0 &&
		   (cpu->evntsel[1] & 0xff0000) == 0x410000 &&
		   group.flags == VPERFCTR_GROUP_INHERIT,
	   "a control, without counters");
	ok(perfctr_events_control("nothing", 0, &group) < 0 && errno == EINVAL,
	   "or an error");
}

/* ---------------------------------- counts ------------------------------- */

/* The same code each time, so that what it adds is the same. */
static __attribute__((noinline)) uint64_t
count_once(const struct perfctr_events *events, const struct region *code)
{
	uint64_t before = perfctr_events_count(events, 0);

	code->run(N, NULL);
	return perfctr_events_count(events, 0) - before;
}

static uint64_t count_least(const struct perfctr_events *events,
			    const struct region *code)
{
	uint64_t least = UINT64_MAX, count;
	unsigned int i;

	for (i = 0; i < TRIES; i++) {
		count = count_once(events, code);
		if (count < least)
			least = count;
	}
	return least;
}

static __attribute__((noinline)) uint64_t
read_once(const struct perfctr_events *events, const struct region *code,
	  unsigned int i)
{
	struct vperfctr_sums before, after;

	perfctr_events_read(events, &before);
	code->run(N, NULL);
	perfctr_events_read(events, &after);
	return after.pmc[i] - before.pmc[i];
}

static uint64_t read_least(const struct perfctr_events *events,
			   const struct region *code, unsigned int i)
{
	uint64_t least = UINT64_MAX, count;
	unsigned int try;

	for (try = 0; try < TRIES; try++) {
		count = read_once(events, code, i);
		if (count < least)
			least = count;
	}
	return least;
}

static uint64_t known(enum count count)
{
	uint64_t expected = 0;

	expected_count(loop, count, N, &expected);
	return expected;
}

static void test_counts(void)
{
	struct perfctr_events *events =
		must_open("instructions,{branches,cycles}", 0);
	struct vperfctr_group_sums all;
	struct vperfctr_sums sums, before;
	uint64_t first;
	bool good;

	ok(perfctr_events_nr(events) == 3 &&
		   !strcmp(perfctr_events_name(events, 0), "instructions") &&
		   !strcmp(perfctr_events_name(events, 2), "cycles") &&
		   !perfctr_events_name(events, 3),
	   "three events by name");
	ok(vperfctr_is_running(perfctr_events_handle(events)) == 1,
	   "they run, as the handle below them says");
	ok(count_least(events, loop) - count_least(events, empty) ==
		   known(INSTRUCTIONS),
	   "the loop's instructions, one event read");
	ok(!perfctr_events_count(events, 3), "there is no fourth event");
	ok(read_least(events, loop, 0) - read_least(events, empty, 0) ==
		   known(INSTRUCTIONS),
	   "the loop's instructions, all events read");
	ok(read_least(events, loop, 1) - read_least(events, empty, 1) ==
		   known(BRANCHES),
	   "its branches");
	ok(!perfctr_events_read(events, &sums) && sums.nr == 3 && sums.tsc &&
		   sums.loaded[0] == sums.tsc && sums.loaded[2] == sums.tsc &&
		   sums.pmc[2] && !sums.pmc[3],
	   "all of the time");
	ok(!perfctr_events_read_all(events, &all) && all.live == 1 &&
		   !all.ended && all.sums.pmc[0] > sums.pmc[0],
	   "all threads: this one");

	ok(!perfctr_events_stop(events) && !perfctr_events_stop(events) &&
		   !perfctr_events_read(events, &sums),
	   "stopped, twice");
	first = perfctr_events_count(events, 0);
	loop->run(N, NULL);
	ok(perfctr_events_count(events, 0) == first, "stopped, nothing counts");
	ok(!perfctr_events_start(events) && !perfctr_events_start(events),
	   "started, twice");
	first = perfctr_events_count(events, 0) - first;
	ok(first > 0 && first < N, "what was counted before is kept: +%llu",
	   (unsigned long long)first);
	ok(count_least(events, loop) - count_least(events, empty) ==
		   known(INSTRUCTIONS),
	   "and it counts on");
	before = sums;
	good = !perfctr_events_read(events, &sums);
	ok(good && sums.tsc > before.tsc && sums.loaded[1] == sums.tsc &&
		   sums.stolen >= before.stolen,
	   "with the time from before: %llu, %llu ticks", before.tsc, sums.tsc);
	perfctr_events_close(events);
}

static void test_stopped(void)
{
	struct perfctr_events *events =
		must_open("instructions", PERFCTR_EVENTS_STOPPED);
	struct vperfctr_sums sums;
	struct perfctr_region *region = perfctr_region(events, "x");
	bool good;

	loop->run(N, NULL);
	ok(!perfctr_events_read(events, &sums) && !sums.pmc[0] && !sums.tsc &&
		   !perfctr_events_count(events, 0),
	   "opened stopped: nothing is counted");
	good = perfctr_region_begin(region) < 0 && errno == EBUSY;
	ok(good, "no region begins: %s", perfctr_events_error());
	ok(!perfctr_events_start(events), "started");
	good = !perfctr_events_read(events, &sums);
	ok(good && sums.pmc[0] && sums.pmc[0] < N, "from zero on: %llu",
	   sums.pmc[0]);
	good = !perfctr_region_begin(region) &&
	       perfctr_events_stop(events) < 0 && errno == EBUSY;
	ok(good, "a region holds it: %s", perfctr_events_error());
	ok(!perfctr_region_end(region) && !perfctr_events_stop(events),
	   "until it ends");
	perfctr_events_close(events);
}

/* --------------------------------- regions ------------------------------- */

static __attribute__((noinline)) void enter(struct perfctr_region *region,
					    const struct region *code)
{
	if (perfctr_region_begin(region) < 0)
		failures++;
	code->run(N, NULL);
	if (perfctr_region_end(region) < 0)
		failures++;
}

static struct perfctr_region_sums sums_of(const struct perfctr_region *region)
{
	struct perfctr_region_sums sums;

	if (perfctr_region_read(region, &sums) < 0)
		failures++;
	return sums;
}

/* Of one call, of each event the least. */
static struct perfctr_region_sums least_of(struct perfctr_region *region,
					   const struct region *code)
{
	struct perfctr_region_sums least = {.calls = 0}, before, after;
	unsigned int try, i;

	for (try = 0; try < TRIES; try++) {
		before = sums_of(region);
		enter(region, code);
		after = sums_of(region);
		least.calls += after.calls - before.calls;
		for (i = 0; i < 2; i++) {
			uint64_t count = after.pmc[i] - before.pmc[i];

			if (!try || count < least.pmc[i])
				least.pmc[i] = count;
		}
	}
	return least;
}

/* The loop, once, and what is round it. */
static bool about_one_loop(uint64_t count)
{
	return count >= known(INSTRUCTIONS) && count < known(INSTRUCTIONS) + N;
}

static void test_regions(void)
{
	struct perfctr_events *events = must_open("instructions,branches", 0);
	struct perfctr_region *outer = perfctr_region(events, "outer"),
			      *inner = perfctr_region(events, "inner"),
			      *none = perfctr_region(events, "none"),
			      *deep = perfctr_region(events, "deep");
	struct perfctr_region_sums a, b, overhead, each;
	unsigned int i;
	bool good;

	ok(outer && inner && outer != inner &&
		   perfctr_region(events, "inner") == inner &&
		   !strcmp(perfctr_region_name(inner), "inner"),
	   "regions by name");
	ok(perfctr_region_next(events, NULL) == outer &&
		   perfctr_region_next(events, outer) == inner &&
		   !perfctr_region_next(events, deep),
	   "one after the other");
	good = !sums_of(inner).calls && perfctr_region_end(inner) < 0 &&
	       errno == EINVAL && !sums_of(inner).calls;
	ok(good, "an end without a begin: %s", perfctr_events_error());

	a = least_of(inner, loop);
	b = least_of(none, empty);
	ok(a.calls == TRIES && sums_of(inner).calls == TRIES &&
		   sums_of(none).calls == TRIES,
	   "calls");
	ok(a.pmc[0] - b.pmc[0] == known(INSTRUCTIONS), "a loop's instructions");
	ok(a.pmc[1] - b.pmc[1] == known(BRANCHES), "and branches");
	each = sums_of(inner);
	ok(each.pmc[0] >= TRIES * a.pmc[0] && each.loaded[0] == each.tsc &&
		   each.tsc > 0,
	   "added up");
	good = !perfctr_region_overhead(events, &overhead);
	ok(good && overhead.pmc[0] && overhead.pmc[0] < b.pmc[0] &&
		   b.pmc[0] < 150,
	   "overhead: %llu instructions, %llu with a call in it",
	   overhead.pmc[0], b.pmc[0]);
	ok(sums_of(none).calls == TRIES && !perfctr_region_next(events, deep),
	   "which is nobody's");

	/* One in the other, and overlapping. */
	a = sums_of(none);
	perfctr_region_begin(outer);
	enter(inner, loop);
	perfctr_region_begin(none);
	perfctr_region_end(outer);
	loop->run(N, NULL);
	perfctr_region_end(none);
	ok(sums_of(outer).calls == 1 && about_one_loop(sums_of(outer).pmc[0]) &&
		   sums_of(inner).calls == TRIES + 1,
	   "a region in another one is in both");
	ok(about_one_loop(sums_of(none).pmc[0] - a.pmc[0]),
	   "overlapping, each has its own");

	/* As by recursion. */
	for (i = 0; i < 3; i++)
		perfctr_region_begin(deep);
	loop->run(N, NULL);
	for (i = 0; i < 3; i++)
		perfctr_region_end(deep);
	ok(sums_of(deep).calls == 1 && about_one_loop(sums_of(deep).pmc[0]) &&
		   perfctr_region_end(deep) < 0,
	   "begun three times, counted once");
	ok(!perfctr_events_print(events, stdout), "printed");
	perfctr_events_close(events);
}

/* ------------------------------ who else is there ------------------------ */

static void *other_thread(void *data)
{
	struct perfctr_events *events = data, *own;
	struct perfctr_region *region = perfctr_region_next(events, NULL);
	struct vperfctr_sums sums;

	bool good;

	good = perfctr_events_read(events, &sums) < 0 && errno == EPERM &&
	       perfctr_region_begin(region) < 0 && errno == EPERM &&
	       perfctr_region_end(region) < 0 && errno == EPERM &&
	       perfctr_events_stop(events) < 0 && errno == EPERM;
	ok(good, "another thread: %s", perfctr_events_error());
	own = perfctr_events_open("instructions", 0);
	ok(own && count_least(own, loop) - count_least(own, empty) ==
			   known(INSTRUCTIONS),
	   "has events of its own");
	perfctr_events_close(own);
	return NULL;
}

static void test_threads(void)
{
	struct perfctr_events *events = must_open("instructions", 0);
	struct perfctr_region *region;
	struct vperfctr_sums sums;
	pthread_t thread;
	int status;

	region = perfctr_region(events, "x");
	if (pthread_create(&thread, NULL, other_thread, events) ||
	    pthread_join(thread, NULL))
		exit(1);
	ok(!strstr(perfctr_events_error(), "another thread"),
	   "whose errors are its own");
	fflush(stdout);
	if (!fork()) {
		struct vperfctr_group_sums all;
		bool good = perfctr_events_read(events, &sums) < 0 &&
			    errno == EPERM &&
			    perfctr_events_read_all(events, &all) < 0 &&
			    errno == EPERM &&
			    perfctr_region_begin(region) < 0 && errno == EPERM;

		perfctr_events_close(events);
		events = perfctr_events_open("instructions", 0);
		_exit(good && events && !perfctr_events_read(events, &sums)
			      ? 0
			      : 1);
	}
	wait(&status);
	ok(!status,
	   "a child can't read its parent's, close them, and open its own");
	ok(!perfctr_events_read(events, &sums) &&
		   count_least(events, loop) - count_least(events, empty) ==
			   known(INSTRUCTIONS),
	   "the parent counts on");
	perfctr_events_close(events);
}

static struct perfctr_events *left_open;

static void *leave_open(void *arg)
{
	(void)arg;
	left_open = must_open("instructions", 0);
	return NULL;
}

static void *find_open(void *arg)
{
	struct vperfctr_sums sums;

	*(bool *)arg = perfctr_events_read(left_open, &sums) < 0 &&
		       errno == EPERM;
	perfctr_events_close(left_open);
	return NULL;
}

/* One thread after the other, which gets its stack. */
static void test_threads_ended(void)
{
	pthread_t first, second;
	bool good = false;

	if (pthread_create(&first, NULL, leave_open, NULL) ||
	    pthread_join(first, NULL) ||
	    pthread_create(&second, NULL, find_open, &good) ||
	    pthread_join(second, NULL))
		exit(1);
	ok(good, "the events of a thread that has ended are not the next one's");
}

static uint64_t count_children(const struct perfctr_events *events,
			       const struct region *code)
{
	struct vperfctr_group_sums before, after;
	unsigned int i;

	perfctr_events_read_all(events, &before);
	for (i = 0; i < 4; i++) {
		if (!fork()) {
			code->run(N, NULL);
			_exit(0);
		}
		wait(NULL);
	}
	perfctr_events_read_all(events, &after);
	ok(after.ended - before.ended == 4, "four children");
	return after.sums.pmc[0] - before.sums.pmc[0];
}

static void test_inheritance(void)
{
	struct perfctr_events *events =
		must_open("instructions:u", PERFCTR_EVENTS_INHERIT);
	uint64_t few, many;

	count_children(events, empty);
	few = count_children(events, empty);
	many = count_children(events, loop);
	/* Where user and kernel can't be told apart, the kernel's are in it. */
	ok(many - few + 200000 >= 4 * known(INSTRUCTIONS) &&
		   many - few <= 4 * known(INSTRUCTIONS) + 200000,
	   "whose loops are in the sum: %+lld",
	   (long long)(many - few - 4 * known(INSTRUCTIONS)));
	perfctr_events_close(events);
}

/* What has inherited lives on while the first thread is stopped. */
static void test_inheritance_stopped(void)
{
	struct perfctr_events *events =
		must_open("instructions:u", PERFCTR_EVENTS_INHERIT);
	struct vperfctr_group_sums before, after;
	int ends[2], status = 0;
	bool good;

	if (pipe(ends))
		exit(1);
	if (!fork()) {
		close(ends[1]);
		_exit((int)read(ends[0], &status, 1));
	}
	good = !perfctr_events_stop(events) && !perfctr_events_read_all(events, &before);
	ok(good && before.live == 2, "stopped, with a child that lives");
	loop->run(N, NULL);
	good = !perfctr_events_start(events);
	ok(good, "started again beside it: %s", good ? "yes" : perfctr_events_error());
	loop->run(N, NULL);
	good = !perfctr_events_read_all(events, &after);
	ok(good && after.live == 2 && after.sums.tsc > before.sums.tsc &&
		   after.sums.pmc[0] - before.sums.pmc[0] >= known(INSTRUCTIONS) &&
		   after.sums.pmc[0] - before.sums.pmc[0] < 2 * known(INSTRUCTIONS),
	   "the sums go on");
	close(ends[1]);
	wait(NULL);
	close(ends[0]);
	perfctr_events_close(events);
}

static void test_turns(void)
{
	struct perfctr_events *events =
		must_open("0x4100c0,0x4100c0@0,0x4100c0@0,0x4100c0@0",
			  PERFCTR_EVENTS_TURNS);
	struct perfctr_region *region = perfctr_region(events, "long");
	struct perfctr_region_sums sums, overhead;
	struct vperfctr_sums whole;
	unsigned long long ticks = 0;
	unsigned int i;

	ok(!perfctr_region_begin(region), "a region of events in turns");
	for (i = 0; i < 300; i++)
		loop->run(N, NULL);
	ok(!perfctr_region_end(region), "and its end");
	sums = sums_of(region);
	for (i = 1; i < 4; i++)
		ticks += sums.loaded[i];
	ok(sums.loaded[1] && sums.loaded[1] < sums.tsc && sums.loaded[2] &&
		   sums.loaded[3],
	   "each had its turn");
	ok(ticks <= sums.tsc && ticks > sums.tsc / 10 * 9,
	   "turns make up the time: %llu of %llu", ticks, sums.tsc);
	ok(!perfctr_events_read(events, &whole) && whole.nr == 4 &&
		   whole.loaded[2] >= sums.loaded[2] &&
		   whole.pmc[2] >= sums.pmc[2],
	   "the region is a part of the whole");
	ok(!perfctr_region_overhead(events, &overhead) && !overhead.pmc[0],
	   "no overhead by chance");
	ok(!perfctr_events_print(events, stdout), "printed");
	ok(!perfctr_events_stop(events) && !perfctr_events_start(events) &&
		   !perfctr_events_read(events, &whole) &&
		   whole.loaded[1] + whole.loaded[2] + whole.loaded[3] <=
			   whole.tsc,
	   "stopped and started, times fit");
	perfctr_events_close(events);
}

static int try_list(const char *list)
{
	struct perfctr_events *events = perfctr_events_open(list, 0);

	if (events)
		puts("yes");
	else
		printf("%s %s\n", strerrorname_np(errno),
		       perfctr_events_error());
	perfctr_events_close(events);
	return events ? 0 : 1;
}

static int try_again(const char *list)
{
	struct perfctr_events *events = must_open(list, 0);
	struct vperfctr_sums before, after;
	int error;

	loop->run(N, NULL);
	if (perfctr_events_stop(events) < 0 || perfctr_events_read(events, &before) < 0)
		return 1;
	puts("counting");
	fflush(stdout);
	while (!perfctr_events_start(events)) {
		if (perfctr_events_stop(events) < 0 ||
		    perfctr_events_read(events, &before) < 0)
			return 1;
		/* Nearly always it is stopped. */
		usleep(50000);
	}
	error = errno;
	printf("%s %s\n", strerrorname_np(error), perfctr_events_error());
	if (!perfctr_events_read(events, &after) &&
	    !memcmp(&before, &after, sizeof(after)) && before.pmc[0] >= known(INSTRUCTIONS))
		puts("kept");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2)
		return try_list(argv[1]);
	loop = find_region("loop");
	empty = find_region("empty");
	if (!loop || !empty)
		return 1;
	if (argc == 3 && !strcmp(argv[1], "again"))
		return try_again(argv[2]);
	test_errors();
	test_list();
	test_counts();
	test_stopped();
	test_regions();
	test_threads();
	test_threads_ended();
	test_inheritance();
	test_inheritance_stopped();
	test_turns();
	printf("1..%u\n", tests);
	return failures ? 1 : 0;
}
