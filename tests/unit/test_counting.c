// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * perfex's counting without counters: what several runs have in common, what
 * happens when, groups of events, metrics, and the formats for programs.
 */

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "test.h"

#include "perfex.h"
#include "skylake.h"

static struct cpu cpu;
static struct perfctr_dev_info info;
static struct message message;

static int prepare(void **state)
{
	(void)state;
	set_skylake(&cpu, &info);
	info.features = PERFCTR_FEAT_SPLIT;
	info.tsc_khz = 1000;
	strcpy(info.guest, "PV domU");
	return 0;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void assert_near(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-9 * (1 + fabs(wanted)))
		fail_msg("got %.17g, wanted %.17g", got, wanted);
}

/* ---------------------------------- numbers ------------------------------ */

static void test_stats(void **state)
{
	struct stats stats = {.nr = 0};
	unsigned int i;

	(void)state;
	assert_near(stats_relative(&stats), 0);
	stats_add(&stats, 5);
	assert_near(stats.mean, 5);
	assert_near(stats_deviation(&stats), 0);
	/* 2, 4, 4, 4, 5, 5, 7, 9: mean 5, squares 32. */
	memset(&stats, 0, sizeof(stats));
	for (i = 0; i < 8; i++)
		stats_add(&stats, "24445579"[i] - '0');
	assert_near(stats.mean, 5);
	assert_near(stats_deviation(&stats), sqrt(32.0 / 7));
	assert_near(stats_relative(&stats), 20 * sqrt(32.0 / 7));
	/* Large counts with small differences: sums of squares would lose them. */
	memset(&stats, 0, sizeof(stats));
	stats_add(&stats, 1e15);
	stats_add(&stats, 1e15 + 2);
	assert_near(stats_deviation(&stats), sqrt(2));
	/* Nothing at all is not a deviation. */
	memset(&stats, 0, sizeof(stats));
	stats_add(&stats, 0);
	stats_add(&stats, 0);
	assert_near(stats_relative(&stats), 0);
}

static void test_sums(void **state)
{
	struct perfctr_dev_group a = {.live = 1}, b = {.live = 2, .errors = 1};
	struct perfctr_dev_record now[2] = {{.serial = 1}, {.serial = 3}};
	struct perfctr_dev_record before[2] = {{.serial = 2}, {.serial = 3}};

	(void)state;
	a.sums.nr = b.sums.nr = 2;
	a.sums.tsc = 100, a.sums.pmc[1] = 10, a.sums.loaded[1] = 50;
	b.sums.tsc = 300, b.sums.pmc[1] = 30, b.sums.loaded[1] = 60;
	b.sums.status = PERFCTR_STATUS_ERROR, b.sums.error = -EIO;
	group_add(&a, &b);
	assert_int_equal(a.sums.tsc, 400);
	assert_int_equal(a.sums.pmc[1], 40);
	assert_int_equal(a.sums.loaded[1], 110);
	assert_int_equal(a.sums.nr, 2);
	assert_int_equal(a.sums.error, -EIO);
	assert_int_equal(a.live, 3);
	assert_int_equal(a.errors, 1);
	group_subtract(&a, &b);
	assert_int_equal(a.sums.tsc, 100);
	assert_int_equal(a.sums.pmc[1], 10);
	assert_int_equal(a.sums.loaded[1], 50);
	assert_int_equal(a.live, 3);

	now[0].sums.pmc[0] = now[1].sums.pmc[0] = 7;
	before[0].sums.pmc[0] = before[1].sums.pmc[0] = 5;
	records_subtract(now, 2, before, 2);
	assert_int_equal(now[0].sums.pmc[0], 7);
	assert_int_equal(now[1].sums.pmc[0], 2);
}

/* ----------------------------------- pace -------------------------------- */

#define MS UINT64_C(1000000)

static void test_pace(void **state)
{
	struct options options = {
		.delay_ms = 50, .interval_ms = 100, .timeout_ms = 250};
	struct pace pace;

	(void)state;
	pace_start(&pace, &options);
	assert_int_equal(pace_due(&pace, 0), DUE_NOTHING);
	assert_int_equal(pace_left(&pace, 20 * MS), 30 * MS);
	assert_int_equal(pace_due(&pace, 51 * MS), DUE_BEGIN);
	/* From when it really began. */
	assert_int_equal(pace_due(&pace, 51 * MS), DUE_NOTHING);
	assert_int_equal(pace_left(&pace, 51 * MS), 100 * MS);
	assert_int_equal(pace_due(&pace, 150 * MS), DUE_NOTHING);
	assert_int_equal(pace_due(&pace, 151 * MS), DUE_INTERVAL);
	assert_int_equal(pace_due(&pace, 151 * MS), DUE_NOTHING);
	/* Late: the next is where it would have been. */
	assert_int_equal(pace_due(&pace, 255 * MS), DUE_INTERVAL);
	assert_int_equal(pace_left(&pace, 255 * MS), 46 * MS);
	assert_int_equal(pace_left(&pace, 305 * MS), 0);
	assert_int_equal(pace_due(&pace, 305 * MS), DUE_TIMEOUT);

	/* One that is so late that it is two. */
	options = (struct options){.interval_ms = 100};
	pace_start(&pace, &options);
	assert_int_equal(pace_due(&pace, 230 * MS), DUE_INTERVAL);
	assert_int_equal(pace_due(&pace, 230 * MS), DUE_NOTHING);
	assert_int_equal(pace_left(&pace, 230 * MS), 70 * MS);

	options = (struct options){.timeout_ms = 10};
	pace_start(&pace, &options);
	assert_int_equal(pace_due(&pace, 9 * MS), DUE_NOTHING);
	assert_int_equal(pace_left(&pace, 9 * MS), 1 * MS);
	assert_int_equal(pace_due(&pace, 10 * MS), DUE_TIMEOUT);

	options = (struct options){.runs = 3};
	pace_start(&pace, &options);
	assert_int_equal(pace_due(&pace, UINT64_MAX), DUE_NOTHING);
	assert_true(pace_left(&pace, 5) == UINT64_MAX);
}

/* ---------------------------------- options ------------------------------ */

static struct options options;

static int parse(char *first, char *second, char *third, char *fourth)
{
	/* The command of the options is in it. */
	static char *argv[6];
	int argc = 1;

	argv[0] = "perfex", argv[1] = first, argv[2] = second;
	argv[3] = third, argv[4] = fourth;

	while (argv[argc])
		argc++;
	options_free(&options);
	*message.text = '\0';
	return options_parse(&options, argc, argv, &message);
}

/* "a@1 b@2": the events, each with its group. */
static const char *listed(void)
{
	static char text[1000];
	unsigned int i;

	*text = '\0';
	for (i = 0; i < options.nr_events; i++)
		sprintf(text + strlen(text), "%s%s=%u", i ? " " : "",
			options.event_texts[i], options.event_groups[i]);
	return text;
}

static const char *events_of(char *list)
{
	if (parse("-e", list, "-m", "true") < 0)
		return message.text;
	return listed();
}

static void test_groups(void **state)
{
	(void)state;
	assert_string_equal(events_of("a,b"), "a=0 b=0");
	assert_string_equal(events_of("{a,b},c,{d,e}"), "a=1 b=1 c=0 d=2 e=2");
	assert_string_equal(events_of("{a}"), "a=1");
	assert_string_equal(events_of("{a,b@1}:u:k,c"),
			    "a:u:k=1 b:u:k@1=1 c=0");
	assert_int_equal(parse("-e{a,b}", "-e{c,d}", "-m", "true"), 0);
	assert_string_equal(listed(), "a=1 b=1 c=2 d=2");

	assert_contains(events_of("{a,b"), "not closed");
	assert_contains(events_of("{a,{b}}"), "not closed");
	assert_contains(events_of("a}"), "does not begin one");
	assert_contains(events_of("a{b}"), "does not begin one");
	assert_contains(events_of("{a}b"), "may follow a group, not b");
	assert_contains(events_of("{a}:x"), "may follow a group");
	assert_contains(events_of("{}"), "an event is missing");
	assert_contains(events_of("{a,}"), "an event is missing");
	assert_contains(events_of("{a},"), "an event is missing");
	options_free(&options);
}

/* What "perfex record" has no use for. */
static void test_groups_refused(void **state)
{
	char *texts[4];
	unsigned int nr = 0;

	(void)state;
	assert_int_equal(
		events_add(texts, NULL, &nr, 4, "{a,b}", &message), -1);
	assert_contains(message.text, "groups in braces are for counting");
	assert_int_equal(nr, 0);
}

static void refused(char *first, char *second, char *third, char *fourth,
		    const char *part)
{
	if (!parse(first, second, third, fourth))
		fail_msg("%s %s %s %s: accepted", first, second,
			 third ? third : "", fourth ? fourth : "");
	assert_contains(message.text, part);
	assert_null(strchr(message.text, '\n'));
}

static void test_options(void **state)
{
	(void)state;
	assert_int_equal(parse("-r", "5", "true", NULL), 0);
	assert_int_equal(options.runs, 5);
	assert_int_equal(parse("--repeat=5", "-D", "10", "true"), 0);
	assert_int_equal(options.delay_ms, 10);
	assert_int_equal(parse("-I100", "--timeout", "2000", "true"), 0);
	assert_int_equal(options.interval_ms, 100);
	assert_int_equal(options.timeout_ms, 2000);
	assert_int_equal(parse("-p", "12,34", NULL, NULL), 0);
	assert_int_equal(options.target, TARGET_PROCESS);
	assert_int_equal(options.nr_targets, 2);
	assert_int_equal(options.targets[1], 34);
	assert_null(*options.command);
	/* One that is given twice is counted once. */
	assert_int_equal(parse("-p", "12,34,12", "-p34,56", NULL), 0);
	assert_int_equal(options.nr_targets, 3);
	assert_int_equal(options.targets[2], 56);
	assert_int_equal(parse("-t", "12", "sleep", "1"), 0);
	assert_int_equal(options.target, TARGET_THREAD);
	assert_string_equal(options.command[0], "sleep");
	assert_int_equal(parse("--csv", "-ofile", "--append", "true"), 0);
	assert_int_equal(options.format, COUNTS_CSV);
	assert_true(options.append);
	assert_int_equal(parse("--json", "true", NULL, NULL), 0);
	assert_int_equal(options.format, COUNTS_JSON);
	assert_int_equal(parse("-M", "list", NULL, NULL), 0);
	assert_int_equal(options.what, LIST_METRICS);

	refused("-r", "0", "true", NULL, "-r 0: not a whole number of runs");
	refused("-r", "x", "true", NULL, "from 1 to 1000000");
	refused("-I", "9", "true", NULL, "milliseconds from 10");
	refused("-D", "-1", "true", NULL, "milliseconds from 1");
	refused("--timeout", "", "true", NULL, "--timeout");
	refused("-p", "1,", NULL, NULL, "not a process id");
	refused("-p", "0", NULL, NULL, "not a process id");
	refused("-t", "1 ", NULL, NULL, "not a thread id");
	refused("-p", "99999999999", NULL, NULL, "not a process id");
	refused("-p1", "-t1", NULL, NULL, "either processes or threads");
	refused("--csv", "--json", "true", NULL, "choose one");
	refused("--append", "true", NULL, NULL, "--append is for -o");
	refused("-r2", "-p1", NULL, NULL, "-r is for a command");
	refused("-r2", "-I100", "true", NULL, "choose one");
	refused("-r2", "--per-thread", "true", NULL, "choose one");
	refused("-t1", "--no-inherit", NULL, NULL, "nothing inherits");
	refused("-M", "ipc", "-Mipc", "true", "-M: once");
	refused("-M", "list", "true", NULL, "take no command");
	refused("-M", "nonsense", "true", NULL, "no such metric");
	refused("-M", "", "true", NULL, "no such metric");
	/* Which one it is, also of several letters together. */
	refused("-zm", "ls", NULL, NULL, "unknown option -z ");
	refused("-mz", "ls", NULL, NULL, "unknown option -z ");
	refused("--csv", "-mzl", "ls", NULL, "unknown option -z ");
	refused("--bogus", "ls", NULL, NULL, "unknown option --bogus ");
	refused("-m", "--help=x", "ls", NULL, "unknown option --help=x ");
	refused("-m\xc3\xa4", "ls", NULL, NULL,
		"unknown option -m\xc3\xa4 ");
	refused("-me", NULL, NULL, NULL, "option -e needs an argument");
	refused("--event", NULL, NULL, NULL, "option --event needs an arg");
	options_free(&options);
}

static void test_metrics_choose(void **state)
{
	(void)state;
	assert_int_equal(parse("-M", "ipc,branch-rate", "true", NULL), 0);
	assert_string_equal(listed(), "instructions=0 cycles=0 branches=0");
	/* In turns: what is divided by each other is counted together. */
	assert_int_equal(parse("-M", "ipc,branch-rate,IPC", "-m", "true"), 0);
	assert_string_equal(listed(), "instructions=1 cycles=1 branches=2 "
				      "instructions=2");
	assert_int_equal(parse("-ecycles", "-Mipc,frequency", "true", NULL), 0);
	assert_string_equal(listed(), "cycles=0 instructions=0 cycles:u:k=0");
	options_free(&options);
}

/* ------------------------------- which are counted ----------------------- */

static struct chosen chosen;

static const char *choose(char *list)
{
	static char text[2000];
	unsigned int i;

	if (parse("-e", list, "-m", "true") < 0 ||
	    choose_counted(&chosen, &options, &cpu, &info, &message) < 0)
		return message.text;
	*text = '\0';
	for (i = 0; i < chosen.nr; i++)
		sprintf(text + strlen(text), "%s%s=%u", i ? " " : "",
			chosen.events[i].name, chosen.events[i].slot);
	return text;
}

static void test_unsupported(void **state)
{
	(void)state;
	assert_string_equal(choose("branches,instructions:h"), "branches=0");
	assert_int_equal(chosen.nr_unsupported, 1);
	assert_string_equal(chosen.unsupported[0].name, "instructions:h");
	assert_contains(chosen.unsupported[0].why.text, "level host");
	info.arch_events &= ~(1u << 6);
	assert_string_equal(choose("branch-misses,branches"), "branches=0");
	assert_contains(chosen.unsupported[0].why.text,
			"not supported on this CPU");
	/* With nothing left it is an error. */
	assert_contains(choose("branch-misses"), "not supported on this CPU");
	/* So is what nobody knows, and what is written wrong. */
	assert_contains(choose("branches,nonsense"), "unknown event");
	assert_contains(choose("branches,0xc0zz"), "hexadecimal");

	/* One that the host denies. */
	assert_string_equal(choose("branches,loads"), "branches=0 loads=0");
	strcpy(message.text, "denied");
	assert_int_equal(choose_without(&chosen, 0, &options, &info,
					&(struct message){"denied"}, &message),
			 0);
	assert_int_equal(chosen.nr, 1);
	assert_string_equal(chosen.events[0].name, "loads");
	assert_string_equal(chosen.unsupported[0].name, "branches");
	assert_int_equal(choose_without(&chosen, 0, &options, &info,
					&(struct message){"denied"}, &message),
			 -1);
	options_free(&options);
}

/* Four general counters. */
static void test_groups_share_slots(void **state)
{
	(void)state;
	assert_string_equal(choose("loads,stores,branches,{0xc5,0x1c4},loads"),
			    "loads=0 stores=0 branches=0 0xc5=1 0x1c4=1 "
			    "loads=0");
	/* Although one of them would have room in the first. */
	assert_string_equal(choose("{loads,stores,branches},{0xc5,0x1c4}"),
			    "loads=0 stores=0 branches=0 0xc5=1 0x1c4=1");
	/* Its members need not be neighbours of each other's counters. */
	assert_string_equal(choose("{loads@0,stores},{branches@0,0xc5}"),
			    "loads@0=0 stores=0 branches@0=1 0xc5=1");
	assert_string_equal(choose("{instructions,cycles,ref-cycles,loads,"
				   "stores,branches,0xc5}"),
			    "instructions=0 cycles=0 ref-cycles=0 loads=0 "
			    "stores=0 branches=0 0xc5=0");
	assert_contains(choose("{loads,stores,branches,0xc5,0x1c4}"),
			"make the group smaller");
	assert_contains(choose("branches,{loads@0,stores@0}"),
			"make the group smaller");
	assert_contains(choose("{loads,stores@63}"), "does not have counter");
	options_free(&options);
}

/* ---------------------------------- metrics ------------------------------ */

static struct result result;
static struct report report;
static struct series series;

/* Of a list of events: counts of 100, 200, ... in 6000 ticks of 1 MHz. */
static void reset_report(char *list)
{
	unsigned int i;

	choose(list);
	memset(&result, 0, sizeof(result));
	memset(&series, 0, sizeof(series));
	for (i = 0; i < chosen.nr; i++) {
		result.group.sums.pmc[i] = 100 * (i + 1);
		result.group.sums.loaded[i] = 6000;
	}
	result.group.sums.nr = chosen.nr;
	result.group.sums.tsc = 6000;
	result.group.sums.stolen = 500;
	result.seconds = 1.5;
	report = (struct report){
		.events = chosen.events,
		.nr = chosen.nr,
		.unsupported = chosen.unsupported,
		.nr_unsupported = chosen.nr_unsupported,
		.info = &info,
		.result = &result,
		.options = &options,
		.multiplexed = true,
	};
}

/* "ipc=0.5 branch-rate=3" */
static const char *metrics(void)
{
	static char text[500];
	struct metric_value value;
	unsigned int i = 0;

	*text = '\0';
	while (metric_value_next(&i, &report, &value))
		sprintf(text + strlen(text), "%s%s=%g", *text ? " " : "",
			value.metric->name, value.value);
	return text;
}

static void test_metrics(void **state)
{
	(void)state;
	reset_report("instructions,cycles,branches,branch-misses");
	assert_string_equal(metrics(),
			    "ipc=0.5 branch-rate=3 "
			    "branch-miss-ratio=133.333 branch-mpki=4000");
	/* Of other modes, or of another time: no ratio. */
	reset_report("instructions,cycles:k");
	assert_string_equal(metrics(), "");
	reset_report("branches@0,branch-misses@0");
	assert_string_equal(metrics(), "");
	/* Each mode has its own. */
	reset_report("instructions:u,cycles:u,instructions:k,cycles:k");
	assert_string_equal(metrics(), "ipc=0.5 ipc=0.75");
	/* Once, also if it is counted twice. */
	reset_report("instructions,cycles,instructions,cycles");
	assert_string_equal(metrics(), "ipc=0.5");
	/* A rate is of all modes; and of the share of the time. */
	reset_report("cycles:u:k");
	assert_string_equal(metrics(), "frequency=1.66667e-05");
	result.group.sums.loaded[0] = 3000;
	assert_string_equal(metrics(), "frequency=3.33333e-05");
	/* Nothing is divided by nothing. */
	reset_report("instructions,cycles");
	memset(&result.group.sums, 0, sizeof(result.group.sums));
	assert_string_equal(metrics(), "");
	reset_report("loads");
	assert_string_equal(metrics(), "");
	options_free(&options);
}

/* ---------------------------------- formats ------------------------------ */

static char *text;
static FILE *stream;

static FILE *begin_text(void)
{
	static size_t size;

	free(text);
	return stream = open_memstream(&text, &size);
}

static const char *as_text(void)
{
	report_counts(begin_text(), &report);
	fclose(stream);
	return text;
}

static const char *as_csv(void)
{
	report_csv(begin_text(), &report, true);
	fclose(stream);
	return text;
}

static json_t *as_json(void)
{
	json_error_t error;
	json_t *json;

	assert_true(report_json(begin_text(), &report));
	fclose(stream);
	assert_true(strchr(text, '\n') == text + strlen(text) - 1);
	json = json_loads(text, 0, &error);
	if (!json)
		fail_msg("%s: %s", error.text, text);
	return json;
}

static void make_series(void)
{
	unsigned int i;

	series.runs = 2;
	for (i = 0; i < 2; i++) {
		stats_add(&series.seconds, 1 + i);
		stats_add(&series.tsc, 2000 + 2000 * i);
		stats_add(&series.stolen, 250);
		stats_add(&series.events[0], 40 + 20 * i);
		stats_add(&series.events[1], 100);
	}
	result.seconds = 3;
	report.series = &series;
	report.multiplexed = false;
}

static void test_text(void **state)
{
	(void)state;
	reset_report("branches,stores,instructions:h");
	result.group.sums.loaded[1] = 0;
	result.group.sums.pmc[1] = 0;
	as_text();
	assert_contains(text, "  branches ");
	assert_contains(text, "-  stores ");
	assert_contains(text, "(0.0 %)  not counted: its turn never came\n");
	assert_contains(text, "-  instructions:h  not supported: event inst");
	assert_contains(text, "                 500  stolen ");

	reset_report("branches");
	memset(&result.group.sums, 0, sizeof(result.group.sums));
	report.multiplexed = false;
	assert_contains(
		as_text(),
		"-  branches      pmc0   user  not counted: nothing ran\n");

	reset_report("branches,stores");
	make_series();
	as_text();
	assert_contains(
		text,
		"                  50  branches      pmc0   user  +- 28.28 %\n");
	assert_contains(
		text,
		"                 100  stores        pmc1   user  +- 0.00 %\n");
	assert_contains(text,
			"            1.500000  seconds elapsed  +- 47.14 %\n");
	assert_contains(text, "                   2  runs: ");

	reset_report("instructions,cycles");
	report.interval = true;
	report.time = 2.5;
	as_text();
	assert_contains(text,
			"      2.500000                  100  instructions ");
	assert_contains(
		text,
		"      2.500000                 0.50  instructions per cycle\n");
	assert_null(strstr(text, "elapsed"));
	assert_null(strstr(text, "\n\n"));
	options_free(&options);
}

#define HEAD                                                                   \
	"time,pid,tid,comm,name,value,status,share,deviation,unit,counter,modes\n"

static void test_csv(void **state)
{
	struct perfctr_dev_record record = {
		.pid = 7, .tid = 8, .comm = "a \"b\",\n"};

	(void)state;
	reset_report("branches,loads@0,stores,instructions:h");
	result.group.sums.loaded[1] = 1500;
	result.group.sums.loaded[2] = 0;
	assert_string_equal(
		as_csv(),
		HEAD ",,,,tsc,6000,counted,,,ticks,,\n"
		     ",,,,stolen,500,counted,,,ticks,,\n"
		     ",,,,branches,100,counted,100.00,,events,pmc1,user\n"
		     ",,,,loads@0,200,partial,25.00,,events,pmc0,user\n"
		     ",,,,stores,,not counted,0.00,,events,pmc2,user\n"
		     ",,,,instructions:h,,not supported,,,events,,\n"
		     ",,,,elapsed,1.500000,counted,,,seconds,,\n");
	report.scale = true;
	assert_contains(as_csv(), "loads@0,800,estimate,25.00,");
	result.group.errors = 1;
	assert_contains(as_csv(), "branches,100,incomplete,100.00,");

	reset_report("branches,stores");
	record.sums = result.group.sums;
	result.records = &record;
	result.nr_records = 1;
	report.per_thread = true;
	assert_contains(as_csv(),
			"\n,7,8,\"a \"\"b\"\",?\",branches,100,counted,");

	reset_report("branches,stores");
	make_series();
	assert_contains(as_csv(),
			",,,,branches,50.00,counted,100.00,28.2843,events,");
	assert_contains(text, ",,,,elapsed,1.500000,counted,,47.1405,");

	reset_report("instructions,cycles");
	report.interval = true;
	report.time = 0.25;
	assert_contains(as_csv(), "\n0.250000,,,,tsc,6000,counted,");
	assert_contains(
		text,
		"\n0.250000,,,,ipc,0.500000,metric,,,instructions per cycle,,user\n");
	assert_null(strstr(text, "elapsed"));
	report_csv(begin_text(), &report, false);
	fclose(stream);
	assert_null(strstr(text, "time,pid"));
	options_free(&options);
}

/* By "a.b[0].c", of an object that stays. */
static json_t *member(json_t *json, const char *path)
{
	char name[32];
	size_t length;

	for (; *path; path += length) {
		path += *path == '.' || *path == ']';
		if (*path == '[') {
			json = json_array_get(json, (size_t)atoi(++path));
			length = strcspn(path, "]");
			continue;
		}
		length = strcspn(path, ".[");
		if (!length)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)length, path);
		json = json_object_get(json, name);
	}
	if (!json)
		fail_msg("no %s in %s", path, text);
	return json;
}

static void test_json(void **state)
{
	struct perfctr_dev_record record = {
		.pid = 7, .tid = 8, .comm = "a\xff\"b"};
	json_t *json;

	(void)state;
	reset_report("branches,loads@0,stores,instructions:h");
	result.group.sums.pmc[0] = 1000000000000000001;
	result.group.sums.loaded[1] = 1500;
	result.group.sums.loaded[2] = 0;
	result.group.refused = 1;
	result.group.errors = 1;
	result.wait_status = 3 << 8;
	json = as_json();
	assert_string_equal(json_string_value(member(json, "type")), "total");
	assert_string_equal(json_string_value(member(json, "command[0]")),
			    "true");
	assert_int_equal(json_integer_value(member(json, "status")), 3);
	assert_int_equal(json_integer_value(member(json, "tsc.value")), 6000);
	assert_near(json_number_value(member(json, "stolen.seconds")), 0.0005);
	/* Not by way of a double. */
	assert_int_equal(json_integer_value(member(json, "events[0].value")),
			 1000000000000000001);
	assert_string_equal(json_string_value(member(json, "events[1].status")),
			    "partial");
	assert_near(json_number_value(member(json, "events[1].share_percent")),
		    25);
	assert_true(json_is_null(member(json, "events[2].value")));
	assert_string_equal(json_string_value(member(json, "events[2].status")),
			    "not counted");
	assert_string_equal(json_string_value(member(json, "events[3].status")),
			    "not supported");
	assert_contains(json_string_value(member(json, "events[3].why")),
			"level host");
	assert_true(json_is_true(member(json, "incomplete")));
	assert_contains(json_string_value(member(json, "notes[0]")),
			"raised privileges");
	assert_near(json_number_value(member(json, "elapsed.seconds")), 1.5);
	json_decref(json);

	reset_report("branches,stores");
	record.sums = result.group.sums;
	result.records = &record;
	result.nr_records = 1;
	report.per_thread = true;
	json = as_json();
	assert_string_equal(json_string_value(member(json, "threads[0].comm")),
			    "a?\"b");
	assert_int_equal(
		json_integer_value(member(json, "threads[0].events[1].value")),
		200);
	json_decref(json);

	reset_report("branches,stores");
	make_series();
	json = as_json();
	assert_near(json_number_value(member(json, "events[0].value")), 50);
	assert_near(
		json_number_value(member(json, "events[0].deviation_percent")),
		100 * sqrt(200) / 50);
	assert_int_equal(json_integer_value(member(json, "runs")), 2);
	json_decref(json);

	reset_report("instructions,cycles");
	report.interval = true;
	report.time = 0.25;
	json = as_json();
	assert_string_equal(json_string_value(member(json, "type")),
			    "interval");
	assert_near(json_number_value(member(json, "time")), 0.25);
	assert_string_equal(json_string_value(member(json, "metrics[0].name")),
			    "ipc");
	assert_near(json_number_value(member(json, "metrics[0].value")), 0.5);
	json_decref(json);
	options_free(&options);
}

/* --------------------------------- the rest ------------------------------ */

static void test_patterns(void **state)
{
	(void)state;
	assert_true(name_matches("BR_INST_RETIRED", NULL));
	assert_true(name_matches("BR_INST_RETIRED", "inst"));
	assert_false(name_matches("BR_INST_RETIRED", "loads"));
	assert_true(name_matches("BR_INST_RETIRED", "br_*"));
	assert_false(name_matches("BR_INST_RETIRED", "inst*"));
	assert_true(name_matches("BR_INST_RETIRED", "BR?INST*"));
}

static void test_verdicts(void **state)
{
	(void)state;
	assert_int_equal(verdict_of_counts(2001, 402001, 400000),
			 VERDICT_RIGHT);
	assert_int_equal(verdict_of_counts(2001, 402002, 400000),
			 VERDICT_WRONG);
	assert_int_equal(verdict_of_counts(0, 0, 400000), VERDICT_DEAD);
	assert_int_equal(verdict_of_counts(7, 7, 0), VERDICT_DEAD);
	assert_int_equal(verdict_of_counts(7, 9, 0), VERDICT_RIGHT);

	assert_int_equal(verdict_of_error(EPERM), VERDICT_POLICY);
	assert_int_equal(verdict_of_error(ENODEV), VERDICT_NO_PMU);
	assert_int_equal(verdict_of_error(EBUSY), VERDICT_BUSY);
	assert_int_equal(verdict_of_error(EIO), VERDICT_OTHER);

	assert_int_equal(verdict_of_log(""), VERDICT_MODULE_ABSENT);
	assert_int_equal(
		verdict_of_log(
			"<3>[ 1.0] perfctr: this Xen has no perfctr; boot\n"),
		VERDICT_HYPERVISOR);
	assert_int_equal(
		verdict_of_log(
			"perfctr: this Xen has no perfctr; boot\n"
			"perfctr: the host's policy does not give this domain counters\n"),
		VERDICT_POLICY);
	/* It was loaded since, and is not there any more. */
	assert_int_equal(
		verdict_of_log(
			"perfctr: the host's policy does not give this domain counters\n"
			"perfctr: PV domU on Xen 4.17.6: 6 general counters of 48 bits, 0 fixed of 0\n"),
		VERDICT_MODULE_ABSENT);
	assert_int_equal(
		verdict_of_log("perfctr: this kernel does not run on Xen; x\n"),
		VERDICT_NOT_XEN);
	assert_string_equal(verdict_name(VERDICT_WRONG), "count wrong");
}

#define TEST(name) cmocka_unit_test_setup(name, prepare)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_stats),
		TEST(test_sums),
		TEST(test_pace),
		TEST(test_groups),
		TEST(test_groups_refused),
		TEST(test_options),
		TEST(test_metrics_choose),
		TEST(test_unsupported),
		TEST(test_groups_share_slots),
		TEST(test_metrics),
		TEST(test_text),
		TEST(test_csv),
		TEST(test_json),
		TEST(test_patterns),
		TEST(test_verdicts),
	};

	setenv("LIBPFM_FORCE_PMU", "skl", 1);
	names_initialize(PERFCTR_VENDOR_INTEL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
