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

const char *perfctr_strerror(int error)
{
	switch (error) {
	case EPERM:
		return "the host's policy does not give this guest counters: its administrator can (xen-perfctr in dom0; perfctr= in xl.cfg or on Xen's command line)";
	case EACCES:
		return "no permission to open the device, or the host's policy does not let this guest count an event (xen-perfctr in dom0; perfctr_allow= or perfctr_deny= in xl.cfg)";
	case ENODEV:
	case ENOSYS:
		return "this host has no counters for guests: no PMU that Xen can share, or a Xen without perfctr";
	case EBUSY:
		return "the counters are in other use: somebody counts whole CPUs in this guest, or this guest's perf (vpmu=), or the host itself (Xen's command line: watchdog)";
	case EEXIST:
		return "this thread has counters already";
	case ENOBUFS:
		return "the rings for samples need more memory than this user may lock: make them smaller (perfex record --pages), raise the limit (ulimit -l), or be root";
	case EOPNOTSUPP:
		return "this guest can't count in that way (perfex -i says what it can)";
	case EINVAL:
		return "the hypervisor does not accept these events: a code that this CPU does not have, or that guests may not use; or a sampling period that is too short or too long (perfex -i names the limits)";
	case EPROTO:
	case ENOTTY:
		return "the kernel module speaks another version than libperfctr: install module and library of the same release";
	case EIO:
		return "the hypervisor could not continue these counts";
	default:
		return strerrordesc_np(error) ? strerrordesc_np(error)
					      : "unknown error";
	}
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

int perfctr_device_ring(int fd, const struct perfctr_dev_ring *ring)
{
	return ioctl(fd, PERFCTR_IOC_RING, ring) < 0 ? -1 : 0;
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
