/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's processor, of which libpfm4 knows the events. */
#ifndef TESTS_SKYLAKE_H
#define TESTS_SKYLAKE_H

#include <string.h>

#include "perfex.h"

static inline void set_skylake(struct cpu *cpu, struct perfctr_dev_info *info)
{
	*cpu = (struct cpu){
		.vendor = PERFCTR_VENDOR_INTEL, .family = 6, .model = 94};
	memset(info, 0, sizeof(*info));
	info->vendor = cpu->vendor;
	info->general = 0xf;
	info->fixed = 0x7;
	info->evtsel_mask = 0xff87ffff;
	info->arch_events = 0x7f;
}

#endif /* TESTS_SKYLAKE_H */
