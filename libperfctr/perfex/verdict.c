// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What perfex selftest has found: from an error, from the kernel's log, from
 * two counts.
 */

#include <errno.h>
#include <string.h>

#include "perfex.h"

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_RIGHT] = "right",
		[VERDICT_MODULE_ABSENT] = "module absent",
		[VERDICT_NO_PERMISSION] = "no permission",
		[VERDICT_NOT_XEN] = "not a Xen guest",
		[VERDICT_HYPERVISOR] = "hypervisor without perfctr",
		[VERDICT_POLICY] = "denied by policy",
		[VERDICT_NO_PMU] = "no counters on this host",
		[VERDICT_BUSY] = "counters in other use",
		[VERDICT_DEAD] = "counter dead",
		[VERDICT_WRONG] = "count wrong",
		[VERDICT_OTHER] = "can't count",
	};

	return names[verdict];
}

enum verdict verdict_of_error(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return VERDICT_POLICY;
	case ENOSYS:
		return VERDICT_HYPERVISOR;
	case ENODEV:
	case EOPNOTSUPP:
		return VERDICT_NO_PMU;
	case EBUSY:
		return VERDICT_BUSY;
	default:
		return VERDICT_OTHER;
	}
}

/*
 * Why the module did not load, by the last that it said; VERDICT_MODULE_ABSENT
 * if it did not say anything of that, or has been there since.
 */
enum verdict verdict_of_log(const char *log)
{
	static const struct {
		const char *text;
		enum verdict verdict;
	} sayings[] = {
		{"perfctr: this Xen has no perfctr", VERDICT_HYPERVISOR},
		{"perfctr: the host's policy does not give", VERDICT_POLICY},
		{"perfctr: this kernel does not run on Xen", VERDICT_NOT_XEN},
		{"perfctr: Xen finds no PMU", VERDICT_NO_PMU},
		{"perfctr: this host can't give counters", VERDICT_NO_PMU},
		{"perfctr: the PMU is in other use", VERDICT_BUSY},
		{"perfctr: Xen speaks another version", VERDICT_OTHER},
		{"perfctr: Xen refuses counters", VERDICT_OTHER},
		/* "PV dom0 on Xen 4.17: 4 general counters ..." */
		{" general counters of ", VERDICT_MODULE_ABSENT},
	};
	enum verdict verdict = VERDICT_MODULE_ABSENT;
	const char *last = NULL, *at;
	size_t i;

	for (i = 0; i < sizeof(sayings) / sizeof(*sayings); i++)
		for (at = log; (at = strstr(at, sayings[i].text)); at++)
			if (!last || at > last) {
				last = at;
				verdict = sayings[i].verdict;
			}
	return verdict;
}

enum verdict verdict_of_counts(uint64_t few, uint64_t many, uint64_t expected)
{
	if (many == few)
		return VERDICT_DEAD;
	return !expected || many - few == expected ? VERDICT_RIGHT
						   : VERDICT_WRONG;
}
