// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Controls of the library to the device's and back.  Here is checked only what
 * the translation would lose; the rest is the kernel's and Xen's to judge,
 * which know the CPU.
 */

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "internal.h"

#define LENGTH(array) (sizeof(array) / sizeof(*(array)))

static int fail_with(int error)
{
	errno = error;
	return -1;
}

/*
 * Enabling and interrupting is Xen's business, so the device has no such bits.
 * The historical entry has: the latter exactly if it is an i-mode one.
 */
static inline bool entry_to_device(const struct perfctr_cpu_control *from,
				   struct perfctr_dev_control *to,
				   unsigned int i, uint32_t interrupts)
{
	const uint32_t bits = PERFCTR_EVNTSEL_EN | PERFCTR_EVNTSEL_INT;
	struct perfctr_dev_counter *counter = &to->counter[i];

	if ((from->evntsel[i] & bits) != (PERFCTR_EVNTSEL_EN | interrupts))
		return false;
	counter->index = from->pmc_map[i];
	counter->flags = 0;
	/* Historically, that of an a-mode entry means nothing. */
	counter->ireset = interrupts ? from->ireset[i] : 0;
	counter->evtsel = (uint64_t)from->evntsel_high[i] << 32 |
			  (from->evntsel[i] & ~bits);
	return true;
}

int perfctr_cpu_control_to_device(const struct perfctr_cpu_control *from,
				  struct perfctr_dev_control *to)
{
	unsigned int i;

	if (from->nractrs > PERFCTR_MAX_PMCS ||
	    from->nrictrs > PERFCTR_MAX_PMCS - from->nractrs)
		return fail_with(EINVAL);
	/* MSRs beside a counter. */
	if (from->nhlm.offcore_rsp[0] || from->nhlm.offcore_rsp[1])
		return fail_with(EOPNOTSUPP);

	/* Nobody looks behind the counters that there are. */
	memset(to, 0, offsetof(struct perfctr_dev_control, counter));
	to->nr = from->nractrs + from->nrictrs;
	if (from->tsc_on)
		to->flags |= PERFCTR_CTL_TSC_ON;

	for (i = 0; i < from->nractrs; i++)
		if (!entry_to_device(from, to, i, 0))
			return fail_with(EINVAL);
	for (; i < to->nr; i++)
		if (!entry_to_device(from, to, i, PERFCTR_EVNTSEL_INT))
			return fail_with(EINVAL);
	return 0;
}

/* Has each i-mode entry a period, and not one that would be none? */
static inline bool periods_are_there(const struct perfctr_cpu_control *from,
				     const struct perfctr_dev_control *to)
{
	unsigned int i;

	for (i = from->nractrs; i < to->nr; i++)
		if (to->counter[i].ireset >= 0)
			return false;
	return true;
}

/* All of struct vperfctr_control but the periods' presence. */
static inline __attribute__((always_inline)) int
translate(const struct vperfctr_control *from, struct perfctr_dev_control *to)
{
	if (from->flags & ~(unsigned int)VPERFCTR_CONTROL_CLOEXEC)
		return fail_with(EINVAL);
	if (perfctr_cpu_control_to_device(&from->cpu_control, to) < 0)
		return -1;
	/* Historically, bits of entries that there are not mean nothing. */
	to->preserve = from->preserve & ((UINT64_C(1) << to->nr) - 1);
	if (from->flags & VPERFCTR_CONTROL_CLOEXEC)
		to->flags |= PERFCTR_CTL_CLOEXEC;
	/* Nor does the signal, where nothing overflows. */
	if (from->cpu_control.nrictrs)
		to->si_signo = (uint32_t)from->si_signo;
	return 0;
}

int perfctr_control_to_device(const struct vperfctr_control *from,
			      struct perfctr_dev_control *to)
{
	if (translate(from, to) < 0)
		return -1;
	return periods_are_there(&from->cpu_control, to) ? 0
							 : fail_with(EINVAL);
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
	if (translate(&from->control, to) < 0)
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
	for (i = 0; i < LENGTH(from->period); i++) {
		if (!from->period[i])
			continue;
		if (i < from->control.cpu_control.nractrs || i >= to->nr ||
		    to->counter[i].ireset || from->period[i] > INT64_MAX)
			return fail_with(EINVAL);
		to->counter[i].ireset = -(int64_t)from->period[i];
	}
	return periods_are_there(&from->control.cpu_control, to)
		       ? 0
		       : fail_with(EINVAL);
}

int perfctr_control_from_device(const struct perfctr_dev_control *from,
				struct vperfctr_control *to)
{
	struct perfctr_cpu_control *cpu = &to->cpu_control;
	unsigned int i;

	if (from->nr > PERFCTR_MAX_PMCS)
		return fail_with(EPROTO);

	memset(to, 0, sizeof(*to));
	to->si_signo = (int)from->si_signo;
	cpu->tsc_on = !!(from->flags & PERFCTR_CTL_TSC_ON);
	if (from->flags & PERFCTR_CTL_CLOEXEC)
		to->flags |= VPERFCTR_CONTROL_CLOEXEC;

	for (i = 0; i < from->nr; i++) {
		/* A slot, Xen's share: this structure has no word for them. */
		if (from->counter[i].flags)
			return fail_with(EPROTO);
		/* Nor for a long period, or a-mode entries after i-mode ones. */
		if (from->counter[i].ireset < INT_MIN ||
		    (!from->counter[i].ireset && cpu->nrictrs))
			return fail_with(EPROTO);
		cpu->pmc_map[i] = from->counter[i].index;
		cpu->evntsel[i] =
			(uint32_t)from->counter[i].evtsel | PERFCTR_EVNTSEL_EN;
		cpu->evntsel_high[i] = from->counter[i].evtsel >> 32;
		cpu->ireset[i] = (int)from->counter[i].ireset;
		if (cpu->ireset[i]) {
			cpu->evntsel[i] |= PERFCTR_EVNTSEL_INT;
			cpu->nrictrs++;
		} else {
			cpu->nractrs++;
		}
	}
	return 0;
}
