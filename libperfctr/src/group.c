// SPDX-License-Identifier: LGPL-2.1-or-later
/* What perfctr 2.6 had not: slots, inheritance, Xen's own execution. */

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

int vperfctr_control_group(const struct vperfctr *self,
			   const struct vperfctr_group_control *group)
{
	struct perfctr_dev_control control;

	if (perfctr_group_control_to_device(group, &control) < 0)
		return -1;
	return perfctr_device_control(self->fd, &control);
}

static int sums_from_device(const struct perfctr_dev_sums *from,
			    struct vperfctr_sums *to)
{
	unsigned int i;

	if (from->nr > PERFCTR_MAX_PMCS) {
		errno = EPROTO;
		return -1;
	}
	memset(to, 0, sizeof(*to));
	to->tsc = from->tsc;
	to->stolen = from->stolen;
	to->nr = from->nr;
	for (i = 0; i < from->nr; i++) {
		to->pmc[i] = from->pmc[i];
		to->loaded[i] = from->loaded[i];
	}
	return 0;
}

int vperfctr_read_sums(const struct vperfctr *self, struct vperfctr_sums *sums)
{
	struct perfctr_dev_sums device_sums;

	if (perfctr_device_read(self->fd, &device_sums) < 0 ||
	    sums_from_device(&device_sums, sums) < 0)
		return -1;
	return perfctr_device_end(&device_sums);
}

int vperfctr_read_group(const struct vperfctr *self,
			struct vperfctr_group_sums *sums)
{
	struct perfctr_dev_group group;

	if (perfctr_device_read_group(self->fd, &group) < 0)
		return -1;
	memset(sums, 0, sizeof(*sums));
	if (sums_from_device(&group.sums, &sums->sums) < 0)
		return -1;
	sums->live = group.live;
	sums->ended = group.ended;
	sums->errors = group.errors;
	sums->refused = group.refused;
	sums->lost = group.lost;
	sums->error = group.sums.status & PERFCTR_STATUS_ERROR
			      ? perfctr_device_errno(group.sums.error)
			      : 0;
	return 0;
}
