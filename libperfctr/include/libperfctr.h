/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libperfctr: a thread's own hardware performance counters in a Xen guest.
 *
 *	struct vperfctr *self = vperfctr_open();
 *	struct vperfctr_control control = {
 *		.cpu_control = {
 *			.tsc_on = 1,
 *			.nractrs = 1,
 *			.pmc_map = {0},
 *			.evntsel = {0x4100c0},	// instructions, user mode
 *		},
 *	};
 *	vperfctr_control(self, &control);
 *	before = vperfctr_read_pmc(self, 0);
 *	...
 *	after = vperfctr_read_pmc(self, 0);
 *
 * The interface is source compatible with perfctr 2.6 (API 5.2); its binary
 * interface is its own.  The counters come from /dev/perfctr, which the kernel
 * module perfctr makes.
 *
 * Errors: unless said otherwise a function returns 0, or -1 with errno set.
 *
 * Threads: a handle belongs to the thread that opened it.  Only that thread
 * may read, control, stop or unlink by it: another thread that read would mix
 * its own counters with the owner's sums.  Counters are not inherited.  In the
 * child of a fork() the parent's handle only is there to be closed: it reads
 * zero, and vperfctr_read_ctrs() fails with ESRCH.
 *
 * Signals: the functions that read (vperfctr_read_*, vperfctr_is_running) may
 * be called from a signal handler of that thread, also when they were
 * interrupted themselves.  vperfctr_control, _stop, _unlink and _close must
 * not be called from a handler that may have interrupted a read: the read
 * would go on to execute RDPMC without a counter (SIGSEGV).
 *
 * What a count is: events from the control on, while the thread runs; nothing
 * that another thread, another guest or Xen does.  In a 64-bit PV guest, whose
 * kernel runs in ring 3 like its programs, user events include what the guest
 * kernel does for this thread (perfex -i tells: "user and kernel told apart").
 */
#ifndef LIBPERFCTR_H
#define LIBPERFCTR_H

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the source interface: major << 24 | minor << 16. */
#define PERFCTR_ABI_VERSION 0x05020000u

/* Most counters that one control or one set of sums names. */
#define PERFCTR_MAX_PMCS 18

/* ------------------------------- information ----------------------------- */

/* perfctr_info.cpu_type.  0 to 23 are perfctr 2.6's, for CPUs of its time. */
#define PERFCTR_X86_GENERIC    0     /* no counters known, TSC only */
#define PERFCTR_X86_INTEL_ARCH 0x100 /* Intel, architectural perfmon (SDM) */
#define PERFCTR_X86_AMD_CORE   0x101 /* AMD, core counters (APM) */

/* perfctr_info.cpu_features */
#define PERFCTR_FEATURE_RDPMC 0x01 /* counters are read in user mode */
#define PERFCTR_FEATURE_RDTSC 0x02 /* so is the TSC */
#define PERFCTR_FEATURE_PCINT 0x04 /* overflow interrupts (i-mode) */

struct perfctr_info {
	unsigned int abi_version;     /* PERFCTR_ABI_VERSION of the library */
	char driver_version[32];      /* of the kernel module */
	unsigned int cpu_type;        /* PERFCTR_X86_* */
	unsigned int cpu_features;    /* PERFCTR_FEATURE_* */
	unsigned int cpu_khz;         /* TSC frequency, kHz */
	unsigned int tsc_to_cpu_mult; /* always 1 */
	unsigned int _nr_general;     /* use perfctr_info_nrctrs() */
	unsigned int _nr_fixed;
	unsigned int _reserved;
};

/* ---------------------------- control and sums --------------------------- */

/* pmc_map of fixed counter n (Intel): this + n */
#define PERFCTR_PMC_FIXED 0x40000000u

/* evntsel: the event select register of the vendor's manual */
#define PERFCTR_EVNTSEL_USR 0x00010000u /* count in user mode */
#define PERFCTR_EVNTSEL_OS  0x00020000u /* count in kernel mode */
#define PERFCTR_EVNTSEL_INT 0x00100000u /* exactly in i-mode entries */
#define PERFCTR_EVNTSEL_EN  0x00400000u /* in every entry */

struct perfctr_cpu_control {
	unsigned int tsc_on;  /* not 0: count the thread's TSC ticks too */
	unsigned int nractrs; /* entries 0 to nractrs-1 accumulate (a-mode) */
	unsigned int nrictrs; /* the next nrictrs interrupt (i-mode) */
	/*
	 * Entry i is counted in counter pmc_map[i]: n for general counter n,
	 * PERFCTR_PMC_FIXED + n for fixed counter n.  Each counter once.
	 */
	unsigned int pmc_map[PERFCTR_MAX_PMCS];
	/*
	 * Its event.  A general counter: event select bits 31:0.  A fixed one:
	 * PERFCTR_EVNTSEL_EN and USR, OS or both.
	 */
	unsigned int evntsel[PERFCTR_MAX_PMCS];
	/*
	 * Event select bits 63:32 (AMD's event codes above 0xff); the other
	 * members are perfctr 2.6's for CPUs that are not supported: zero.
	 */
	union {
		struct {
			unsigned int escr[PERFCTR_MAX_PMCS];
			unsigned int pebs_enable;
			unsigned int pebs_matrix_vert;
		} p4;
		unsigned int evntsel_high[PERFCTR_MAX_PMCS];
		struct {
			unsigned int pad[PERFCTR_MAX_PMCS];
			unsigned int offcore_rsp[2];
		} nhlm;
	};
	int ireset[PERFCTR_MAX_PMCS]; /* i-mode: < 0, minus the period */
	unsigned int _reserved[4];    /* zero */
};

/* vperfctr_control.flags */
#define VPERFCTR_CONTROL_CLOEXEC 1 /* unlink the counters on exec */

struct vperfctr_control {
	int si_signo; /* i-mode: the signal sent on overflow */
	struct perfctr_cpu_control cpu_control;
	unsigned int preserve;     /* bit i: entry i keeps its sum */
	unsigned int flags;        /* VPERFCTR_CONTROL_* */
	unsigned int _reserved[4]; /* zero */
};

/* Events since each entry's sum was last zeroed; TSC ticks likewise. */
struct perfctr_sum_ctrs {
	unsigned long long tsc;
	unsigned long long pmc[PERFCTR_MAX_PMCS];
};

/* ------------------------- the thread's own counters --------------------- */

struct vperfctr;

/* vperfctr_open_mode() */
#define VPERFCTR_OPEN_CREAT_EXCL 3

/*
 * Create counters for the calling thread.  They end with the thread, with
 * vperfctr_unlink(), or on exec if VPERFCTR_CONTROL_CLOEXEC was set; closing
 * the handle does not end them.
 * Returns NULL on error:
 *   EEXIST      this thread has counters: vperfctr_open_mode(0) opens them
 *   ENOENT      no /dev/perfctr: the module is not loaded
 *   EACCES      no permission to open /dev/perfctr
 *   EPERM       the host's administrator has not given this guest counters
 *   EPROTO      the module's interface has another version than the library's
 *   EMFILE, ENFILE, ENOMEM, and what the module returns
 */
struct vperfctr *vperfctr_open(void);

/*
 * @mode VPERFCTR_OPEN_CREAT_EXCL: as vperfctr_open().
 * @mode 0: open the counters that the calling thread has.  ESRCH: it has none.
 * Other modes: EINVAL.  Returns NULL on error.
 */
struct vperfctr *vperfctr_open_mode(unsigned int mode);

/*
 * Stop, check @control, zero the sums that its "preserve" does not name,
 * start.  The TSC sum goes on as long as tsc_on stays set.  On error nothing
 * has changed: the control before is still in force.
 *   EINVAL      too many entries, no or a doubled counter, no enable bit, the
 *               interrupt bit in an a-mode entry, or event select bits that
 *               the CPU does not have or Xen does not allow
 *   EOPNOTSUPP  i-mode entries (not supported yet), an unsupported register
 *               of the union, kernel mode alone where user and kernel can't
 *               be told apart
 *   EPERM       not the thread that opened the handle; or the hypervisor has
 *               taken the counters away from this guest
 *   ENOENT      the counters were unlinked
 */
int vperfctr_control(const struct vperfctr *self,
		     struct vperfctr_control *control);

/* Stop counting; the sums stay readable.  EPERM, ENOENT as above. */
int vperfctr_stop(const struct vperfctr *self);

/* 1: counting (a control is in force); 0: not.  In user mode; never fails. */
int vperfctr_is_running(const struct vperfctr *self);

/*
 * TSC ticks (of perfctr_info.cpu_khz) for which the thread ran on a CPU while
 * tsc_on was set.  In user mode; does not fail.
 */
unsigned long long vperfctr_read_tsc(const struct vperfctr *self);

/*
 * The count of the control's entry @i; 0 if there is no such entry.  In user
 * mode, at most 20 instructions; RDPMC does not wait for the instructions
 * before it (SDM vol. 2), so what is measured should be longer than the CPU's
 * pipeline is deep.
 *
 * A count that could not be continued (vperfctr_read_ctrs() tells) stays at
 * its last exact value.
 */
unsigned long long vperfctr_read_pmc(const struct vperfctr *self,
				     unsigned int i);

/*
 * All counts at one time: no switch of threads or virtual CPUs lies between
 * any two of them.  @sums->tsc and the entries of the control are written, the
 * others are left alone.  In user mode.
 * Returns -1 if counting has ended for a reason outside the program (errno
 * says why: EPERM, the hypervisor took the counters away; EIO, ...); @sums
 * then has the last exact values.
 */
int vperfctr_read_ctrs(const struct vperfctr *self,
		       struct perfctr_sum_ctrs *sums);

/*
 * The same through the kernel, and the control in force; either pointer may
 * be NULL.  Entries that the control does not have are zero in both.
 *   ENOENT      the counters were unlinked
 *   EPROTO      more entries than the structures hold, which this interface
 *               can't have made
 */
int vperfctr_read_state(const struct vperfctr *self,
			struct perfctr_sum_ctrs *sums,
			struct vperfctr_control *control);

/* What counters there are. */
int vperfctr_info(const struct vperfctr *self, struct perfctr_info *info);

/* End the thread's counters at once.  EPERM, ENOENT as above. */
int vperfctr_unlink(const struct vperfctr *self);

/* Free the handle; the counters live on with their thread.  NULL is allowed. */
void vperfctr_close(struct vperfctr *self);

/* ------------------------------- any thread ------------------------------ */

/* What counters there are, by a file descriptor of /dev/perfctr. */
int perfctr_info(int fd, struct perfctr_info *info);

/* How many counters, general and fixed ones together. */
unsigned int perfctr_info_nrctrs(const struct perfctr_info *info);

/* The name of info->cpu_type: a constant string. */
const char *perfctr_info_cpu_name(const struct perfctr_info *info);

#ifdef __cplusplus
}
#endif

#endif /* LIBPERFCTR_H */
