// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Controls of the library to the device's and back.  Here is checked only what
 * the translation would lose; the rest is the kernel's and Xen's to judge,
 * which know the CPU.
 */

#include <errno.h>
#include <string.h>

#include "internal.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static int fail_with(int error)
{
	errno = error;
	return -1;
}

int perfctr_cpu_control_to_device(const struct perfctr_cpu_control *from,
				  struct perfctr_dev_control *to)
{
	unsigned int i;

	if (from->nractrs > PERFCTR_MAX_PMCS ||
	    from->nrictrs > PERFCTR_MAX_PMCS - from->nractrs)
		return fail_with(EINVAL);
	/* i-mode comes with sampling.  The last two: MSRs beside a counter. */
	if (from->nrictrs || from->nhlm.offcore_rsp[0] ||
	    from->nhlm.offcore_rsp[1])
		return fail_with(EOPNOTSUPP);

	/* Nobody looks behind the counters that there are. */
	memset(to, 0, offsetof(struct perfctr_dev_control, counter));
	to->nr = from->nractrs;
	if (from->tsc_on)
		to->flags |= PERFCTR_CTL_TSC_ON;

	for (i = 0; i < from->nractrs; i++) {
		if (!(from->evntsel[i] & PERFCTR_EVNTSEL_EN) ||
		    from->evntsel[i] & PERFCTR_EVNTSEL_INT)
			return fail_with(EINVAL);
		to->counter[i].index = from->pmc_map[i];
		to->counter[i].flags = 0;
		to->counter[i].ireset = 0;
		/* Enabling is Xen's business, so the device has no such bit. */
		to->counter[i].evtsel =
			(uint64_t)from->evntsel_high[i] << 32 |
			(from->evntsel[i] & ~PERFCTR_EVNTSEL_EN);
	}
	return 0;
}

int perfctr_control_to_device(const struct vperfctr_control *from,
			      struct perfctr_dev_control *to)
{
	if (from->flags & ~(unsigned int)VPERFCTR_CONTROL_CLOEXEC)
		return fail_with(EINVAL);
	if (perfctr_cpu_control_to_device(&from->cpu_control, to) < 0)
		return -1;
	/* Historically, bits of entries that there are not mean nothing. */
	to->preserve = from->preserve & ((UINT64_C(1) << to->nr) - 1);
	if (from->flags & VPERFCTR_CONTROL_CLOEXEC)
		to->flags |= PERFCTR_CTL_CLOEXEC;
	return 0;
}

int perfctr_group_control_to_device(const struct vperfctr_group_control *from,
				    struct perfctr_dev_control *to)
{
	unsigned int i;

	if (from->flags & ~(unsigned int)VPERFCTR_GROUP_INHERIT)
		return fail_with(EINVAL);
	for (i = 0; i < LENGTH(from->_reserved); i++)
		if (from->_reserved[i])
			return fail_with(EINVAL);
	if (perfctr_control_to_device(&from->control, to) < 0)
		return -1;

	if (from->flags & VPERFCTR_GROUP_INHERIT)
		to->flags |= PERFCTR_CTL_INHERIT;
	to->slice_us = from->slice_us;
	/* What an entry that there is not has to say is an error here. */
	if (from->host >> to->nr)
		return fail_with(EINVAL);
	for (i = 0; i < LENGTH(from->slot); i++) {
		if (from->slot[i] >= (i < to->nr ? PERFCTR_MAX_SLOTS : 1))
			return fail_with(EINVAL);
		if (i >= to->nr)
			continue;
		to->counter[i].flags = PERFCTR_COUNTER_SLOT(from->slot[i]);
		if (from->host >> i & 1)
			to->counter[i].flags |= PERFCTR_COUNTER_HOST;
	}
	return 0;
}

int perfctr_control_from_device(const struct perfctr_dev_control *from,
				struct vperfctr_control *to)
{
	struct perfctr_cpu_control *cpu = &to->cpu_control;
	unsigned int i;

	if (from->nr > PERFCTR_MAX_PMCS)
		return fail_with(EPROTO);

	memset(to, 0, sizeof(*to));
	cpu->nractrs = from->nr;
	cpu->tsc_on = !!(from->flags & PERFCTR_CTL_TSC_ON);
	if (from->flags & PERFCTR_CTL_CLOEXEC)
		to->flags |= VPERFCTR_CONTROL_CLOEXEC;

	for (i = 0; i < from->nr; i++) {
		/* A slot, Xen's share: this structure has no word for them. */
		if (from->counter[i].flags)
			return fail_with(EPROTO);
		cpu->pmc_map[i] = from->counter[i].index;
		cpu->evntsel[i] =
			(uint32_t)from->counter[i].evtsel | PERFCTR_EVNTSEL_EN;
		cpu->evntsel_high[i] = from->counter[i].evtsel >> 32;
	}
	return 0;
}
