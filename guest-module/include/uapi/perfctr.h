/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/perfctr: per-thread performance counters.  The interface between
 * perfctr.ko and libperfctr; programs use the library.
 *
 * One open file is a handle for the counters of one thread.  A thread has at
 * most one set of counters; the set belongs to the thread, not to the handle:
 * it survives exec and the handle's close, and ends with the thread, with
 * PERFCTR_IOC_UNLINK, on exec if PERFCTR_CTL_CLOEXEC was asked for, or with the
 * handle that PERFCTR_ATTACH_OWN was asked for.  A
 * handle outlives the thread: PERFCTR_IOC_READ then returns the final counts.
 *
 * mmap(NULL, one page, PROT_READ, MAP_SHARED, fd, 0) of a handle that is bound
 * to a set gives struct perfctr_page; ENOENT: it is not bound.  The counters
 * are shown in their thread's address space only.  In any other, as in the
 * child that inherits the mapping by fork(), the page has nr 0, STATUS_ERROR
 * and error -ESRCH: ask with PERFCTR_IOC_READ.  (What a vfork's child has
 * mapped, and looked at, before it executes a program stays as it is in its
 * parent's: nothing there is true of the parent, which should unmap it.)
 *
 * A handle is bound once, for its lifetime.  When its set has ended, READ goes
 * on to return the final counts; CONTROL, STOP and UNLINK are ENOENT, CREATE,
 * OPEN and ATTACH are EBUSY.
 *
 * Groups: with PERFCTR_CTL_INHERIT each thread and child process that the
 * thread creates from then on gets a set of its own with the same control,
 * starting from zero, and so do theirs.  All of them, the first set included,
 * form a group; whoever has a handle of the first set reads the group's sums.
 * A member that ends adds its counts to the group's in the same instant in
 * which it leaves it, so no sum ever misses or doubles one.
 *
 * Sampling: a counter with an @ireset overflows after that many events.  All
 * counters of the thread stop there until it is resumed, so that what handles
 * the overflow is not counted.  Either a record of it is written to the set's
 * ring (PERFCTR_IOC_RING), which resumes by itself; or, in a set without a
 * ring, the thread is sent @si_signo and stays suspended until IRESUME.
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
	/*
	 * The thread's virtual TSC: ticks for which the thread ran on its vCPU,
	 * and its vCPU on a physical CPU.
	 */
	__u64 tsc_sum;
	__u64 tsc_start;
	/*
	 * Ticks for which the thread's vCPU did not run although the thread was
	 * on it: not in @tsc_sum.
	 */
	__u64 tsc_stolen;
	/*
	 * @nr while every counter and the TSC run, and nothing but an error will
	 * stop them; else 0: one comparison tells a reader whether it needs to
	 * look at each of them.  0 for a set that samples without a ring, and
	 * from an ATTACH on: its handle may stop them at any time.
	 */
	__u32 all_running;
	__u32 reserved0;
	__u64 reserved;
	struct perfctr_page_counter counter[PERFCTR_MAX_COUNTERS];
};

#define PERFCTR_STATUS_RUNNING	(1u << 0)	/* a control is in force */
#define PERFCTR_STATUS_ERROR	(1u << 1)	/* counting ended; sums are the last exact ones */
#define PERFCTR_STATUS_EXITED	(1u << 2)	/* the thread is gone; sums are final */
#define PERFCTR_STATUS_SUSPENDED (1u << 3)	/* after an overflow, until IRESUME */

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
	__u32 min_period;	/* sampling: -@ireset is at least this */
	__u32 max_rate;		/* overflows a second and CPU; above: throttled */
	char driver_version[32];
	char guest[32];		/* "PV dom0", "PV domU", ... */
	char hypervisor[64];	/* "Xen 4.17.6-pre" */
};

#define PERFCTR_VENDOR_INTEL	1
#define PERFCTR_VENDOR_AMD	2

#define PERFCTR_FEAT_GLOBAL_CTRL	(1u << 0)
#define PERFCTR_FEAT_SPLIT		(1u << 1)	/* USR and OS told apart */
#define PERFCTR_FEAT_SAMPLING		(1u << 2)
#define PERFCTR_FEAT_HOST		(1u << 3)	/* PERFCTR_COUNTER_HOST is allowed */
#define PERFCTR_FEAT_FILTER		(1u << 4)	/* the host lets only some events be counted */

struct perfctr_dev_counter {
	__u32 index;		/* RDPMC operand */
	__u32 flags;		/* PERFCTR_COUNTER_* */
	__u64 evtsel;		/* as in struct xen_perfctr_counter: enable bit clear */
	/*
	 * Sampling: minus the number of events until an overflow.  That number
	 * is from @min_period up to half the range of the counter's width, less
	 * one.  0: the counter does not sample.  Needs FEAT_SAMPLING.
	 */
	__s64 ireset;
};

/*
 * Count what Xen executes on behalf of the vCPU, too.  Needs FEAT_HOST.  Either
 * alone (neither USR nor OS) or with both of them.
 */
#define PERFCTR_COUNTER_HOST		(1u << 0)
/*
 * Multiplexing: which slot of time the counter belongs to, 0 to
 * PERFCTR_MAX_SLOTS - 1.  Only the counters of one slot are loaded at a time;
 * the same index may be used once in each.  The used slots are 0 to some n
 * without gaps, each with at least one counter.
 */
#define PERFCTR_MAX_SLOTS		8
#define PERFCTR_COUNTER_SLOT(n)		((__u32)(n) << 8)
#define PERFCTR_COUNTER_SLOT_OF(flags)	((flags) >> 8 & 7)

struct perfctr_dev_control {
	__u32 nr;		/* 0 to PERFCTR_MAX_COUNTERS */
	__u32 flags;		/* PERFCTR_CTL_* */
	__u64 preserve;		/* bit i: counter[i] keeps its sum; others start at 0 */
	/*
	 * Microseconds of the thread's own running time (its virtual TSC) after
	 * which the next slot of counters is loaded; 0: PERFCTR_SLICE_US.
	 * 100 to 1,000,000.  Zero where there is one slot only.
	 */
	__u32 slice_us;
	/*
	 * Sampling without a ring: the signal that an overflow sends to the
	 * thread, 1 to 64; 0: none.  Its si_code is PERFCTR_SI_OVF, and bit i of
	 * the 32-bit word at si_pid says that counter[i] has overflowed.
	 */
	__u32 si_signo;
	struct perfctr_dev_counter counter[PERFCTR_MAX_COUNTERS];
};

/*
 * The TSC's sum goes on while the TSC stays on, over a STOP if a counter is preserved;
 * with several slots always if one is.  Else it starts from 0.
 */
#define PERFCTR_CTL_TSC_ON	(1u << 0)
#define PERFCTR_CTL_CLOEXEC	(1u << 1)	/* unlink the set on exec */
#define PERFCTR_CTL_START_ON_EXEC (1u << 2)	/* load now, count from the next exec on */
#define PERFCTR_CTL_INHERIT	(1u << 3)	/* threads and children: see "Groups" */
#define PERFCTR_CTL_RECORDS	(1u << 4)	/* with INHERIT: NEXT_RECORD lists them apart */

#define PERFCTR_SLICE_US	10000
#define PERFCTR_SI_OVF		(-8)

struct perfctr_dev_sums {
	__u64 tsc;		/* virtual, as in struct perfctr_page */
	__u64 stolen;
	__u64 pmc[PERFCTR_MAX_COUNTERS];
	/*
	 * Of @tsc, the ticks for which counter i was loaded (with TSC_ON, or
	 * several slots; else 0).  All equal to @tsc without multiplexing.
	 */
	__u64 loaded[PERFCTR_MAX_COUNTERS];
	__u32 nr;
	__u32 status;
	__s32 error;
	__u32 pad;
};

struct perfctr_dev_group {
	/*
	 * Sums over all members, ended and live.  STATUS_RUNNING: some are live;
	 * STATUS_EXITED: the first one has exited; STATUS_ERROR and @error: of
	 * the first member that ended with an error.
	 */
	struct perfctr_dev_sums sums;
	__u32 live;		/* members that have not ended */
	__u32 ended;
	__u32 errors;		/* of those that ended: with an error other than @refused */
	__u32 refused;		/* ended by an exec that raised privileges (EPERM) */
	__u32 lost;		/* threads not counted: there was no memory for a set */
	__u32 records_lost;	/* counted, but there is no record */
	__u64 reserved[2];
};

/* ------------------------------- the ring of samples ----------------------- */

/*
 * One ring for each possible CPU, so that writers need no lock.  That of CPU n
 * is mapped with MAP_SHARED from any handle of the set that has it,
 * PERFCTR_RING_OFFSET(n) being the offset: a page with struct
 * perfctr_ring_page, and behind it @size bytes of records.
 *
 * The kernel writes a record at @head modulo @size and then moves @head; who
 * reads does so up to @head and moves @tail.  @head is read with acquire, @tail
 * written with release semantics.  Both only grow.  A record does not wrap
 * round the end of the data: there a RING_PAD fills it up.  A record for which
 * there is no room is lost, counted in @lost, and told by RING_LOST when
 * there is room again.  The kernel reads @tail, and nothing else.
 */
#define PERFCTR_RING_OFFSET(cpu)	(((__u64)(cpu) + 1) << 32)

struct perfctr_ring_page {
	__u32 version;		/* PERFCTR_ABI_VERSION_DEV */
	__u32 size;		/* of the data in bytes, a power of two */
	__u32 cpu;
	__u32 reserved;
	__u64 head;		/* bytes written, ever */
	__u64 lost;		/* records, ever */
	__u64 skipped;		/* overflows not sampled: RING_THROTTLED, ever */
	__u64 reserved1[3];
	__u64 tail;		/* bytes read, ever: the reader's */
};

struct perfctr_ring_record {
	__u16 type;		/* PERFCTR_RING_* */
	__u16 flags;
	__u32 size;		/* bytes with this header, a multiple of 8 */
};

#define PERFCTR_RING_PAD	0
#define PERFCTR_RING_SAMPLE	1
#define PERFCTR_RING_LOST	2
#define PERFCTR_RING_THROTTLED	3
#define PERFCTR_RING_COMM	4
#define PERFCTR_RING_FORK	5
#define PERFCTR_RING_EXIT	6
#define PERFCTR_RING_MMAP	7

/* Process and thread ids are those of the namespace of who made the ring. */
struct perfctr_ring_task {
	struct perfctr_ring_record record;
	__s32 pid;
	__s32 tid;
	__u64 tsc;		/* of this guest: orders the records of all CPUs */
};

struct perfctr_ring_sample {
	struct perfctr_ring_task task;
/*
 * @ip is the guest kernel's.  0 in rings of who has neither CAP_PERFMON nor
 * CAP_SYS_ADMIN: where the kernel is must not be known to everybody.
 */
#define PERFCTR_SAMPLE_KERNEL	(1u << 0)
/*
 * The thread did not execute at @ip any more when the overflow was noticed: @ip
 * is 0, as it is not known.
 */
#define PERFCTR_SAMPLE_NO_IP	(1u << 1)
	/*
	 * Of the instruction that would have been executed next.  (The counted
	 * event happened in one before; hardware may need some more.)
	 */
	__u64 ip;
	__u64 vtsc;		/* the thread's virtual TSC; 0 without TSC_ON */
	__u32 overflow;		/* bit i: counter[i] has overflowed */
	__u32 cpu;
	__u32 nr;		/* counters */
	__u32 depth;		/* of the call chain */
	/*
	 * @nr sums of the thread, then @depth return addresses of user mode by
	 * frame pointers, the innermost first.
	 */
	__u64 value[];
};

/* Before the first record that there is room for again. */
struct perfctr_ring_lost {
	struct perfctr_ring_record record;
	__u64 nr;
};

/*
 * Overflows came too often and were not interrupted for; the counts are exact
 * nevertheless.
 */
struct perfctr_ring_throttled {
	struct perfctr_ring_task task;
	__u64 nr;		/* overflows not sampled */
	__u32 overflow;		/* of which counter: a bit */
	__u32 cpu;
};

struct perfctr_ring_comm {
	struct perfctr_ring_task task;
#define PERFCTR_COMM_EXEC	(1u << 0)	/* and all mappings are new */
	char comm[16];		/* terminated */
};

/* @task is the new one. */
struct perfctr_ring_fork {
	struct perfctr_ring_task task;
	__s32 ppid;		/* a copy of this process, or (pid) a thread in it */
	__s32 ptid;
};

struct perfctr_ring_exit {
	struct perfctr_ring_task task;
	__u32 nr;
	__u32 reserved;
	__u64 value[];		/* the final sums */
};

/*
 * Where a process has code: written by and by, when a sample of a thread lies
 * where nothing is known, or the address space has changed.  It is often later
 * in the ring than that sample, perhaps in another CPU's; @task.tsc is that of
 * the sample, and of two records with the same one this comes first.
 */
struct perfctr_ring_mmap {
	struct perfctr_ring_task task;
	__u64 start;
	__u64 end;
	__u64 offset;		/* in the file, bytes */
	__u64 ino;
	__u32 maj;		/* 0, 0: no file */
	__u32 min;
	char path[];		/* terminated, padded with zeros; or "[vdso]", "//anon" */
};

/* Flags: also the user-mode call chain, by frame pointers. */
#define PERFCTR_RINGS_CALLCHAIN	(1u << 0)
#define PERFCTR_RINGS_MAX_DEPTH	127
#define PERFCTR_RINGS_MAX_PAGES	1024
/*
 * For each possible CPU, what all rings of a user may have in memory besides
 * RLIMIT_MEMLOCK.  More takes CAP_IPC_LOCK.
 */
#define PERFCTR_RINGS_FREE_BYTES (1u << 20)

struct perfctr_dev_ring {
	__u32 flags;		/* PERFCTR_RINGS_* */
	__u32 pages;		/* data of each CPU's: a power of two, 1 to 1024 */
	__u32 depth;		/* with CALLCHAIN: 1 to MAX_DEPTH; else 0 */
	__u32 reserved;
};

/* One member of a group. */
struct perfctr_dev_record {
	/*
	 * IN: 0, or the serial number last returned.  OUT: of this record;
	 * members are numbered from 1 on, in the order in which they joined.
	 */
	__u64 serial;
	__s32 pid;		/* process and thread ids, in the caller's namespace, */
	__s32 tid;		/* 0: not visible there */
	char comm[16];		/* at its end, or now; terminated */
	struct perfctr_dev_sums sums;
};
#define PERFCTR_MAX_RECORDS	8192	/* of members that have ended, per group */

struct perfctr_dev_attach {
	__s32 tid;		/* the thread, in the caller's namespace */
	/*
	 * An open file descriptor of /proc/TID/mem: the kernel gives it to those
	 * only who might ptrace the thread.
	 */
	__s32 mem_fd;
	__u32 flags;		/* PERFCTR_ATTACH_* */
	__u32 reserved;
};
#define PERFCTR_ATTACH_CREATE	(1u << 0)	/* EEXIST if it has a set; else ESRCH if it has none */
/*
 * With CREATE: when the handle is closed for the last time the set ends, and with it
 * all members of the group that it has founded; so nothing stays behind a tool that is
 * killed.
 */
#define PERFCTR_ATTACH_OWN	(1u << 1)

/* Whole-vCPU counting: of everything that runs on a CPU of this guest. */
struct perfctr_dev_cpu {
	__u32 cpu;
	__u32 pad;
	struct perfctr_dev_control control;	/* CPU_CONTROL: IN.  CPU_READ: OUT */
	struct perfctr_dev_sums sums;		/* CPU_READ: OUT */
};

#define PERFCTR_IOC_MAGIC	0xB7

/*
 * What counters there are, now: the host's policy may change.  Works on any
 * handle.  EPERM: the host's policy does not give this guest counters.
 */
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
 * EOPNOTSUPP: asks for what a feature bit says is not there.  EACCES: the host's
 * policy does not let this guest count an event.  EPERM also: nor anything.
 * ENODEV: this CPU has no counters.  With @preserve, of a set in STATUS_ERROR:
 * the error with which it ended; its sums have to start anew.
 * EBUSY: whole vCPUs are counted; or this founder of a group has other live members,
 * and the control is not the one before, in force or stopped, with all sums preserved.
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
/*
 * The control in force (nr 0: none); of a thread that has exited the last one,
 * without its signal.  ENOENT.
 */
#define PERFCTR_IOC_GET_CONTROL	_IOR(PERFCTR_IOC_MAGIC, 6, struct perfctr_dev_control)
/* End the set.  Only by the thread itself (EPERM).  ENOENT. */
#define PERFCTR_IOC_UNLINK	_IO(PERFCTR_IOC_MAGIC, 7)
/*
 * The sums of the group that the handle's set founded; of a set without
 * INHERIT the group is the set itself.  Exact for members that have ended and,
 * because they are interrupted for it, for those that run at the moment.
 * ENOENT: the handle is not bound, or to a set that another one founded.
 */
#define PERFCTR_IOC_READ_GROUP	_IOR(PERFCTR_IOC_MAGIC, 8, struct perfctr_dev_group)
/*
 * The member of the group after @serial.  ENOENT: there is none.  EINVAL: the
 * group's control did not ask for RECORDS.
 */
#define PERFCTR_IOC_NEXT_RECORD	_IOWR(PERFCTR_IOC_MAGIC, 9, struct perfctr_dev_record)
/*
 * Bind this handle to the set of another thread; by it, CONTROL, STOP, UNLINK
 * and READ (then exact also while the thread runs) act on that thread.  It need
 * not be stopped.  EPERM: @mem_fd is not of that thread's memory.  ESRCH: no
 * such thread, or it exits.  EINVAL: a kernel thread.  EEXIST, EBUSY.
 * mmap of such a handle shows the empty page, as anywhere outside the thread.
 */
#define PERFCTR_IOC_ATTACH	_IOW(PERFCTR_IOC_MAGIC, 10, struct perfctr_dev_attach)
/*
 * Whole-vCPU counting.  Needs CAP_PERFMON or CAP_SYS_ADMIN (EPERM), and an
 * unbound handle (EBUSY), which from the first CPU_CONTROL on serves only this;
 * closing it ends the counting.  EBUSY: threads count, or another handle counts
 * CPUs; while it does, CONTROL of threads is EBUSY.
 * A control has no INHERIT, RECORDS, CLOEXEC, START_ON_EXEC, nor more than one
 * slot; nr 0 stops the CPU, its sums stay.  ENXIO: no such CPU, or offline.  A
 * CPU that goes offline ends with STATUS_ERROR, -ENXIO, and its last sums.
 */
#define PERFCTR_IOC_CPU_CONTROL	_IOW(PERFCTR_IOC_MAGIC, 11, struct perfctr_dev_cpu)
#define PERFCTR_IOC_CPU_READ	_IOWR(PERFCTR_IOC_MAGIC, 12, struct perfctr_dev_cpu)

/*
 * Give the handle's set rings for its samples and those of all that inherits
 * from it, before the CONTROL that starts sampling; once in its lifetime
 * (EEXIST).  Only by the thread itself (EPERM), or by a handle from ATTACH.
 * EBUSY: a control is in force.  ENOENT: the handle is not bound, or to a set
 * that another one founded.  ENOBUFS: more memory than the user may have locked
 * (PERFCTR_RINGS_FREE_BYTES).  EINVAL, ENOMEM.
 * poll() of the handle then says POLLIN while a ring is half full, and POLLHUP
 * when no thread of the group is left, and all is told of their mappings.
 */
#define PERFCTR_IOC_RING	_IOW(PERFCTR_IOC_MAGIC, 13, struct perfctr_dev_ring)
/*
 * Resume the thread that an overflow has suspended: its counters go on, those
 * that had overflowed with @ireset.  EPERM: it is not suspended, or not by the
 * thread itself.  ENOENT.
 */
#define PERFCTR_IOC_IRESUME	_IO(PERFCTR_IOC_MAGIC, 14)

#endif /* _UAPI_PERFCTR_H */
