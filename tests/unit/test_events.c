// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events by name and code, and which counter they get.  Called with the name
 * of a PMU of libpfm4, because libpfm4 can be made ready for one only.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#include "perfex.h"
#include "skylake.h"

static const char *pmu;

static struct cpu cpu;
static struct perfctr_dev_info info;
static struct message message;

static void is_skylake(void)
{
	set_skylake(&cpu, &info);
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
	assert_int_equal(evtsel_of("0x4300C0:u"), 0x100c0);
	assert_false(resolve("0xc0:u").host);
	assert_int_equal(evtsel_of("0x4300C0:h"), 0xc0);
	assert_true(resolve("0x4300C0:h").host);
	assert_int_equal(evtsel_of("0xc0:u:k:h@1"), 0x300c0);
	assert_int_equal(resolve("0xc0:u:k:h@1").pinned, 1);

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

/* ":h": as what, where, and with which others. */
static void test_host(void **state)
{
	const char *name = cpu.vendor == PERFCTR_VENDOR_AMD
				   ? "RETIRED_INSTRUCTIONS"
				   : "INST_RETIRED:ANY_P";
	struct event event;
	char text[100];

	(void)state;
	strcpy(info.guest, "PV domU");
	refused("instructions:h", "the host's policy does not let");
	refused("instructions:h", "PV domU");
	refused("instructions:h", "level host");
	info.features |= PERFCTR_FEAT_HOST | PERFCTR_FEAT_SPLIT;
	refused("instructions:u:h", "alone or with both :u and :k");
	refused("instructions:k:h", "alone or with both :u and :k");

	event = resolve("instructions:h");
	assert_int_equal(event_check(&event, &info, &message), 0);
	assert_int_equal(event.evtsel, 0xc0);
	assert_true(event.host);
	event = resolve("instructions:ukh@0");
	assert_int_equal(event_check(&event, &info, &message), 0);
	assert_int_equal(event.evtsel, 0x300c0);
	assert_true(event.host);

	/* Libpfm4 never sees it: for AMD it has one of its own. */
	sprintf(text, "%s:h", name);
	assert_int_equal(evtsel_of(text), 0xc0);
	assert_true(resolve(text).host);
	sprintf(text, "%s:h:u:k", name);
	assert_int_equal(evtsel_of(text), 0x300c0);
	assert_true(resolve(text).host);
	sprintf(text, "%s:u:h:c=1", name);
	assert_int_equal(evtsel_of(text), 0x10100c0);
	refused(text, "alone or with both");
	assert_false(resolve(name).host);
	assert_int_equal(evtsel_of(name), 0x100c0);
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
	assert_int_equal(evtsel_of("cache-references"), 0x14f2e);
	assert_int_equal(evtsel_of("cache-misses"), 0x1412e);
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

	refused("instructions:x", "only :u, :k and :h");
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
	assert_int_equal(evtsel_of("LONGEST_LAT_CACHE:REFERENCE"),
			 evtsel_of("cache-references"));
	assert_int_equal(evtsel_of("LONGEST_LAT_CACHE:MISS"),
			 evtsel_of("cache-misses"));
	assert_int_equal(evtsel_of("MEM_INST_RETIRED:ALL_LOADS"),
			 evtsel_of("loads"));
	assert_int_equal(evtsel_of("MEM_INST_RETIRED:ALL_STORES"),
			 evtsel_of("stores"));

	/* What libpfm4 has among the architectural events only. */
	assert_int_equal(evtsel_of("LLC_REFERENCES"),
			 evtsel_of("cache-references"));
	assert_int_equal(evtsel_of("LLC_MISSES:k"), 0x2412e);
	refused("LLC_MISSES:c=1", "only :u, :k and :h");
	info.arch_events &= ~(1u << 4);
	refused("LLC_MISSES", "not supported on this CPU");

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
	assert_int_equal(evtsel_of("cache-references"), 0x1ff60);
	assert_int_equal(evtsel_of("cache-misses"), 0x10964);
	assert_int_equal(evtsel_of("LS_DISPATCH:LD_DISPATCH"),
			 evtsel_of("loads"));
	assert_int_equal(evtsel_of("LS_DISPATCH:STORE_DISPATCH"),
			 evtsel_of("stores"));
	refused("LS_DISPATCH", "LD_DISPATCH");
	/* A name, though it begins as a code does. */
	assert_int_equal(evtsel_of("32_BYTE_INSTRUCTION_CACHE_FETCH"),
			 0x10080);
	refused("32_BYTES", "unknown event");
	refused("32x", "not a hexadecimal code");
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
	/* Where libpfm4 has it, it is libpfm4's. */
	assert_int_equal(evtsel_of("LLC_MISSES:u:c=1"), 0x101412e);
}

static void test_suggestions(void **state)
{
	char name[600];

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
 * "instructions cycles 0xc4@1" -> "fixed0 fixed1 pmc1", or the message.  With
 * @multiplex a "|" between slots.
 */
static const char *assigned_in(const char *texts, bool multiplex)
{
	struct event events[PERFCTR_MAX_COUNTERS];
	static struct message result;
	char copy[1000], name[16];
	unsigned int nr = 0, i, slot;
	int slots;
	char *text;

	strcpy(copy, texts);
	for (text = strtok(copy, " "); text; text = strtok(NULL, " "))
		events[nr++] = resolve(text);
	slots = assign_counters(events, nr, &info, multiplex, &result);
	if (slots < 0)
		return result.text;
	assert_in_range(slots, 1, multiplex ? PERFCTR_MAX_SLOTS : 1);
	*result.text = '\0';
	for (slot = 0; slot < (unsigned int)slots; slot++) {
		const char *separator = slot ? "| " : "";
		unsigned int found = 0;

		for (i = 0; i < nr; i++) {
			if (events[i].slot != slot)
				continue;
			found++;
			sprintf(result.text + strlen(result.text), "%s%s",
				*result.text && !*separator ? " " : "",
				*separator ? " | " : "");
			separator = "";
			if (multiplex)
				sprintf(result.text + strlen(result.text),
					"%u:", i);
			strcat(result.text,
			       counter_name(events[i].index, name));
		}
		assert_true(found || !nr);
	}
	return result.text;
}

static const char *assigned(const char *texts)
{
	return assigned_in(texts, false);
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
	assert_contains(assigned("branches@4"), "does not have counter pmc4");
	assert_contains(assigned("branches@fixed0"), "can't count");
	assert_contains(assigned("ref-cycles@0"), "can't count");
	assert_contains(assigned("branches@1000000000"), "does not have");

	/* What to do about it, where that helps. */
	assert_contains(assigned("branches loads stores cond-branches 0xc5"),
			"with -m");
	assert_contains(assigned("branches@1 loads@1"), "with -m");
	assert_null(strstr(assigned("branches@4"), "-m"));

	/* By the bitmaps, not by numbers. */
	info.general = 0xa;
	info.fixed = 0x2;
	assert_string_equal(assigned("instructions cycles branches"),
			    "pmc1 fixed1 pmc3");
	assert_contains(assigned("ref-cycles"), "does not have counter fixed2");
}

static void test_slots_intel(void **state)
{
	char many[1000] = "";
	unsigned int i;

	(void)state;
	is_skylake();
	/* What fits is not taken apart. */
	assert_string_equal(assigned_in("instructions cycles branches", true),
			    "0:fixed0 1:fixed1 2:pmc0");
	assert_string_equal(assigned_in("", true), "");
	assert_string_equal(
		assigned_in("branches loads stores cond-branches 0xc5", true),
		"0:pmc0 1:pmc1 2:pmc2 3:pmc3 | 4:pmc0");
	/* A later one fills the gap that an earlier one could not. */
	assert_string_equal(
		assigned_in("branches loads stores 0xc5 0x1c4 instructions",
			    true),
		"0:pmc0 1:pmc1 2:pmc2 3:pmc3 5:fixed0 | 4:pmc0");
	/* A pinned one moves another within its slot, or goes to the next. */
	assert_string_equal(assigned_in("branches loads@0", true),
			    "0:pmc1 1:pmc0");
	assert_string_equal(assigned_in("branches@0 loads@0 stores@0", true),
			    "0:pmc0 | 1:pmc0 | 2:pmc0");
	assert_string_equal(assigned_in("ref-cycles ref-cycles", true),
			    "0:fixed2 | 1:fixed2");
	/* What can't be counted alone can't be counted in turns. */
	assert_contains(assigned_in("branches branches@4", true),
			"does not have");
	assert_contains(assigned_in("ref-cycles@0", true), "can't count");
	assert_contains(
		assigned_in("0xc0@0 0xc1@0 0xc2@0 0xc3@0 0xc4@0 0xc5@0 0xc6@0"
			    " 0xc7@0 0xc8@0",
			    true),
		"even in 8 turns");
	/* As many as the device takes. */
	for (i = 0; i < PERFCTR_MAX_COUNTERS; i++)
		strcat(many, "0x1c4 ");
	assert_contains(assigned_in(many, true),
			" | 20:pmc0 21:pmc1 22:pmc2 23:pmc3");
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

static void test_options_of_groups(void **state)
{
	(void)state;
	assert_int_equal(parse("true", NULL, NULL, NULL), 0);
	assert_false(options.multiplex || options.scale || options.no_inherit ||
		     options.per_thread || options.slice_us);
	assert_int_equal(parse("-m", "--scale", "--slice=100", "true"), 0);
	assert_true(options.multiplex && options.scale);
	assert_int_equal(options.slice_us, 100);
	assert_int_equal(parse("-m", "--slice", "1000000", "true"), 0);
	assert_int_equal(options.slice_us, 1000000);
	assert_int_equal(parse("--per-thread", "true", NULL, NULL), 0);
	assert_true(options.per_thread);
	assert_int_equal(parse("--no-inherit", "true", NULL, NULL), 0);
	assert_true(options.no_inherit);
	/* They are the command's if they come after it. */
	assert_int_equal(parse("true", "-m", "--scale", NULL), 0);
	assert_false(options.multiplex || options.scale);

	assert_int_equal(parse("--scale", "true", NULL, NULL), -1);
	assert_contains(message.text, "--scale is for -m");
	assert_int_equal(parse("--slice", "1000", "true", NULL), -1);
	assert_contains(message.text, "--slice is for -m");
	assert_int_equal(parse("--per-thread", "--no-inherit", "true", NULL),
			 -1);
	assert_contains(message.text, "only one thread");
	assert_int_equal(parse("-m", "--slice", "99", "true"), -1);
	assert_contains(message.text, "100 to 1000000");
	assert_int_equal(parse("-m", "--slice", "1000001", "true"), -1);
	assert_int_equal(parse("-m", "--slice", "-100", "true"), -1);
	assert_int_equal(parse("-m", "--slice", " 100", "true"), -1);
	assert_int_equal(parse("-m", "--slice", "100us", "true"), -1);
	assert_int_equal(parse("-m", "--slice", "", "true"), -1);
	assert_int_equal(parse("-m", "--slice", "99999999999999999999", "true"),
			 -1);
	assert_int_equal(parse("-m", "--slice", NULL, NULL), -1);
	assert_contains(message.text, "--slice needs an argument");
	options_free(&options);
}

/* --------------------------------- the report ---------------------------- */

static struct event reported[4];
static struct result result;
static struct report report;
static char *report_text;

/* Of "texts", with counts of 100, 200, ... in 6000 ticks. */
static void reset_report(const char *first, const char *second,
			 const char *third, bool multiplex)
{
	const char *texts[] = {first, second, third};
	unsigned int i;

	memset(&result, 0, sizeof(result));
	memset(&report, 0, sizeof(report));
	for (i = 0; i < 3 && texts[i]; i++) {
		reported[i] = resolve(texts[i]);
		result.group.sums.pmc[i] = 100 * (i + 1);
		result.group.sums.loaded[i] = 6000;
	}
	assert_true(assign_counters(reported, i, &info, multiplex, &message) >
		    0);
	result.group.sums.nr = i;
	result.group.sums.tsc = 6000;
	result.group.sums.stolen = 500;
	result.group.ended = 1;
	result.seconds = 1.5;
	info.tsc_khz = 1000;
	report.events = reported;
	report.nr = i;
	report.info = &info;
	report.result = &result;
	report.multiplexed = multiplex;
}

static const char *print_report(void)
{
	size_t size;
	FILE *stream;

	free(report_text);
	stream = open_memstream(&report_text, &size);
	report_counts(stream, &report);
	fclose(stream);
	return report_text;
}

static void test_report(void **state)
{
	(void)state;
	reset_report("instructions", "cycles", "branches", false);
	result.group.sums.pmc[2] = UINT64_MAX;
	print_report();
	assert_contains(
		report_text,
		"                6000  tsc           0.006000 seconds "
		"at 1.000 MHz\n"
		"                 500  stolen        0.000500 seconds ");
	assert_contains(report_text, "                 100  instructions  ");
	assert_contains(report_text, "18446744073709551615  branches ");
	assert_contains(report_text, "0.50  instructions per cycle\n");
	assert_contains(report_text, "1.500000  seconds elapsed\n");
	assert_contains(report_text, "user mode and the guest's kernel");
	assert_null(strstr(report_text, "incomplete"));
	assert_null(strstr(report_text, "%"));
	assert_null(strstr(report_text, "thread"));

	result.group.sums.status = PERFCTR_STATUS_ERROR;
	result.group.errors = 1;
	reported[1].evtsel |= EVTSEL_OS;
	print_report();
	assert_contains(report_text, "(incomplete)\n");
	/* Of different modes: no quotient. */
	assert_null(strstr(report_text, "per cycle"));
}

static void test_report_modes(void **state)
{
	(void)state;
	info.features |= PERFCTR_FEAT_SPLIT | PERFCTR_FEAT_HOST;
	reset_report("instructions", "instructions:k", "instructions:ukh",
		     false);
	print_report();
	assert_contains(report_text, "fixed0 user\n");
	assert_contains(report_text, "pmc0   kernel\n");
	assert_contains(report_text, "pmc1   user, kernel and Xen\n");
	assert_null(strstr(report_text, "together"));
	reset_report("cycles:h", "instructions:ukh", NULL, false);
	print_report();
	assert_contains(report_text, " Xen\n");
	assert_null(strstr(report_text, "per cycle"));
}

static void test_report_shares(void **state)
{
	(void)state;
	reset_report("branches@0", "loads@0", "stores@0", true);
	result.group.sums.loaded[0] = 2000;
	result.group.sums.loaded[1] = 4000;
	result.group.sums.loaded[2] = 0;
	result.group.sums.pmc[2] = 0;
	print_report();
	/* What was counted, and for how long; nothing is scaled. */
	assert_contains(report_text, "                 100  branches@0 ");
	assert_contains(report_text, "  (33.3 %)\n");
	assert_contains(report_text, "                 200  loads@0 ");
	assert_contains(report_text, "  (66.7 %)\n");
	assert_contains(report_text, "                   -  stores@0 ");
	assert_contains(report_text, "(0.0 %)  not counted: its turn never came\n");
	assert_null(strstr(report_text, "~"));
	assert_null(strstr(report_text, "estimate"));

	report.scale = true;
	print_report();
	assert_contains(report_text, "                ~300  branches@0 ");
	assert_contains(report_text, "(33.3 %)  estimate; counted: 100\n");
	assert_contains(report_text, "                ~300  loads@0 ");
	assert_contains(report_text, "(66.7 %)  estimate; counted: 200\n");
	assert_contains(report_text, "                   -  stores@0 ");

	/* Counted all the time: it is a count. */
	result.group.sums.loaded[0] = 6000;
	print_report();
	assert_contains(report_text, "                 100  branches@0 ");
	assert_contains(report_text, "(100.0 %)\n");
	assert_null(strstr(report_text, "counted: 100\n"));

	/* Counts of different times have no quotient. */
	reset_report("instructions@0", "cycles@0", NULL, true);
	assert_null(strstr(print_report(), "per cycle"));
	reset_report("instructions", "cycles", NULL, true);
	assert_contains(print_report(), "0.50  instructions per cycle");
}

static unsigned int lines_with(const char *text, const char *part)
{
	unsigned int lines = 0;
	const char *at;

	for (at = text; (at = strstr(at, part)); at++)
		lines++;
	return lines;
}

/* Whatever is not in the counts has a line, and marks them. */
static void test_report_notes(void **state)
{
	static const struct {
		const char *part;
		bool incomplete;
	} notes[] = {
		{"   1  thread not counted from an exec on that raised", true},
		{"   2  threads counted until an error only: Input/output error\n",
		 true},
		{"   3  threads not counted: no memory", true},
		{"   4  threads still running when the command had ended",
		 false},
		{"   5  threads not in the list", false},
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < 5; i++) {
		reset_report("instructions", NULL, NULL, false);
		result.group.refused = i == 0 ? 1 : 0;
		result.group.errors = i == 1 ? 2 : 0;
		if (i == 1) {
			result.group.sums.status = PERFCTR_STATUS_ERROR;
			result.group.sums.error = -EIO;
		}
		result.group.lost = i == 2 ? 3 : 0;
		result.group.live = i == 3 ? 4 : 0;
		result.group.records_lost = i == 4 ? 5 : 0;
		print_report();
		for (j = 0; j < 5; j++)
			if (lines_with(report_text, notes[j].part) != (i == j))
				fail_msg("%zu, \"%s\": %s", i, notes[j].part,
					 report_text);
		/* tsc, stolen, instructions */
		assert_int_equal(lines_with(report_text, "(incomplete)\n"),
				 notes[i].incomplete ? 3 : 0);
	}

	/* EPERM of an error is not that of an exec. */
	reset_report("instructions", NULL, NULL, false);
	result.group.errors = 1;
	result.group.sums.status = PERFCTR_STATUS_ERROR;
	result.group.sums.error = -EPERM;
	assert_contains(print_report(),
			"host's policy does not allow it any more");
	result.group.refused = 1;
	assert_null(strstr(print_report(), "policy"));
	assert_contains(report_text, "1  thread counted until an error only\n");

	/* The first thread's, of a group that does not count it. */
	reset_report("instructions", NULL, NULL, false);
	result.first_error = EIO;
	assert_contains(print_report(),
			"1  thread counted until an error only: Input/output");
}

static void test_report_threads(void **state)
{
	static struct perfctr_dev_record records[3];
	unsigned int i;

	(void)state;
	reset_report("instructions", "branches", NULL, false);
	report.per_thread = true;
	memset(records, 0, sizeof(records));
	for (i = 0; i < 3; i++) {
		records[i].pid = 1000;
		records[i].tid = 1000 + (int)i;
		strcpy(records[i].comm, i == 2 ? "a\tb\033[1m" : "worker");
		records[i].sums.tsc = 2000;
		records[i].sums.nr = 2;
		records[i].sums.pmc[0] = 10 * (i + 1);
		records[i].sums.pmc[1] = 1000000000000000 + i;
		records[i].sums.status = PERFCTR_STATUS_EXITED;
	}
	records[1].sums.status = PERFCTR_STATUS_RUNNING;
	records[2].sums.status |= PERFCTR_STATUS_ERROR;
	result.records = records;
	result.nr_records = 3;
	print_report();
	assert_contains(
		report_text,
		"  pid    tid  comm      tsc  instructions          branches\n"
		" 1000   1000  worker   2000            10  1000000000000000\n"
		" 1000   1001  worker   2000            20  1000000000000001"
		"  (still running)\n"
		" 1000   1002  a?b?[1m  2000            30  1000000000000002"
		"  (incomplete)\n"
		"              total    6000           100               200\n"
		"\n");
}

/* Whether samples can be had, and which. */
static void test_report_info(void **state)
{
	struct cpu cpu = {.vendor = PERFCTR_VENDOR_INTEL};
	unsigned int sampling;

	(void)state;
	for (sampling = 0; sampling < 2; sampling++) {
		size_t size;
		FILE *stream;

		free(report_text);
		stream = open_memstream(&report_text, &size);
		info.features = sampling ? PERFCTR_FEAT_SAMPLING : 0;
		info.min_period = 1000;
		info.max_rate = 5000;
		report_info(stream, &cpu, &info);
		fclose(stream);
		assert_contains(
			report_text,
			sampling
				? "sampling            yes: periods from 1000 events, at most 5000 samples a second and CPU\n"
				: "sampling            no\n");
	}
}

#define TEST(name) cmocka_unit_test_setup(name, is_this_pmu)

int main(int argc, char **argv)
{
	const struct CMUnitTest intel[] = {
		TEST(test_codes),          TEST(test_bits_are_checked),
		TEST(test_aliases_intel),  TEST(test_names_intel),
		TEST(test_suggestions),    TEST(test_assign_intel),
		TEST(test_host),           TEST(test_slots_intel),
		TEST(test_options),        TEST(test_options_of_groups),
		TEST(test_report),         TEST(test_report_modes),
		TEST(test_report_shares),  TEST(test_report_notes),
		TEST(test_report_threads), TEST(test_report_info),
	};
	const struct CMUnitTest amd[] = {
		TEST(test_codes),      TEST(test_aliases_amd),
		TEST(test_names_amd),  TEST(test_suggestions),
		TEST(test_assign_amd), TEST(test_host),
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
