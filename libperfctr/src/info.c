// SPDX-License-Identifier: LGPL-2.1-or-later
/* What counters there are, in the historical terms. */

#include <string.h>

#include "internal.h"

_Static_assert(sizeof(((struct perfctr_info *)0)->driver_version) ==
		       sizeof(((struct perfctr_dev_info *)0)->driver_version),
	       "copied whole");

int perfctr_info(int fd, struct perfctr_info *info)
{
	struct perfctr_dev_info device_info;

	if (perfctr_device_info(fd, &device_info) < 0)
		return -1;

	memset(info, 0, sizeof(*info));
	info->abi_version = PERFCTR_ABI_VERSION;
	memcpy(info->driver_version, device_info.driver_version,
	       sizeof(info->driver_version));
	switch (device_info.vendor) {
	case PERFCTR_VENDOR_INTEL:
		info->cpu_type = PERFCTR_X86_INTEL_ARCH;
		break;
	case PERFCTR_VENDOR_AMD:
		info->cpu_type = PERFCTR_X86_AMD_CORE;
		break;
	default:
		info->cpu_type = PERFCTR_X86_GENERIC;
		break;
	}
	info->cpu_features = PERFCTR_FEATURE_RDPMC | PERFCTR_FEATURE_RDTSC;
	info->cpu_khz = device_info.tsc_khz;
	info->tsc_to_cpu_mult = 1;
	info->_nr_general =
		(unsigned int)__builtin_popcountll(device_info.general);
	info->_nr_fixed = (unsigned int)__builtin_popcountll(device_info.fixed);
	return 0;
}

unsigned int perfctr_info_nrctrs(const struct perfctr_info *info)
{
	return info->_nr_general + info->_nr_fixed;
}

const char *perfctr_info_cpu_name(const struct perfctr_info *info)
{
	switch (info->cpu_type) {
	case PERFCTR_X86_GENERIC:
		return "Generic x86 with TSC";
	case PERFCTR_X86_INTEL_ARCH:
		return "Intel with architectural performance monitoring";
	case PERFCTR_X86_AMD_CORE:
		return "AMD with core performance counters";
	default:
		return "unknown CPU type";
	}
}
