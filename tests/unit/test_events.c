// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events by name and code, and which counter they get.  Called with the name
 * of a PMU of libpfm4, because libpfm4 can be made ready for one only.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "perfex.h"

static const char *pmu;

static struct cpu cpu;
static struct perfctr_dev_info info;
static struct message message;

static void is_skylake(void)
{
	cpu = (struct cpu){
		.vendor = PERFCTR_VENDOR_INTEL, .family = 6, .model = 94};
	memset(&info, 0, sizeof(info));
	info.vendor = cpu.vendor;
	info.general = 0xf;
	info.fixed = 0x7;
	info.evtsel_mask = 0xff87ffff;
	info.arch_events = 0x7f;
}

static void is_zen(void)
{
	cpu = (struct cpu){
		.vendor = PERFCTR_VENDOR_AMD, .family = 0x17, .model = 1};
	memset(&info, 0, sizeof(info));
	info.vendor = cpu.vendor;
	info.general = 0x3f;
	info.evtsel_mask = 0xfff87ffff;
}

static int is_this_pmu(void **state)
{
	(void)state;
	if (!strcmp(pmu, "amd64_fam17h_zen1"))
		is_zen();
	else
		is_skylake();
	return 0;
}

/* Of a text that has to be right. */
static struct event resolve(const char *text)
{
	struct event event;

	if (event_resolve(&event, text, &cpu, &info, &message) < 0)
		fail_msg("%s: %s", text, message.text);
	return event;
}

static uint64_t evtsel_of(const char *text)
{
	return resolve(text).evtsel;
}

/* Of one that has to be wrong: the message has @part. */
static void refused(const char *text, const char *part)
{
	struct event event;

	*message.text = '\0';
	if (!event_resolve(&event, text, &cpu, &info, &message) &&
	    !event_check(&event, &info, &message))
		fail_msg("%s: resolved to 0x%llx", text,
			 (unsigned long long)event.evtsel);
	if (!strstr(message.text, part))
		fail_msg("%s: no \"%s\" in: %s", text, part, message.text);
	assert_null(strchr(message.text, '\n'));
}

static void test_codes(void **state)
{
	(void)state;
	assert_int_equal(evtsel_of("0x4300C0"), 0x300c0);
	assert_int_equal(evtsel_of("4300C0"), 0x300c0);
	assert_int_equal(evtsel_of("0x300c0"), 0x300c0);
	assert_int_equal(evtsel_of("0xc0"), 0x100c0);
	assert_int_equal(evtsel_of("0xc0:k"), 0x200c0);
	assert_int_equal(evtsel_of("0x4100c0:k"), 0x200c0);
	assert_int_equal(evtsel_of("0xc0:u:k"), 0x300c0);
	assert_int_equal(evtsel_of("0xc0:uk"), 0x300c0);
	assert_int_equal(evtsel_of("0x1000100c0"), 0x1000100c0);
	assert_int_equal(evtsel_of("0x4100c0/0x1"), 0x1000100c0);
	assert_int_equal(evtsel_of("4100c0/1"), 0x1000100c0);
	assert_int_equal(resolve("0xc0").pinned, NO_COUNTER);
	assert_int_equal(resolve("0xc0@2").pinned, 2);
	assert_int_equal(resolve("0xc0:u@2").pinned, 2);
	assert_int_equal(resolve("0xc0@0x40000001").pinned, 0x40000001);
	assert_int_equal(resolve("0xc0@fixed1").pinned, 0x40000001);

	refused("0x4100c0zz", "0x4100c0zz");
	refused("0x", "hexadecimal");
	refused("0xc0/", "hexadecimal");
	refused("0xc0/-1", "hexadecimal");
	refused("0xc0/ 1", "hexadecimal");
	refused("0xc0/100000000", "hexadecimal");
	refused("0x1000100c0/1", "hexadecimal");
	refused("0x11111111111111111", "hexadecimal");
	refused("0xc0:x", "hexadecimal");
	refused("0xc0@", "not a counter");
	refused("0xc0@x", "not a counter");
	refused("0xc0@-1", "not a counter");
	refused("0xc0@4294967296", "not a counter");
	refused("0xc0@fixed", "not a counter");
	refused("0xc0@fixed64", "not a counter");
}

static void test_bits_are_checked(void **state)
{
	(void)state;
	refused("0x5100c0", "interrupt");
	refused("0x80000041000000c0", "0x8000004100000000");
	/* Pin control. */
	refused("0x4900c0", "0x80000");
	refused("0xc0:k", "kernel mode alone");
	info.features |= PERFCTR_FEAT_SPLIT;
	assert_int_equal(evtsel_of("0xc0:k"), 0x200c0);
}

static void test_aliases_intel(void **state)
{
	(void)state;
	assert_int_equal(evtsel_of("instructions"), 0x100c0);
	assert_int_equal(evtsel_of("Instructions"), 0x100c0);
	assert_int_equal(evtsel_of("instructions:u"), 0x100c0);
	assert_int_equal(evtsel_of("instructions:u:k"), 0x300c0);
	assert_int_equal(evtsel_of("cycles"), 0x1003c);
	assert_int_equal(evtsel_of("branches"), 0x100c4);
	assert_int_equal(evtsel_of("branch-misses"), 0x100c5);
	assert_int_equal(evtsel_of("cond-branches"), 0x101c4);
	assert_int_equal(evtsel_of("loads"), 0x181d0);
	assert_int_equal(evtsel_of("stores"), 0x182d0);
	assert_int_equal(resolve("instructions").fixed, 0x40000000);
	assert_int_equal(resolve("cycles").fixed, 0x40000001);
	assert_int_equal(resolve("ref-cycles").fixed, 0x40000002);
	assert_true(resolve("ref-cycles").fixed_only);
	assert_int_equal(resolve("branches").fixed, NO_COUNTER);
	/* Only some may count otherwise. */
	assert_int_equal(resolve("0x10100c0").fixed, NO_COUNTER);

	refused("instructions:x", "only :u and :k");
	/* An architectural event that this CPU says it does not have. */
	info.arch_events &= ~(1u << 6);
	refused("branch-misses", "not supported on this CPU");
	/* A model that we do not know has the architectural ones. */
	cpu.model = 1;
	assert_int_equal(evtsel_of("branches"), 0x100c4);
	refused("loads", "not supported on this CPU");
	/* Ice Lake has another code. */
	cpu.model = 0x7e;
	assert_int_equal(evtsel_of("cond-branches"), 0x111c4);
}

static void test_aliases_amd(void **state)
{
	(void)state;
	assert_int_equal(evtsel_of("instructions"), 0x100c0);
	assert_int_equal(evtsel_of("cycles"), 0x10076);
	assert_int_equal(evtsel_of("branches"), 0x100c2);
	assert_int_equal(evtsel_of("cond-branches"), 0x100d1);
	assert_int_equal(evtsel_of("loads"), 0x10129);
	assert_int_equal(evtsel_of("stores"), 0x10229);
	assert_int_equal(resolve("instructions").fixed, NO_COUNTER);
	assert_int_equal(resolve("0x0100").fixed, NO_COUNTER);
	refused("ref-cycles", "not supported on this CPU");
	/* Before Zen. */
	cpu.family = 0x15;
	assert_int_equal(evtsel_of("branches"), 0x100c2);
	refused("loads", "not supported on this CPU");
}

/* libpfm4 has the same codes where our aliases have a name of its own. */
static void test_names_intel(void **state)
{
	(void)state;
	assert_int_equal(evtsel_of("INST_RETIRED:ANY_P"),
			 evtsel_of("instructions"));
	assert_int_equal(evtsel_of("inst_retired.any_p"), 0x100c0);
	assert_int_equal(evtsel_of("skl::INST_RETIRED:ANY_P"), 0x100c0);
	assert_int_equal(evtsel_of("INST_RETIRED:ANY_P:k"), 0x200c0);
	assert_int_equal(evtsel_of("INST_RETIRED:ANY_P:u:k"), 0x300c0);
	assert_int_equal(evtsel_of("INST_RETIRED:ANY_P:c=1"), 0x10100c0);
	assert_int_equal(resolve("INST_RETIRED:ANY_P@3").pinned, 3);
	assert_int_equal(evtsel_of("UNHALTED_CORE_CYCLES"),
			 evtsel_of("cycles"));
	assert_int_equal(evtsel_of("UNHALTED_REFERENCE_CYCLES"),
			 evtsel_of("ref-cycles"));
	assert_int_equal(evtsel_of("BR_INST_RETIRED:ALL_BRANCHES"),
			 evtsel_of("branches"));
	assert_int_equal(evtsel_of("BR_INST_RETIRED:CONDITIONAL"),
			 evtsel_of("cond-branches"));
	assert_int_equal(evtsel_of("BR_MISP_RETIRED:ALL_BRANCHES"),
			 evtsel_of("branch-misses"));
	assert_int_equal(evtsel_of("MEM_INST_RETIRED:ALL_LOADS"),
			 evtsel_of("loads"));
	assert_int_equal(evtsel_of("MEM_INST_RETIRED:ALL_STORES"),
			 evtsel_of("stores"));

	refused("INST_RETIRED:NONSENSE", "ANY_P");
	refused("BR_INST_RETIRD", "BR_INST_RETIRED");
	refused("OFFCORE_RESPONSE_0", "needs a register");
	refused("PERF_COUNT_HW_INSTRUCTIONS", "unknown event");
}

static void test_names_amd(void **state)
{
	(void)state;
	assert_int_equal(evtsel_of("RETIRED_INSTRUCTIONS"),
			 evtsel_of("instructions"));
	assert_int_equal(evtsel_of("CYCLES_NOT_IN_HALT"), evtsel_of("cycles"));
	assert_int_equal(evtsel_of("RETIRED_BRANCH_INSTRUCTIONS"),
			 evtsel_of("branches"));
	assert_int_equal(evtsel_of("RETIRED_CONDITIONAL_BRANCH_INSTRUCTIONS"),
			 evtsel_of("cond-branches"));
	assert_int_equal(evtsel_of("LS_DISPATCH:LD_DISPATCH"),
			 evtsel_of("loads"));
	assert_int_equal(evtsel_of("LS_DISPATCH:STORE_DISPATCH"),
			 evtsel_of("stores"));
	refused("LS_DISPATCH", "LD_DISPATCH");
}

static void test_names_architectural(void **state)
{
	(void)state;
	assert_int_equal(evtsel_of("INSTRUCTION_RETIRED"),
			 evtsel_of("instructions"));
	assert_int_equal(evtsel_of("BRANCH_INSTRUCTIONS_RETIRED"),
			 evtsel_of("branches"));
	assert_int_equal(evtsel_of("MISPREDICTED_BRANCH_RETIRED"),
			 evtsel_of("branch-misses"));
}

static void test_suggestions(void **state)
{
	char name[200];

	(void)state;
	refused("instructons", "did you mean instructions?");
	refused("instrcutions", "instructions");
	refused("branchs", "branches");
	refused("no-such-event", "unknown event no-such-event");
	refused("", "unknown event");
	refused(":u", "unknown event");
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	refused(name, "too long");
	name[100] = '\0';
	refused(name, "unknown event");
}

/* ------------------------------- which counter --------------------------- */

/*
 * "instructions cycles 0xc4@1" -> "fixed0 fixed1 pmc1", or the message.
 */
static const char *assigned(const char *texts)
{
	struct event events[PERFCTR_MAX_COUNTERS];
	static struct message result;
	char copy[500], name[16];
	unsigned int nr = 0, i;
	char *text;

	strcpy(copy, texts);
	for (text = strtok(copy, " "); text; text = strtok(NULL, " "))
		events[nr++] = resolve(text);
	if (assign_counters(events, nr, &info, &result) < 0)
		return result.text;
	*result.text = '\0';
	for (i = 0; i < nr; i++) {
		strcat(result.text, i ? " " : "");
		strcat(result.text, counter_name(events[i].index, name));
	}
	return result.text;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no \"%s\" in: %s", part, text);
}

static void test_assign_intel(void **state)
{
	(void)state;
	is_skylake();
	assert_string_equal(assigned("instructions cycles branches"),
			    "fixed0 fixed1 pmc0");
	assert_string_equal(assigned("branches branches instructions"),
			    "pmc0 pmc1 fixed0");
	/* The fixed one is taken: a general one does as well. */
	assert_string_equal(assigned("instructions instructions"),
			    "fixed0 pmc0");
	assert_string_equal(assigned("instructions@2 instructions"),
			    "pmc2 fixed0");
	/* A code is for a general counter, as long as there is one. */
	assert_string_equal(assigned("0xc0"), "pmc0");
	assert_string_equal(assigned("0xc0 0xc4 0xc5 0x1c4 0x3c"),
			    "pmc3 pmc0 pmc1 pmc2 fixed1");
	/* Those with less choice first. */
	assert_string_equal(assigned("branches loads@0"), "pmc1 pmc0");
	assert_string_equal(
		assigned("branches loads stores cond-branches instructions"
			 " cycles ref-cycles"),
		"pmc0 pmc1 pmc2 pmc3 fixed0 fixed1 fixed2");
	assert_string_equal(assigned("0x10000@fixed2"), "fixed2");

	assert_contains(assigned("branches loads stores cond-branches 0xc5"),
			"4 general counters, and fixed ones");
	assert_contains(assigned("branches loads stores cond-branches 0xc5"),
			"1 of 5");
	assert_contains(assigned("ref-cycles ref-cycles"), "fixed2");
	assert_contains(assigned("branches@1 loads@1"), "taken");
	assert_contains(assigned("branches@4"), "does not have it");
	assert_contains(assigned("branches@fixed0"), "can't count");
	assert_contains(assigned("ref-cycles@0"), "can't count");
	assert_contains(assigned("branches@1000000000"), "does not have it");

	/* By the bitmaps, not by numbers. */
	info.general = 0xa;
	info.fixed = 0x2;
	assert_string_equal(assigned("instructions cycles branches"),
			    "pmc1 fixed1 pmc3");
	assert_contains(assigned("ref-cycles"), "does not have it");
}

static void test_assign_amd(void **state)
{
	(void)state;
	is_zen();
	assert_string_equal(assigned("instructions cycles branches"),
			    "pmc0 pmc1 pmc2");
	assert_string_equal(assigned("0xc0 0xc1@0"), "pmc1 pmc0");
	assert_contains(assigned("0xc0 0xc1 0xc2 0xc3 0xc4 0xc5 0xc6"),
			"6 general counters");
	assert_null(strstr(assigned("0xc0 0xc1 0xc2 0xc3 0xc4 0xc5 0xc6"),
			   "fixed"));
}

/* --------------------------------- options ------------------------------- */

static struct options options;

static int parse(char *first, char *second, char *third, char *fourth)
{
	char *argv[] = {"perfex", first, second, third, fourth, NULL};
	int argc = 1;

	while (argv[argc])
		argc++;
	options_free(&options);
	return options_parse(&options, argc, argv, &message);
}

static void test_options(void **state)
{
	(void)state;
	assert_int_equal(parse("ls", "-l", NULL, NULL), 0);
	assert_int_equal(options.what, RUN);
	assert_string_equal(options.command[0], "ls");
	assert_string_equal(options.command[1], "-l");
	assert_null(options.command[2]);
	assert_null(options.output);
	assert_int_equal(parse("-e", "a,b", "-ofile", "ls"), 0);
	assert_int_equal(options.nr_events, 2);
	assert_string_equal(options.event_texts[0], "a");
	assert_string_equal(options.event_texts[1], "b");
	assert_string_equal(options.output, "file");
	assert_int_equal(parse("-ea", "-eb", "--", "-x"), 0);
	assert_int_equal(options.nr_events, 2);
	assert_string_equal(options.command[0], "-x");
	assert_int_equal(parse("-i", NULL, NULL, NULL), 0);
	assert_int_equal(options.what, SHOW_INFO);
	assert_int_equal(parse("-l", NULL, NULL, NULL), 0);
	assert_int_equal(options.what, LIST_EVENTS);
	assert_int_equal(parse("--help", NULL, NULL, NULL), 0);
	assert_int_equal(options.what, SHOW_HELP);
	assert_int_equal(parse("--version", NULL, NULL, NULL), 0);
	assert_int_equal(options.what, SHOW_VERSION);

	assert_int_equal(parse(NULL, NULL, NULL, NULL), -1);
	assert_contains(message.text, "no command");
	assert_int_equal(parse("-e", NULL, NULL, NULL), -1);
	assert_contains(message.text, "-e needs an argument");
	assert_int_equal(parse("-e", "a,,b", "ls", NULL), -1);
	assert_contains(message.text, "an event is missing");
	assert_int_equal(parse("-e", "", "ls", NULL), -1);
	assert_int_equal(parse("-e", "a,", "ls", NULL), -1);
	assert_int_equal(parse("-o", "", "ls", NULL), -1);
	assert_int_equal(parse("--bogus", "ls", NULL, NULL), -1);
	assert_contains(message.text, "--bogus");
	assert_int_equal(parse("-z", "ls", NULL, NULL), -1);
	assert_contains(message.text, "-z");
	assert_int_equal(parse("-i", "ls", NULL, NULL), -1);
	assert_int_equal(
		parse("-e", "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
		      "ls", NULL),
		-1);
	assert_contains(message.text, "too many events");
	options_free(&options);
}

static void test_report(void **state)
{
	struct event events[3] = {resolve("instructions"), resolve("cycles"),
				  resolve("branches")};
	struct result result = {.seconds = 1.5};
	char *text = NULL;
	size_t size;
	FILE *stream;

	(void)state;
	assign_counters(events, 3, &info, &message);
	result.sums.pmc[0] = 100;
	result.sums.pmc[1] = 200;
	result.sums.pmc[2] = UINT64_MAX;
	stream = open_memstream(&text, &size);
	report_counts(stream, events, 3, &info, &result);
	fclose(stream);
	assert_contains(text, "                 100  instructions  ");
	assert_contains(text, "18446744073709551615  branches ");
	assert_contains(text, "0.50  instructions per cycle\n");
	assert_contains(text, "1.500000  seconds elapsed\n");
	assert_null(strstr(text, "incomplete"));
	free(text);

	result.sums.status = PERFCTR_STATUS_ERROR;
	events[1].evtsel |= EVTSEL_OS;
	stream = open_memstream(&text, &size);
	report_counts(stream, events, 3, &info, &result);
	fclose(stream);
	assert_contains(text, "(incomplete)\n");
	/* Of different modes: no quotient. */
	assert_null(strstr(text, "per cycle"));
	free(text);
}

#define TEST(name) cmocka_unit_test_setup(name, is_this_pmu)

int main(int argc, char **argv)
{
	const struct CMUnitTest intel[] = {
		TEST(test_codes),         TEST(test_bits_are_checked),
		TEST(test_aliases_intel), TEST(test_names_intel),
		TEST(test_suggestions),   TEST(test_assign_intel),
		TEST(test_report),        TEST(test_options),
	};
	const struct CMUnitTest amd[] = {
		TEST(test_codes),      TEST(test_aliases_amd),
		TEST(test_names_amd),  TEST(test_suggestions),
		TEST(test_assign_amd),
	};
	const struct CMUnitTest architectural[] = {
		TEST(test_codes),
		TEST(test_names_architectural),
		TEST(test_suggestions),
	};

	pmu = argc > 1 ? argv[1] : "";
	if (!strcmp(pmu, "skl")) {
		setenv("LIBPFM_FORCE_PMU", pmu, 1);
		names_initialize(PERFCTR_VENDOR_INTEL);
		return cmocka_run_group_tests(intel, NULL, NULL);
	}
	if (!strcmp(pmu, "amd64_fam17h_zen1")) {
		setenv("LIBPFM_FORCE_PMU", pmu, 1);
		names_initialize(PERFCTR_VENDOR_AMD);
		return cmocka_run_group_tests(amd, NULL, NULL);
	}
	if (!strcmp(pmu, "ix86arch")) {
		setenv("LIBPFM_FORCE_PMU", pmu, 1);
		names_initialize(PERFCTR_VENDOR_INTEL);
		return cmocka_run_group_tests(architectural, NULL, NULL);
	}
	fputs("usage: test_events skl|amd64_fam17h_zen1|ix86arch\n", stderr);
	return 2;
}
