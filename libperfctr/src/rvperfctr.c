// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Another thread's counters.  Whoever may have them is whom the kernel lets
 * open /proc/TID/mem: its rules are ptrace's, and the file that comes of it is
 * tied to that address space, whatever the number means later.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "internal.h"

struct rvperfctr {
	int fd;
	int pid;
};

static int open_memory(int pid)
{
	char path[32];
	int fd;

	if (pid <= 0) {
		errno = ESRCH;
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	else if (fd < 0 && errno == EACCES)
		errno = EPERM;
	return fd;
}

/* @flags: PERFCTR_ATTACH_* */
static int try_attach(int fd, int tid, int mem_fd, unsigned int flags)
{
	struct perfctr_dev_attach attach = {
		.tid = tid,
		.mem_fd = mem_fd,
		.flags = flags,
	};

	return ioctl(fd, PERFCTR_IOC_ATTACH, &attach) < 0 ? -1 : 0;
}

/*
 * The one or the other: between the two attempts they may come and go, but
 * hardly for ever.
 */
static int attach(int fd, int pid, int mem_fd)
{
	unsigned int try;

	for (try = 0; try < 8; try++) {
		if (try_attach(fd, pid, mem_fd, PERFCTR_ATTACH_CREATE) == 0)
			return 0;
		if (errno != EEXIST)
			return -1;
		if (try_attach(fd, pid, mem_fd, 0) == 0)
			return 0;
		if (errno != ESRCH)
			return -1;
	}
	return -1;
}

int perfctr_device_attach(int fd, int tid, unsigned int flags)
{
	int mem_fd = open_memory(tid), result;

	if (mem_fd < 0)
		return -1;
	result = try_attach(fd, tid, mem_fd, flags);
	perfctr_close_failed(mem_fd);
	return result;
}

struct rvperfctr *rvperfctr_open(int pid)
{
	struct perfctr_dev_info info;
	struct rvperfctr *handle;
	int mem_fd, error;

	handle = malloc(sizeof(*handle));
	if (!handle)
		return NULL;
	handle->pid = pid;
	handle->fd = perfctr_device_open();
	if (handle->fd < 0)
		goto err_free;
	if (perfctr_device_info(handle->fd, &info) < 0)
		goto err_close;
	mem_fd = open_memory(pid);
	if (mem_fd < 0)
		goto err_close;
	if (attach(handle->fd, pid, mem_fd) < 0)
		goto err_close_memory;
	close(mem_fd);
	return handle;

err_close_memory:
	perfctr_close_failed(mem_fd);
err_close:
	perfctr_close_failed(handle->fd);
err_free:
	error = errno;
	free(handle);
	errno = error;
	return NULL;
}

int rvperfctr_pid(const struct rvperfctr *handle)
{
	return handle->pid;
}

int rvperfctr_info(const struct rvperfctr *handle, struct perfctr_info *info)
{
	return perfctr_info(handle->fd, info);
}

int rvperfctr_read_ctrs(const struct rvperfctr *handle,
			struct perfctr_sum_ctrs *sums)
{
	struct perfctr_dev_sums device_sums;

	if (perfctr_device_read(handle->fd, &device_sums) < 0 ||
	    perfctr_sums_from_device(&device_sums, sums) < 0)
		return -1;
	return perfctr_device_end(&device_sums);
}

int rvperfctr_read_state(const struct rvperfctr *handle,
			 struct perfctr_sum_ctrs *sums,
			 struct vperfctr_control *control)
{
	return perfctr_read_state(handle->fd, sums, control);
}

int rvperfctr_control(const struct rvperfctr *handle,
		      struct vperfctr_control *control)
{
	struct perfctr_dev_control device_control;

	if (perfctr_control_to_device(control, &device_control) < 0)
		return -1;
	return perfctr_device_control(handle->fd, &device_control);
}

int rvperfctr_stop(const struct rvperfctr *handle)
{
	return ioctl(handle->fd, PERFCTR_IOC_STOP) < 0 ? -1 : 0;
}

int rvperfctr_iresume(const struct rvperfctr *handle)
{
	return ioctl(handle->fd, PERFCTR_IOC_IRESUME) < 0 ? -1 : 0;
}

struct vperfctr_rings *
rvperfctr_rings_open(const struct rvperfctr *handle,
		     const struct vperfctr_rings_control *control)
{
	return perfctr_rings_open(handle->fd, control);
}

int rvperfctr_unlink(const struct rvperfctr *handle)
{
	return ioctl(handle->fd, PERFCTR_IOC_UNLINK) < 0 ? -1 : 0;
}

void rvperfctr_close(struct rvperfctr *handle)
{
	if (!handle)
		return;
	close(handle->fd);
	free(handle);
}
