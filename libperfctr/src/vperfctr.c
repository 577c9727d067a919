// SPDX-License-Identifier: LGPL-2.1-or-later
/* Handles of the calling thread's counters: their life and their control. */

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

struct vperfctr *vperfctr_open_mode(unsigned int mode)
{
	struct perfctr_dev_info info;
	struct vperfctr *self;
	void *page;
	int fd, error;

	if (mode != 0 && mode != VPERFCTR_OPEN_CREAT_EXCL) {
		errno = EINVAL;
		return NULL;
	}

	self = mmap(NULL, 2 * PERFCTR_PAGE_BYTES, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (self == MAP_FAILED)
		return NULL;

	fd = perfctr_device_open();
	if (fd < 0)
		goto err_unmap;
	if (perfctr_device_info(fd, &info) < 0)
		goto err_close;
	if (ioctl(fd, mode ? PERFCTR_IOC_CREATE : PERFCTR_IOC_OPEN) < 0)
		goto err_close;

	page = mmap(&self->page, PERFCTR_PAGE_BYTES, PROT_READ,
		    MAP_SHARED | MAP_FIXED, fd, 0);
	if (page == MAP_FAILED)
		goto err_unlink;

	self->fd = fd;
	return self;

err_unlink:
	error = errno;
	if (mode)
		ioctl(fd, PERFCTR_IOC_UNLINK);
	errno = error;
err_close:
	perfctr_close_failed(fd);
err_unmap:
	error = errno;
	munmap(self, 2 * PERFCTR_PAGE_BYTES);
	errno = error;
	return NULL;
}

struct vperfctr *vperfctr_open(void)
{
	return vperfctr_open_mode(VPERFCTR_OPEN_CREAT_EXCL);
}

void vperfctr_close(struct vperfctr *self)
{
	if (!self)
		return;
	close(self->fd);
	munmap(self, 2 * PERFCTR_PAGE_BYTES);
}

static int control_by(int fd, const struct vperfctr_control *control)
{
	struct perfctr_dev_control device_control;

	if (perfctr_control_to_device(control, &device_control) < 0)
		return -1;
	return perfctr_device_control(fd, &device_control);
}

int vperfctr_control(const struct vperfctr *self,
		     struct vperfctr_control *control)
{
	return control_by(self->fd, control);
}

int vperfctr_stop(const struct vperfctr *self)
{
	return ioctl(self->fd, PERFCTR_IOC_STOP) < 0 ? -1 : 0;
}

int vperfctr_iresume(const struct vperfctr *self)
{
	return ioctl(self->fd, PERFCTR_IOC_IRESUME) < 0 ? -1 : 0;
}

int vperfctr_unlink(const struct vperfctr *self)
{
	return ioctl(self->fd, PERFCTR_IOC_UNLINK) < 0 ? -1 : 0;
}

int perfctr_sums_from_device(const struct perfctr_dev_sums *from,
			     struct perfctr_sum_ctrs *to)
{
	unsigned int i;

	if (from->nr > PERFCTR_MAX_PMCS) {
		errno = EPROTO;
		return -1;
	}
	to->tsc = from->tsc;
	for (i = 0; i < PERFCTR_MAX_PMCS; i++)
		to->pmc[i] = i < from->nr ? from->pmc[i] : 0;
	return 0;
}

int perfctr_read_state(int fd, struct perfctr_sum_ctrs *sums,
		       struct vperfctr_control *control)
{
	struct perfctr_dev_control device_control;
	struct perfctr_dev_sums device_sums;

	if (control &&
	    (ioctl(fd, PERFCTR_IOC_GET_CONTROL, &device_control) < 0 ||
	     perfctr_control_from_device(&device_control, control) < 0))
		return -1;
	if (sums && (perfctr_device_read(fd, &device_sums) < 0 ||
		     perfctr_sums_from_device(&device_sums, sums) < 0))
		return -1;
	return 0;
}

int vperfctr_read_state(const struct vperfctr *self,
			struct perfctr_sum_ctrs *sums,
			struct vperfctr_control *control)
{
	return perfctr_read_state(self->fd, sums, control);
}

int vperfctr_info(const struct vperfctr *self, struct perfctr_info *info)
{
	return perfctr_info(self->fd, info);
}

struct perfctr_cpus_info *vperfctr_cpus_info(const struct vperfctr *self)
{
	return perfctr_cpus_info(self->fd);
}

/* --------------------------- by a file descriptor ------------------------ */

int _vperfctr_open(int creat)
{
	struct perfctr_dev_info info;
	int fd = perfctr_device_open();

	if (fd < 0)
		return -1;
	if (perfctr_device_info(fd, &info) < 0)
		goto err;
	/*
	 * A thread without counters gets an unbound handle: so clients ask
	 * what counters there are, and create none for it.
	 */
	if (ioctl(fd, creat ? PERFCTR_IOC_CREATE : PERFCTR_IOC_OPEN) < 0 &&
	    (creat || errno != ESRCH))
		goto err;
	return fd;

err:
	perfctr_close_failed(fd);
	return -1;
}

int _vperfctr_control(int fd, const struct vperfctr_control *control)
{
	return control_by(fd, control);
}

int _vperfctr_read_control(int fd, struct vperfctr_control *control)
{
	return perfctr_read_state(fd, NULL, control);
}

int _vperfctr_read_sum(int fd, struct perfctr_sum_ctrs *sums)
{
	return perfctr_read_state(fd, sums, NULL);
}
