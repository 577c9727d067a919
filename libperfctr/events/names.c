// SPDX-License-Identifier: LGPL-2.1-or-later
/* libpfm4's event names. */

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include <perfmon/pfmlib.h>

#include "resolve.h"

/*
 * libpfm4 is made ready when the first name needs it: that takes a while, and
 * makes the process larger, which fork() then has to copy.
 */
static uint32_t cpu_vendor;
static bool prepared, ready;

/* To ask all of libpfm4's some 400 PMUs each time takes longer than the rest. */
static pfm_pmu_t present[16];
static unsigned int nr_present;

/* A PMU of the core (no uncore, no kernel's software events) that is here. */
static bool core_pmu(pfm_pmu_t pmu, pfm_pmu_info_t *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return pfm_get_pmu_info(pmu, info) == PFM_SUCCESS && info->is_present &&
	       info->type == PFM_PMU_TYPE_CORE;
}

/* Which are here; those of one machine's cores are few. */
static void find_present(void)
{
	const unsigned int most = sizeof(present) / sizeof(present[0]);
	pfm_pmu_info_t info;
	int pmu;

	nr_present = 0;
	for (pmu = 0; pmu < PFM_PMU_MAX && nr_present < most; pmu++)
		if (core_pmu(pmu, &info))
			present[nr_present++] = pmu;
}

void names_initialize(uint32_t vendor)
{
	cpu_vendor = vendor;
}

static bool start_libpfm4(void)
{
	bool started = pfm_initialize() == PFM_SUCCESS;

	nr_present = 0;
	if (started)
		find_present();
	return started;
}

static void prepare(void)
{
	if (prepared)
		return;
	prepared = true;
	ready = start_libpfm4();
	/*
	 * A model that libpfm4 does not know, in a guest that does not show
	 * CPUID leaf 0xA: Intel's architectural events are there all the same.
	 */
	if (wording.alone && ready && cpu_vendor == PERFCTR_VENDOR_INTEL &&
	    !nr_present && !getenv("LIBPFM_FORCE_PMU")) {
		pfm_terminate();
		setenv("LIBPFM_FORCE_PMU", "ix86arch", 1);
		ready = start_libpfm4();
		/* It is not for the command to see. */
		unsetenv("LIBPFM_FORCE_PMU");
	}
}

bool names_known(void)
{
	prepare();
	return ready && nr_present;
}

/* The @i-th PMU that is here; false: no more. */
static bool next_pmu(unsigned int i, pfm_pmu_info_t *info)
{
	return i < nr_present && core_pmu(present[i], info);
}

static bool event_info(int event, pfm_event_info_t *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return pfm_get_event_info(event, PFM_OS_NONE, info) == PFM_SUCCESS;
}

static bool attribute_info(int event, int i, pfm_event_attr_info_t *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return pfm_get_event_attr_info(event, i, PFM_OS_NONE, info) ==
	       PFM_SUCCESS;
}

void names_for_each(void (*visit)(const char *name, void *data), void *data)
{
	pfm_pmu_info_t pmu_info;
	pfm_event_info_t info;
	unsigned int i;
	int event;

	if (!names_known())
		return;
	for (i = 0; next_pmu(i, &pmu_info); i++) {
		for (event = pmu_info.first_event; event != -1;
		     event = pfm_get_event_next(event))
			if (event_info(event, &info))
				visit(info.name, data);
	}
}

/* One event, and what its unit masks make of it. */
static int visit_event(int event,
		       int (*visit)(const char *name, const char *description,
				    void *data),
		       void *data)
{
	pfm_event_attr_info_t attribute;
	pfm_event_info_t info;
	char name[256];
	int i, result;

	if (!event_info(event, &info))
		return 0;
	result = visit(info.name, info.desc, data);
	for (i = 0; !result && i < info.nattrs; i++) {
		if (!attribute_info(event, i, &attribute) ||
		    attribute.type != PFM_ATTR_UMASK)
			continue;
		snprintf(name, sizeof(name), "%s:%s", info.name,
			 attribute.name);
		result = visit(name, attribute.desc, data);
	}
	return result;
}

int names_visit(int (*visit)(const char *name, const char *description,
			     void *data),
		void *data)
{
	pfm_pmu_info_t info;
	int event, result = 0;
	unsigned int i;

	if (!names_known())
		return 0;
	for (i = 0; !result && next_pmu(i, &info); i++)
		for (event = info.first_event; !result && event != -1;
		     event = pfm_get_event_next(event))
			result = visit_event(event, visit, data);
	return result;
}

const char *names_pmu(void)
{
	const char *name = NULL;
	pfm_pmu_info_t info;
	unsigned int i;

	if (!names_known())
		return NULL;
	/* The last one: what all of a vendor's have comes before its models'. */
	for (i = 0; next_pmu(i, &info); i++)
		if (!name || strcmp(info.name, "ix86arch"))
			name = info.name;
	return name;
}

/* The event @text names before its attributes, on a core PMU; or -1. */
static int find_event(const char *text)
{
	const char *separator = strstr(text, "::");
	const char *name = separator ? separator + 2 : text;
	size_t length = strcspn(name, ":."); /* libpfm4 takes both */
	pfm_pmu_info_t pmu_info;
	pfm_event_info_t info;
	unsigned int i;
	int event;

	for (i = 0; next_pmu(i, &pmu_info); i++) {
		for (event = pmu_info.first_event; event != -1;
		     event = pfm_get_event_next(event))
			if (event_info(event, &info) &&
			    strlen(info.name) == length &&
			    !strncasecmp(info.name, name, length))
				return event;
	}
	return -1;
}

bool names_have(const char *name)
{
	return names_known() && find_event(name) >= 0;
}

/* Its unit masks, as far as there is room: "A, B, C" */
static void unit_masks(int event, char *list, size_t size)
{
	pfm_event_attr_info_t attribute;
	pfm_event_info_t info;
	int i;

	*list = '\0';
	if (!event_info(event, &info))
		return;
	for (i = 0; i < info.nattrs; i++) {
		size_t used = strlen(list);

		if (!attribute_info(event, i, &attribute) ||
		    attribute.type != PFM_ATTR_UMASK)
			continue;
		if (used + strlen(attribute.name) + 8 > size) {
			strcpy(list + used, ", ...");
			return;
		}
		snprintf(list + used, size - used, "%s%s", used ? ", " : "",
			 attribute.name);
	}
}

int names_resolve(const char *text, uint64_t *evtsel, int *error,
		  struct message *message)
{
	pfm_pmu_encode_arg_t encoding = {.size = sizeof(encoding)};
	pfm_event_info_t info;
	pfm_pmu_info_t pmu_info;
	char masks[600];
	int result, event;

	event = names_known() ? find_event(text) : -1;
	if (event < 0) {
		*error = ENOENT;
		return -1;
	}
	*error = EINVAL;
	result = pfm_get_os_event_encoding(text, 0, PFM_OS_NONE, &encoding);
	if (result != PFM_SUCCESS) {
		unit_masks(event, masks, sizeof(masks));
		return complain(message, "event %s: %s%s%s", text,
				pfm_strerror(result),
				*masks ? "; unit masks are " : "", masks);
	}
	result = 0;
	if (!event_info(encoding.idx, &info) || !core_pmu(info.pmu, &pmu_info))
		result = complain(message, "event %s is not one of the core",
				  text);
	else if (encoding.count != 1)
		result = complain(
			message,
			"event %s needs a register beside the counter, which Xen does not give to guests",
			text);
	else
		*evtsel = encoding.codes[0] & ~(EVTSEL_EN | EVTSEL_INT);
	free(encoding.codes);
	return result;
}

/* To the width of a terminal: @indent, then words. */
static void print_folded(FILE *stream, unsigned int indent, const char *text)
{
	const unsigned int width = 79;
	unsigned int column = 0;

	while (*text) {
		size_t length = strcspn(text, " \n\t");

		if (!length) {
			text++;
			continue;
		}
		if (column && column + 1 + length > width) {
			fputc('\n', stream);
			column = 0;
		}
		if (column)
			column += (unsigned int)fprintf(stream, " %.*s",
							(int)length, text);
		else
			column = (unsigned int)fprintf(stream, "%*s%.*s",
						       (int)indent, "",
						       (int)length, text);
		text += length;
	}
	fputc('\n', stream);
}

bool name_matches(const char *name, const char *pattern)
{
	if (!pattern)
		return true;
	if (strpbrk(pattern, "*?["))
		return !fnmatch(pattern, name, FNM_CASEFOLD);
	return strcasestr(name, pattern);
}

/* Does the event's name match, or one of its unit masks'? */
static bool event_matches(const pfm_event_info_t *info, int event,
			  const char *pattern)
{
	pfm_event_attr_info_t attribute;
	char name[256];
	int i;

	if (name_matches(info->name, pattern))
		return true;
	for (i = 0; i < info->nattrs; i++) {
		if (!attribute_info(event, i, &attribute) ||
		    attribute.type != PFM_ATTR_UMASK)
			continue;
		snprintf(name, sizeof(name), "%s:%s", info->name,
			 attribute.name);
		if (name_matches(name, pattern))
			return true;
	}
	return false;
}

/* With all of its unit masks, if it matches. */
static unsigned int list_event(FILE *stream, int event, const char *pattern,
			       bool head, const char *pmu)
{
	pfm_event_attr_info_t attribute;
	pfm_event_info_t info;
	int i;

	if (!event_info(event, &info) || !event_matches(&info, event, pattern))
		return 0;
	if (head)
		fprintf(stream, "\nNames of libpfm4 for this CPU (%s):\n", pmu);
	fprintf(stream, "\n  %s\n", info.name);
	print_folded(stream, 6, info.desc);
	for (i = 0; i < info.nattrs; i++) {
		if (!attribute_info(event, i, &attribute) ||
		    attribute.type != PFM_ATTR_UMASK)
			continue;
		fprintf(stream, "    %s:%s\n", info.name, attribute.name);
		print_folded(stream, 10, attribute.desc);
	}
	return 1;
}

static unsigned int list_pmu(FILE *stream, const pfm_pmu_info_t *info,
			     const char *pattern)
{
	unsigned int nr = 0;
	int event;

	for (event = info->first_event; event != -1;
	     event = pfm_get_event_next(event))
		nr += list_event(stream, event, pattern, !nr, info->desc);
	return nr;
}

unsigned int names_list(FILE *stream, const char *pattern)
{
	pfm_pmu_info_t pmu_info;
	unsigned int nr = 0, i;

	if (!names_known()) {
		if (!pattern)
			fputs("\nlibpfm4 does not know this CPU: no names beyond those above.\n",
			      stream);
		return 0;
	}
	for (i = 0; next_pmu(i, &pmu_info); i++)
		nr += list_pmu(stream, &pmu_info, pattern);
	return nr;
}
