// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The historical control to the device's and back.  Here is checked only what
 * the translation would lose; the rest is the kernel's and Xen's to judge,
 * which know the CPU.
 */

#include <errno.h>
#include <string.h>

#include "internal.h"

int perfctr_control_to_device(const struct vperfctr_control *from,
			      struct perfctr_dev_control *to)
{
	const struct perfctr_cpu_control *cpu = &from->cpu_control;
	unsigned int i;

	if (cpu->nractrs > PERFCTR_MAX_PMCS ||
	    cpu->nrictrs > PERFCTR_MAX_PMCS - cpu->nractrs ||
	    from->flags & ~(unsigned int)VPERFCTR_CONTROL_CLOEXEC) {
		errno = EINVAL;
		return -1;
	}
	/* i-mode comes with sampling.  The last two: MSRs beside a counter. */
	if (cpu->nrictrs || cpu->nhlm.offcore_rsp[0] ||
	    cpu->nhlm.offcore_rsp[1]) {
		errno = EOPNOTSUPP;
		return -1;
	}

	memset(to, 0, sizeof(*to));
	to->nr = cpu->nractrs;
	/* Historically, bits of entries that there are not mean nothing. */
	to->preserve = from->preserve & ((UINT64_C(1) << cpu->nractrs) - 1);
	if (cpu->tsc_on)
		to->flags |= PERFCTR_CTL_TSC_ON;
	if (from->flags & VPERFCTR_CONTROL_CLOEXEC)
		to->flags |= PERFCTR_CTL_CLOEXEC;

	for (i = 0; i < cpu->nractrs; i++) {
		if (!(cpu->evntsel[i] & PERFCTR_EVNTSEL_EN) ||
		    cpu->evntsel[i] & PERFCTR_EVNTSEL_INT) {
			errno = EINVAL;
			return -1;
		}
		to->counter[i].index = cpu->pmc_map[i];
		/* Enabling is Xen's business, so the device has no such bit. */
		to->counter[i].evtsel = (uint64_t)cpu->evntsel_high[i] << 32 |
					(cpu->evntsel[i] & ~PERFCTR_EVNTSEL_EN);
	}
	return 0;
}

int perfctr_control_from_device(const struct perfctr_dev_control *from,
				struct vperfctr_control *to)
{
	struct perfctr_cpu_control *cpu = &to->cpu_control;
	unsigned int i;

	if (from->nr > PERFCTR_MAX_PMCS) {
		errno = EPROTO;
		return -1;
	}

	memset(to, 0, sizeof(*to));
	cpu->nractrs = from->nr;
	cpu->tsc_on = !!(from->flags & PERFCTR_CTL_TSC_ON);
	if (from->flags & PERFCTR_CTL_CLOEXEC)
		to->flags |= VPERFCTR_CONTROL_CLOEXEC;

	for (i = 0; i < from->nr; i++) {
		cpu->pmc_map[i] = from->counter[i].index;
		cpu->evntsel[i] =
			(uint32_t)from->counter[i].evtsel | PERFCTR_EVNTSEL_EN;
		cpu->evntsel_high[i] = from->counter[i].evtsel >> 32;
	}
	return 0;
}
