// SPDX-License-Identifier: LGPL-2.1-or-later
/* /dev/perfctr: every system call of the library but the read path's last resort. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

const char *perfctr_device_path(void)
{
	const char *path = secure_getenv(PERFCTR_DEVICE_ENV);

	return path && *path ? path : PERFCTR_DEVICE;
}

int perfctr_device_open(void)
{
	return open(perfctr_device_path(), O_RDWR | O_CLOEXEC);
}

void perfctr_close_failed(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

int perfctr_device_info(int fd, struct perfctr_dev_info *info)
{
	if (ioctl(fd, PERFCTR_IOC_INFO, info) < 0)
		return -1;
	if (info->version != PERFCTR_ABI_VERSION_DEV) {
		errno = EPROTO;
		return -1;
	}
	/* The kernel terminates them; a string function need not trust that. */
	info->driver_version[sizeof(info->driver_version) - 1] = '\0';
	info->guest[sizeof(info->guest) - 1] = '\0';
	info->hypervisor[sizeof(info->hypervisor) - 1] = '\0';
	return 0;
}

int perfctr_device_create(int fd)
{
	return ioctl(fd, PERFCTR_IOC_CREATE) < 0 ? -1 : 0;
}

int perfctr_device_control(int fd, const struct perfctr_dev_control *control)
{
	return ioctl(fd, PERFCTR_IOC_CONTROL, control) < 0 ? -1 : 0;
}

int perfctr_device_read(int fd, struct perfctr_dev_sums *sums)
{
	return ioctl(fd, PERFCTR_IOC_READ, sums) < 0 ? -1 : 0;
}

int perfctr_device_read_group(int fd, struct perfctr_dev_group *group)
{
	return ioctl(fd, PERFCTR_IOC_READ_GROUP, group) < 0 ? -1 : 0;
}

int perfctr_device_next_record(int fd, struct perfctr_dev_record *record)
{
	if (ioctl(fd, PERFCTR_IOC_NEXT_RECORD, record) < 0)
		return -1;
	record->comm[sizeof(record->comm) - 1] = '\0';
	return 0;
}

int perfctr_device_errno(int32_t error)
{
	return error < 0 ? -error : EIO;
}

int perfctr_device_end(const struct perfctr_dev_sums *sums)
{
	if (!(sums->status & PERFCTR_STATUS_ERROR))
		return 0;
	errno = perfctr_device_errno(sums->error);
	return -1;
}
