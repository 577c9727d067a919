/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside libperfctr, and for perfex: the device's own structures, which can
 * say more than the historical interface can.  Not installed.
 */
#ifndef LIBPERFCTR_INTERNAL_H
#define LIBPERFCTR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uapi/perfctr.h>

#include "libperfctr.h"

/* Not in the shared library's interface. */
#define HIDDEN __attribute__((visibility("hidden")))

#define PERFCTR_PAGE_BYTES 4096u

/*
 * A handle is two pages of address space side by side: the library's own, and
 * the device's.  So a read needs no pointer from one to the other.
 */
struct vperfctr {
	int fd;
	char unused[PERFCTR_PAGE_BYTES - sizeof(int)];
	struct perfctr_page page; /* changed by the kernel at any time */
};

_Static_assert(offsetof(struct vperfctr, page) == PERFCTR_PAGE_BYTES,
	       "the device's page follows ours");
_Static_assert(sizeof(struct perfctr_page) <= PERFCTR_PAGE_BYTES,
	       "the device maps one page");

/* Environment variable: another device, for tests of what users may meet. */
#define PERFCTR_DEVICE_ENV "PERFCTR_DEVICE"
#define PERFCTR_DEVICE     "/dev/perfctr"

/* The path in use. */
HIDDEN const char *perfctr_device_path(void);

/* A handle that is not bound to counters, close-on-exec; -1 and errno. */
HIDDEN int perfctr_device_open(void);

/* Close @fd because of an error that errno tells, and goes on to tell. */
HIDDEN void perfctr_close_failed(int fd);

/*
 * Each is the ioctl of that name in uapi/perfctr.h: 0, or -1 and errno.
 * perfctr_device_info() fails with EPROTO for a module of another version.
 */
HIDDEN int perfctr_device_info(int fd, struct perfctr_dev_info *info);
HIDDEN int perfctr_device_create(int fd);
HIDDEN int perfctr_device_control(int fd,
				  const struct perfctr_dev_control *control);
HIDDEN int perfctr_device_ring(int fd, const struct perfctr_dev_ring *ring);
HIDDEN int perfctr_device_read(int fd, struct perfctr_dev_sums *sums);
HIDDEN int perfctr_device_read_group(int fd, struct perfctr_dev_group *group);
HIDDEN int perfctr_device_next_record(int fd,
				      struct perfctr_dev_record *record);

/*
 * Bind @fd to counters of thread @tid: @flags are PERFCTR_ATTACH_*.  Errors as
 * the device's, but EPERM and ESRCH also of /proc/TID/mem.
 */
HIDDEN int perfctr_device_attach(int fd, int tid, unsigned int flags);

/* The errno value of a device's "error" of a set that ended with one. */
HIDDEN int perfctr_device_errno(int32_t error);
/* Did counting end with an error?  0, or -1 and errno. */
HIDDEN int perfctr_device_end(const struct perfctr_dev_sums *sums);

/* CPUID leaf 1, EAX: family, model and stepping; 0 if there is no such leaf. */
HIDDEN uint32_t perfctr_cpu_signature(void);

/* perfctr_info.cpu_type of a device's "vendor" and a CPU's signature. */
HIDDEN unsigned int perfctr_cpu_type(uint32_t vendor, uint32_t signature);

/* vperfctr_read_state() and its like. */
HIDDEN int perfctr_read_state(int fd, struct perfctr_sum_ctrs *sums,
			      struct vperfctr_control *control);
/* All entries are written; -1 and EPROTO if there are more. */
HIDDEN int perfctr_sums_from_device(const struct perfctr_dev_sums *from,
				    struct perfctr_sum_ctrs *to);

/* @count * @tsc / @loaded, rounded; 0 if @loaded is. */
HIDDEN uint64_t perfctr_estimate(uint64_t count, uint64_t tsc, uint64_t loaded);

/* Controls to the device's and back; -1 and errno. */
HIDDEN int perfctr_cpu_control_to_device(const struct perfctr_cpu_control *from,
					 struct perfctr_dev_control *to);
HIDDEN int
perfctr_group_control_to_device(const struct vperfctr_group_control *from,
				struct perfctr_dev_control *to);
HIDDEN int perfctr_control_to_device(const struct vperfctr_control *from,
				     struct perfctr_dev_control *to);
HIDDEN int perfctr_control_from_device(const struct perfctr_dev_control *from,
				       struct vperfctr_control *to);

/* vperfctr_rings_open() and its like. */
HIDDEN struct vperfctr_rings *
perfctr_rings_open(int fd, const struct vperfctr_rings_control *control);

/* Map those that the handle's set has; @pages: their data, 0: not known. */
HIDDEN struct vperfctr_rings *perfctr_rings_map(int fd, unsigned int pages);

/* No record is longer: a path, or 127 calls, and what is beside them. */
#define PERFCTR_RECORD_MAX 8192

/*
 * The device's record @raw, of @size bytes with its header, in the library's
 * terms; what @record points to is in @raw.  false: it makes no sense.  Its type
 * may be one that nobody knows.
 */
HIDDEN bool perfctr_record_parse(const void *raw, size_t size,
				 struct vperfctr_record *record);

/* The record that vperfctr_rings_next() has returned, as the device wrote it. */
HIDDEN const void *perfctr_rings_raw(const struct vperfctr_rings *rings,
				     size_t *size);

#endif /* LIBPERFCTR_INTERNAL_H */
