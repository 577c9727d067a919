// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * From what the user wrote to an event select.  The codes are from SDM vol. 3,
 * "Performance Monitoring Events", Intel's event files for the models after
 * those, and AMD's Processor Programming References.
 */

#include <ctype.h>
#include <cpuid.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "resolve.h"

int complain(struct message *message, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message->text, sizeof(message->text), format, arguments);
	va_end(arguments);
	return -1;
}

/* ------------------------------------ CPU -------------------------------- */

void cpu_identify(struct cpu *cpu)
{
	unsigned int eax, ebx, ecx, edx, leaf;
	char vendor[13] = "";

	memset(cpu, 0, sizeof(*cpu));
	if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx))
		return;
	memcpy(vendor, &ebx, 4);
	memcpy(vendor + 4, &edx, 4);
	memcpy(vendor + 8, &ecx, 4);
	if (!strcmp(vendor, "GenuineIntel"))
		cpu->vendor = PERFCTR_VENDOR_INTEL;
	else if (!strcmp(vendor, "AuthenticAMD") ||
		 !strcmp(vendor, "HygonGenuine"))
		cpu->vendor = PERFCTR_VENDOR_AMD;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
		cpu->family = eax >> 8 & 0xf;
		cpu->model = eax >> 4 & 0xf;
		if (cpu->family == 6 || cpu->family == 0xf)
			cpu->model |= eax >> 12 & 0xf0;
		if (cpu->family == 0xf)
			cpu->family += eax >> 20 & 0xff;
	}

	for (leaf = 0; leaf < 3; leaf++) {
		unsigned int text[4];

		if (!__get_cpuid(0x80000002 + leaf, &text[0], &text[1],
				 &text[2], &text[3]))
			return;
		memcpy(cpu->brand + 16 * leaf, text, 16);
	}
}

/* Which alias codes apply; in order of their time within a vendor. */
enum generation {
	GEN_ANY, /* of that vendor, also unknown */
	INTEL_NEHALEM,
	INTEL_SANDY_BRIDGE, /* to Cascade Lake: the same codes for all below */
	INTEL_ICE_LAKE,     /* and later big cores */
	AMD_ZEN,
};

static enum generation intel_generation(uint32_t model)
{
	static const struct {
		unsigned char model;
		unsigned char generation;
	} models[] = {
		/* Nehalem, Westmere */
		{0x1a, INTEL_NEHALEM},
		{0x1e, INTEL_NEHALEM},
		{0x1f, INTEL_NEHALEM},
		{0x2e, INTEL_NEHALEM},
		{0x25, INTEL_NEHALEM},
		{0x2c, INTEL_NEHALEM},
		{0x2f, INTEL_NEHALEM},
		/* Sandy Bridge, Ivy Bridge */
		{0x2a, INTEL_SANDY_BRIDGE},
		{0x2d, INTEL_SANDY_BRIDGE},
		{0x3a, INTEL_SANDY_BRIDGE},
		{0x3e, INTEL_SANDY_BRIDGE},
		/* Haswell, Broadwell */
		{0x3c, INTEL_SANDY_BRIDGE},
		{0x3f, INTEL_SANDY_BRIDGE},
		{0x45, INTEL_SANDY_BRIDGE},
		{0x46, INTEL_SANDY_BRIDGE},
		{0x3d, INTEL_SANDY_BRIDGE},
		{0x47, INTEL_SANDY_BRIDGE},
		{0x4f, INTEL_SANDY_BRIDGE},
		{0x56, INTEL_SANDY_BRIDGE},
		/* Skylake to Comet Lake, client and server */
		{0x4e, INTEL_SANDY_BRIDGE},
		{0x5e, INTEL_SANDY_BRIDGE},
		{0x55, INTEL_SANDY_BRIDGE},
		{0x8e, INTEL_SANDY_BRIDGE},
		{0x9e, INTEL_SANDY_BRIDGE},
		{0xa5, INTEL_SANDY_BRIDGE},
		{0xa6, INTEL_SANDY_BRIDGE},
		/* Ice Lake, Tiger Lake, Rocket Lake */
		{0x7d, INTEL_ICE_LAKE},
		{0x7e, INTEL_ICE_LAKE},
		{0x6a, INTEL_ICE_LAKE},
		{0x6c, INTEL_ICE_LAKE},
		{0x8c, INTEL_ICE_LAKE},
		{0x8d, INTEL_ICE_LAKE},
		{0xa7, INTEL_ICE_LAKE},
		/* Sapphire Rapids, Emerald Rapids, Granite Rapids */
		{0x8f, INTEL_ICE_LAKE},
		{0xcf, INTEL_ICE_LAKE},
		{0xad, INTEL_ICE_LAKE},
		{0xae, INTEL_ICE_LAKE},
	};
	size_t i;

	for (i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (models[i].model == model)
			return models[i].generation;
	return GEN_ANY;
}

static enum generation cpu_generation(const struct cpu *cpu)
{
	if (cpu->vendor == PERFCTR_VENDOR_INTEL && cpu->family == 6)
		return intel_generation(cpu->model);
	/* Zen 1 to 5, and Hygon's. */
	if (cpu->vendor == PERFCTR_VENDOR_AMD && cpu->family >= 0x17)
		return AMD_ZEN;
	return GEN_ANY;
}

/* ---------------------------------- aliases ------------------------------ */

static const struct alias {
	const char *name;
	const char *description;
	uint32_t vendor;
	enum generation generation; /* GEN_ANY: all of the vendor */
	int arch_event;             /* Intel: must exist; -1: not one of them */
	uint64_t code;              /* unit mask and event */
} aliases[] = {
	{"instructions", "instructions retired", PERFCTR_VENDOR_INTEL, GEN_ANY,
	 1, 0x00c0},
	{"cycles", "core clock cycles while not halted", PERFCTR_VENDOR_INTEL,
	 GEN_ANY, 0, 0x003c},
	/* The fixed counter's; no general counter counts quite the same. */
	{"ref-cycles", "TSC ticks while not halted", PERFCTR_VENDOR_INTEL,
	 GEN_ANY, -1, 0x0300},
	{"branches", "branch instructions retired", PERFCTR_VENDOR_INTEL,
	 GEN_ANY, 5, 0x00c4},
	{"branch-misses", "mispredicted branch instructions retired",
	 PERFCTR_VENDOR_INTEL, GEN_ANY, 6, 0x00c5},
	{"cache-references", "references to the last-level cache",
	 PERFCTR_VENDOR_INTEL, GEN_ANY, 3, 0x4f2e},
	{"cache-misses", "misses of the last-level cache", PERFCTR_VENDOR_INTEL,
	 GEN_ANY, 4, 0x412e},
	/*
	 * Names of libpfm4's, for each model of Intel's, which PAPI's presets
	 * use; but it looks for them in CPUID leaf 0xA, which Xen hides.
	 */
	{"LLC_REFERENCES", "references to the last-level cache",
	 PERFCTR_VENDOR_INTEL, GEN_ANY, 3, 0x4f2e},
	{"LLC_MISSES", "misses of the last-level cache", PERFCTR_VENDOR_INTEL,
	 GEN_ANY, 4, 0x412e},
	{"cond-branches", "conditional branch instructions retired",
	 PERFCTR_VENDOR_INTEL, INTEL_NEHALEM, -1, 0x01c4},
	{"cond-branches", "conditional branch instructions retired",
	 PERFCTR_VENDOR_INTEL, INTEL_SANDY_BRIDGE, -1, 0x01c4},
	{"cond-branches", "conditional branch instructions retired",
	 PERFCTR_VENDOR_INTEL, INTEL_ICE_LAKE, -1, 0x11c4},
	{"loads", "instructions retired that load", PERFCTR_VENDOR_INTEL,
	 INTEL_NEHALEM, -1, 0x010b},
	{"loads", "loads retired", PERFCTR_VENDOR_INTEL, INTEL_SANDY_BRIDGE, -1,
	 0x81d0},
	{"loads", "instructions retired that load", PERFCTR_VENDOR_INTEL,
	 INTEL_ICE_LAKE, -1, 0x81d0},
	{"stores", "instructions retired that store", PERFCTR_VENDOR_INTEL,
	 INTEL_NEHALEM, -1, 0x020b},
	{"stores", "stores retired", PERFCTR_VENDOR_INTEL, INTEL_SANDY_BRIDGE,
	 -1, 0x82d0},
	{"stores", "instructions retired that store", PERFCTR_VENDOR_INTEL,
	 INTEL_ICE_LAKE, -1, 0x82d0},

	{"instructions", "instructions retired", PERFCTR_VENDOR_AMD, GEN_ANY,
	 -1, 0x00c0},
	{"cycles", "core clock cycles while not halted", PERFCTR_VENDOR_AMD,
	 GEN_ANY, -1, 0x0076},
	{"branches", "branch instructions retired", PERFCTR_VENDOR_AMD, GEN_ANY,
	 -1, 0x00c2},
	{"branch-misses", "mispredicted branch instructions retired",
	 PERFCTR_VENDOR_AMD, GEN_ANY, -1, 0x00c3},
	{"cache-references", "requests to the L2 cache", PERFCTR_VENDOR_AMD,
	 AMD_ZEN, -1, 0xff60},
	/* Of instructions, and of loads; others are not misses of a core. */
	{"cache-misses", "misses of the L2 cache", PERFCTR_VENDOR_AMD, AMD_ZEN,
	 -1, 0x0964},
	{"cond-branches", "conditional branch instructions retired",
	 PERFCTR_VENDOR_AMD, AMD_ZEN, -1, 0x00d1},
	{"loads", "loads dispatched", PERFCTR_VENDOR_AMD, AMD_ZEN, -1, 0x0129},
	{"stores", "stores dispatched", PERFCTR_VENDOR_AMD, AMD_ZEN, -1,
	 0x0229},
};

#define NR_ALIASES (sizeof(aliases) / sizeof(aliases[0]))

/* Those in capitals are libpfm4's own, and its where it knows them here. */
static bool left_to_libpfm4(const struct alias *alias)
{
	return isupper((unsigned char)alias->name[0]) &&
	       names_have(alias->name);
}

static bool alias_applies(const struct alias *alias, const struct cpu *cpu,
			  const struct perfctr_dev_info *info)
{
	if (alias->vendor != cpu->vendor)
		return false;
	if (alias->generation != GEN_ANY &&
	    alias->generation != cpu_generation(cpu))
		return false;
	if (left_to_libpfm4(alias))
		return false;
	return alias->arch_event < 0 || !info ||
	       info->arch_events >> alias->arch_event & 1;
}

bool alias_next(unsigned int *i, const struct cpu *cpu,
		const struct perfctr_dev_info *info, const char **name,
		const char **description, uint64_t *code)
{
	for (; *i < NR_ALIASES; (*i)++) {
		const struct alias *alias = &aliases[*i];

		if (!alias_applies(alias, cpu, info))
			continue;
		*name = alias->name;
		*description = alias->description;
		*code = alias->code;
		(*i)++;
		return true;
	}
	return false;
}

/* ------------------------------ near suggestions ------------------------- */

#define NEAR_NAMES 3

struct near {
	const char *wanted;
	size_t length;
	unsigned int nr;
	struct {
		unsigned int distance;
		char name[64];
	} best[NEAR_NAMES];
};

/* Insertions, deletions, replacements and swaps from @a to @b, at most @limit. */
static unsigned int edit_distance(const char *a, size_t a_length, const char *b,
				  unsigned int limit)
{
	unsigned int row[3][65];
	size_t b_length = strlen(b), i, j;

	if (a_length > 64 || b_length > 64 || a_length > b_length + limit ||
	    b_length > a_length + limit)
		return limit + 1;
	for (j = 0; j <= b_length; j++)
		row[0][j] = (unsigned int)j;
	for (i = 1; i <= a_length; i++) {
		unsigned int *now = row[i % 3], *before = row[(i + 2) % 3],
			     *earlier = row[(i + 1) % 3];

		now[0] = (unsigned int)i;
		for (j = 1; j <= b_length; j++) {
			int x = tolower((unsigned char)a[i - 1]);
			int y = tolower((unsigned char)b[j - 1]);
			unsigned int d = before[j - 1] + (x != y);

			if (before[j] + 1 < d)
				d = before[j] + 1;
			if (now[j - 1] + 1 < d)
				d = now[j - 1] + 1;
			if (i > 1 && j > 1 &&
			    x == tolower((unsigned char)b[j - 2]) &&
			    tolower((unsigned char)a[i - 2]) == y &&
			    earlier[j - 2] + 1 < d)
				d = earlier[j - 2] + 1;
			now[j] = d;
		}
	}
	return row[a_length % 3][b_length];
}

static void consider(const char *name, void *data)
{
	struct near *near = data;
	unsigned int limit = 1 + (unsigned int)near->length / 4;
	unsigned int distance =
		edit_distance(near->wanted, near->length, name, limit);
	unsigned int at;

	/* A part of a longer name is as good as a bad typing error. */
	if (distance > limit && near->length >= 4 &&
	    strlen(name) > near->length) {
		size_t i;

		for (i = 0; i + near->length <= strlen(name); i++)
			if (!strncasecmp(name + i, near->wanted, near->length))
				distance = limit;
	}
	if (distance > limit || strlen(name) >= sizeof(near->best[0].name))
		return;
	for (at = 0; at < near->nr; at++)
		if (!strcmp(near->best[at].name, name))
			return;
	for (at = near->nr; at > 0 && near->best[at - 1].distance > distance;
	     at--)
		if (at < NEAR_NAMES)
			near->best[at] = near->best[at - 1];
	if (at == NEAR_NAMES)
		return;
	near->best[at].distance = distance;
	strcpy(near->best[at].name, name);
	if (near->nr < NEAR_NAMES)
		near->nr++;
}

static int unknown_event(const char *text, const struct cpu *cpu,
			 const struct perfctr_dev_info *info,
			 struct message *message)
{
	struct near near = {.wanted = text, .length = strcspn(text, ":.@")};
	char names[3 * 70] = "";
	const char *name, *description;
	unsigned int i = 0, n;
	uint64_t code;

	while (alias_next(&i, cpu, info, &name, &description, &code))
		consider(name, &near);
	names_for_each(consider, &near);
	for (n = 0; n < near.nr; n++) {
		strcat(names, n ? ", " : "");
		strcat(names, near.best[n].name);
	}
	return complain(
		message, "unknown event %s%s%s%s (perfex -l lists all)%s", text,
		near.nr ? "; did you mean " : "", names, near.nr ? "?" : "",
		names_known() ? "" : "; libpfm4 does not know this CPU");
}

/* --------------------------------- the text ------------------------------ */

/* What ":u", ":k", ":h" and the like say. */
struct modes {
	uint64_t evtsel; /* EVTSEL_USR, EVTSEL_OS */
	bool host;
};

/* ":u:k", ":uk" and the like; @modifiers begins with ":" or is empty. */
static int parse_modes(const char *modifiers, struct modes *modes)
{
	memset(modes, 0, sizeof(*modes));
	for (; *modifiers; modifiers++) {
		switch (*modifiers) {
		case ':':
			break;
		case 'u':
			modes->evtsel |= EVTSEL_USR;
			break;
		case 'k':
			modes->evtsel |= EVTSEL_OS;
			break;
		case 'h':
			modes->host = true;
			break;
		default:
			return -1;
		}
	}
	return 0;
}

/*
 * Takes ":h" (or ".h") out of a libpfm4 name: libpfm4 would reject it, or, for
 * AMD, set a bit that is Xen's.
 */
static bool take_host(char *text)
{
	bool host = false;
	char *at = text;

	while (*at) {
		if ((*at == ':' || *at == '.') &&
		    (at[1] == 'h' || at[1] == 'H') && strchr(":.", at[2])) {
			memmove(at, at + 2, strlen(at + 2) + 1);
			host = true;
		} else {
			at++;
		}
	}
	return host;
}

/* "3", "0x40000001", "fixed1" */
static int parse_counter(const char *text, uint32_t *index)
{
	bool fixed = !strncasecmp(text, "fixed", 5);
	unsigned long n;
	char *end;

	if (fixed)
		text += 5;
	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	n = strtoul(text, &end, 0);
	if (*end || errno || n >= NO_COUNTER || (fixed && n > 63))
		return -1;
	*index = (uint32_t)n | (fixed ? PERFCTR_INDEX_FIXED : 0);
	return 0;
}

/*
 * Some of libpfm4's names begin with a digit, too ("32_BYTE_..."): they go on
 * after what could be a number.
 */
static bool looks_like_code(const char *text)
{
	return isdigit((unsigned char)*text) && !strchr(text, '_');
}

static int resolve_code(const char *text, uint64_t *evtsel, bool *host)
{
	unsigned long long low, high = 0;
	struct modes modes;
	char *end;

	errno = 0;
	low = strtoull(text, &end, 16);
	if (errno || end == text)
		return -1;
	if (*end == '/') {
		/* strtoull would take blanks and a sign. */
		if (!isxdigit((unsigned char)end[1]))
			return -1;
		high = strtoull(end + 1, &end, 16);
		if (errno || high > UINT32_MAX || low > UINT32_MAX)
			return -1;
		low |= high << 32;
	}
	if (*end && *end != ':')
		return -1;
	if (parse_modes(end, &modes) < 0)
		return -1;
	if (modes.evtsel || modes.host)
		low = (low & ~(EVTSEL_USR | EVTSEL_OS)) | modes.evtsel;
	*evtsel = low;
	*host = modes.host;
	return 0;
}

/* 0: resolved; 1: not an alias; else as event_resolve() */
static int resolve_alias(const char *text, uint64_t *evtsel, bool *host,
			 const struct cpu *cpu,
			 const struct perfctr_dev_info *info,
			 struct message *message)
{
	size_t length = strcspn(text, ":");
	struct modes modes;
	bool known = false;
	size_t i;

	for (i = 0; i < NR_ALIASES; i++) {
		const struct alias *alias = &aliases[i];

		if (strlen(alias->name) != length ||
		    strncasecmp(alias->name, text, length))
			continue;
		if (left_to_libpfm4(alias))
			continue;
		known = true;
		if (!alias_applies(alias, cpu, info))
			continue;
		if (parse_modes(text + length, &modes) < 0)
			return complain(
				message,
				"event %s: only :u, :k and :h may follow %s",
				text, alias->name);
		*evtsel = alias->code | modes.evtsel;
		*host = modes.host;
		return 0;
	}
	if (!known)
		return 1;
	complain(
		message,
		"event %s is not supported on this CPU (perfex -l lists those that are)",
		text);
	return EVENT_UNSUPPORTED;
}

/*
 * Intel's fixed counters: which one counts the same as this event select?
 * Event 0 with unit mask n + 1 is how fixed counter n is named where no
 * general counter has its event.
 */
static void find_fixed(struct event *event, const struct cpu *cpu)
{
	uint64_t what = event->evtsel & ~(EVTSEL_USR | EVTSEL_OS);

	event->fixed = NO_COUNTER;
	event->fixed_only = false;
	if (cpu->vendor != PERFCTR_VENDOR_INTEL)
		return;
	if (what == 0x00c0)
		event->fixed = PERFCTR_INDEX_FIXED + 0;
	else if (what == 0x003c)
		event->fixed = PERFCTR_INDEX_FIXED + 1;
	else if (!(what & ~0xff00ull) && what >= 0x0100 && what <= 0x1000) {
		event->fixed = PERFCTR_INDEX_FIXED + (uint32_t)(what >> 8) - 1;
		event->fixed_only = true;
	}
}

int event_resolve(struct event *event, const char *text, const struct cpu *cpu,
		  const struct perfctr_dev_info *info, struct message *message)
{
	char what[sizeof(event->name)];
	char *at;
	int error;

	memset(event, 0, sizeof(*event));
	event->pinned = event->index = NO_COUNTER;
	if (strlen(text) >= sizeof(event->name))
		return complain(message, "event %.40s...: too long", text);
	strcpy(event->name, text);
	strcpy(what, text);

	at = strrchr(what, '@');
	if (at) {
		*at = '\0';
		if (parse_counter(at + 1, &event->pinned) < 0)
			return complain(
				message,
				"event %s: %s is not a counter; @0, @1, ... @fixed0, ... are (perfex -i)",
				text, at);
	}

	if (looks_like_code(what)) {
		event->by_code = true;
		if (resolve_code(what, &event->evtsel, &event->host) < 0)
			return complain(
				message,
				"event %s is not a hexadecimal code (like 0x4300C0)",
				text);
		event->evtsel &= ~EVTSEL_EN;
	} else {
		error = resolve_alias(what, &event->evtsel, &event->host, cpu,
				      info, message);
		if (error < 0)
			return error;
		if (error)
			event->host = take_host(what);
		if (error &&
		    names_resolve(what, &event->evtsel, &error, message) < 0)
			return error == ENOENT
				       ? unknown_event(text, cpu, info, message)
				       : -1;
	}
	if (!(event->evtsel & (EVTSEL_USR | EVTSEL_OS)) && !event->host)
		event->evtsel |= EVTSEL_USR;
	find_fixed(event, cpu);
	/* The user's choice of a fixed counter, by a code of mode bits only. */
	if (event->by_code && event->pinned != NO_COUNTER &&
	    event->pinned & PERFCTR_INDEX_FIXED &&
	    !(event->evtsel & ~(EVTSEL_USR | EVTSEL_OS))) {
		event->fixed = event->pinned;
		event->fixed_only = true;
	}
	return 0;
}

/* ":h": Xen's own execution. */
static int check_host(const struct event *event,
		      const struct perfctr_dev_info *info,
		      struct message *message)
{
	uint64_t modes = event->evtsel & (EVTSEL_USR | EVTSEL_OS);

	if (info->features & PERFCTR_FEAT_HOST) {
		if (modes && modes != (EVTSEL_USR | EVTSEL_OS))
			return complain(
				message,
				"event %s: :h goes alone or with both :u and :k",
				event->name);
		return 0;
	}
	complain(
		message,
		"event %s: the host's policy does not let this guest (a %s) count Xen's own execution (:h): that needs level host (xen-perfctr in dom0)",
		event->name, info->guest);
	return EVENT_UNSUPPORTED;
}

int event_check(const struct event *event, const struct perfctr_dev_info *info,
		struct message *message)
{
	uint64_t modes = event->evtsel & (EVTSEL_USR | EVTSEL_OS);
	uint64_t bad = event->evtsel & ~info->evtsel_mask & ~modes;

	if (event->evtsel & EVTSEL_INT)
		return complain(
			message,
			"event %s: bit 20, interrupt on overflow, can't be set: %s",
			event->name, wording.no_interrupt);
	if (bad && !event->fixed_only) {
		complain(
			message,
			"event %s: bits 0x%llx of the event select are not allowed in this guest, or this CPU has none such",
			event->name, (unsigned long long)bad);
		return EVENT_UNSUPPORTED;
	}
	if (event->host)
		return check_host(event, info, message);
	if (modes == EVTSEL_OS && !(info->features & PERFCTR_FEAT_SPLIT)) {
		complain(
			message,
			"event %s: kernel mode alone can't be counted in this guest, whose kernel runs in ring 3 like its programs; count without :k, which includes the kernel",
			event->name);
		return EVENT_UNSUPPORTED;
	}
	return 0;
}
