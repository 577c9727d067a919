/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/perfctr: per-thread performance counters.  The interface between
 * perfctr.ko and libperfctr; programs use the library.
 *
 * One open file is a handle for the counters of one thread.  A thread has at
 * most one set of counters; the set belongs to the thread, not to the handle:
 * it survives exec and the handle's close, and ends with the thread, with
 * PERFCTR_IOC_UNLINK, or on exec if PERFCTR_CTL_CLOEXEC was asked for.  A
 * handle outlives the thread: PERFCTR_IOC_READ then returns the final counts.
 *
 * mmap(NULL, one page, PROT_READ, MAP_SHARED, fd, 0) of a handle that is bound
 * to a set gives struct perfctr_page; ENOENT: it is not bound.  The counters
 * are shown in their thread's address space only.  In any other, as in the
 * child that inherits the mapping by fork(), the page has nr 0, STATUS_ERROR
 * and error -ESRCH: ask with PERFCTR_IOC_READ.
 *
 * A handle is bound once, for its lifetime.  When its set has ended, READ goes
 * on to return the final counts; CONTROL, STOP and UNLINK are ENOENT, CREATE
 * and OPEN are EBUSY.
 */
#ifndef _UAPI_PERFCTR_H
#define _UAPI_PERFCTR_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define PERFCTR_ABI_VERSION_DEV	1

#define PERFCTR_MAX_COUNTERS	24

/* RDPMC operand of fixed counter n is this + n; of general counter n it is n. */
#define PERFCTR_INDEX_FIXED	0x40000000u

/* -------- the page: read-only for user space, one per counting thread ------ */

struct perfctr_page_counter {
	/*
	 * RDPMC operand of this counter while it runs; negative while it is
	 * stopped (then @sum is the count and RDPMC must not be executed).
	 */
	__s32 index;
	__u32 reserved;
	__u64 mask;		/* all ones in the width of the counter */
	__u64 sum;		/* events before @start was taken */
	__u64 start;		/* the counter's value when it was taken */
};

/*
 * The kernel changes the page only while its thread is not in user mode: when
 * it switches the thread in or out and in the thread's own ioctls.  So the
 * thread itself sees no half-done change; it sees that there was one, between
 * two of its instructions, by @sequence:
 *
 *	do {
 *		seq = page->sequence;
 *		count = sum + ((rdpmc(index) - start) & mask);
 *	} while (page->sequence != seq);
 */
struct perfctr_page {
	__u32 version;		/* PERFCTR_ABI_VERSION_DEV */
	__u32 sequence;
	__u32 nr;		/* counters in use, in the order of the control */
	__u32 status;		/* PERFCTR_STATUS_* */
	__s32 error;		/* with STATUS_ERROR: why counting ended (-errno) */
	__u32 tsc_running;	/* 1: tsc = tsc_sum + (rdtsc - tsc_start); 0: tsc_sum */
	__u64 tsc_sum;
	__u64 tsc_start;
	/*
	 * Ticks of tsc_sum for which the thread's vCPU did not run although the
	 * thread did, as far as the kernel has summed up.
	 */
	__u64 tsc_stolen;
	__u64 reserved[2];
	struct perfctr_page_counter counter[PERFCTR_MAX_COUNTERS];
};

#define PERFCTR_STATUS_RUNNING	(1u << 0)	/* a control is in force */
#define PERFCTR_STATUS_ERROR	(1u << 1)	/* counting ended; sums are the last exact ones */
#define PERFCTR_STATUS_EXITED	(1u << 2)	/* the thread is gone; sums are final */

/* ----------------------------------- ioctls -------------------------------- */

struct perfctr_dev_info {
	__u32 version;		/* PERFCTR_ABI_VERSION_DEV of the module */
	__u32 xen_abi;		/* XENPERFCTR_VERSION of the hypervisor */
	__u32 vendor;		/* PERFCTR_VENDOR_* */
	__u32 arch_events;	/* Intel: bit n: architectural event n exists */
	__u64 features;		/* PERFCTR_FEAT_* */
	__u64 general;		/* bit n: general counter n exists */
	__u64 fixed;		/* bit n: fixed counter n exists */
	__u32 general_width;	/* bits */
	__u32 fixed_width;
	__u64 evtsel_mask;	/* bits allowed in the evtsel of a general counter */
	__u32 tsc_khz;
	__u32 cpus;		/* possible CPUs of this guest */
	char driver_version[32];
	char guest[32];		/* "PV dom0", "PV domU", ... */
	char hypervisor[64];	/* "Xen 4.17.6-pre" */
};

#define PERFCTR_VENDOR_INTEL	1
#define PERFCTR_VENDOR_AMD	2

#define PERFCTR_FEAT_GLOBAL_CTRL	(1u << 0)
#define PERFCTR_FEAT_SPLIT		(1u << 1)	/* USR and OS told apart */
#define PERFCTR_FEAT_SAMPLING		(1u << 2)

struct perfctr_dev_counter {
	__u32 index;		/* RDPMC operand */
	__u32 flags;		/* none defined yet */
	__u64 evtsel;		/* as in struct xen_perfctr_counter: enable bit clear */
	__s64 ireset;		/* sampling; 0 until PERFCTR_FEAT_SAMPLING is there */
};

struct perfctr_dev_control {
	__u32 nr;		/* 0 to PERFCTR_MAX_COUNTERS */
	__u32 flags;		/* PERFCTR_CTL_* */
	__u64 preserve;		/* bit i: counter[i] keeps its sum; others start at 0 */
	struct perfctr_dev_counter counter[PERFCTR_MAX_COUNTERS];
};

#define PERFCTR_CTL_TSC_ON	(1u << 0)
#define PERFCTR_CTL_CLOEXEC	(1u << 1)	/* unlink the set on exec */
#define PERFCTR_CTL_START_ON_EXEC (1u << 2)	/* load now, count from the next exec on */

struct perfctr_dev_sums {
	__u64 tsc;
	__u64 pmc[PERFCTR_MAX_COUNTERS];
	__u32 nr;
	__u32 status;
	__s32 error;
	__u32 pad;
};

#define PERFCTR_IOC_MAGIC	0xB7

/* What counters there are.  Works on any handle. */
#define PERFCTR_IOC_INFO	_IOR(PERFCTR_IOC_MAGIC, 0, struct perfctr_dev_info)
/*
 * Create counters for the calling thread and bind this handle to them.
 * EEXIST: the thread has counters.  EBUSY: the handle is bound.
 */
#define PERFCTR_IOC_CREATE	_IO(PERFCTR_IOC_MAGIC, 1)
/* Bind to the calling thread's existing counters.  ESRCH: it has none.  EBUSY. */
#define PERFCTR_IOC_OPEN	_IO(PERFCTR_IOC_MAGIC, 2)
/*
 * Stop, check, zero the sums not preserved, start.  Only by the thread itself
 * (EPERM).  EINVAL: not a valid control.  ENOENT: the handle is not bound.
 * EOPNOTSUPP: asks for what a feature bit says is not there.
 * ENODEV: this CPU has no counters.  With @preserve, of a set in STATUS_ERROR:
 * the error with which it ended; its sums have to start anew.
 * On error the control before is still in force and no sum has changed.
 */
#define PERFCTR_IOC_CONTROL	_IOW(PERFCTR_IOC_MAGIC, 3, struct perfctr_dev_control)
/* Stop; sums stay readable.  Only by the thread itself (EPERM).  ENOENT. */
#define PERFCTR_IOC_STOP	_IO(PERFCTR_IOC_MAGIC, 4)
/*
 * The counts, through the kernel: exact for the thread itself and for one
 * that has ended; for another running thread as of its last switch. ENOENT.
 */
#define PERFCTR_IOC_READ	_IOR(PERFCTR_IOC_MAGIC, 5, struct perfctr_dev_sums)
/* The control in force (nr 0: none).  ENOENT. */
#define PERFCTR_IOC_GET_CONTROL	_IOR(PERFCTR_IOC_MAGIC, 6, struct perfctr_dev_control)
/* End the set.  Only by the thread itself (EPERM).  ENOENT. */
#define PERFCTR_IOC_UNLINK	_IO(PERFCTR_IOC_MAGIC, 7)

#endif /* _UAPI_PERFCTR_H */
