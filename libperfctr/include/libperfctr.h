/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libperfctr: hardware performance counters in a Xen guest, for the calling
 * thread (vperfctr_*), another one (rvperfctr_*) or whole CPUs (gperfctr_*).
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
 * Threads: a handle of vperfctr_open() belongs to the thread that opened it.
 * Only that thread may read, control, stop or unlink by it: another thread that
 * read would mix its own counters with the owner's sums.  Counters are not
 * inherited unless asked for (vperfctr_control_group()).  In the child of a
 * fork() the parent's handle only is there to be closed: in user mode it reads
 * zero, and vperfctr_read_ctrs() fails with ESRCH; what asks the kernel
 * (vperfctr_read_state(), _sums(), _group()) has the parent's counts.
 *
 * Signals: the functions that read (vperfctr_read_*, vperfctr_is_running), and
 * vperfctr_iresume, may be called from a signal handler of that thread, also when they were
 * interrupted themselves.  vperfctr_control, _stop, _unlink and _close must
 * not be called from a handler that may have interrupted a read: the read
 * would go on to execute RDPMC without a counter (SIGSEGV).
 * Rarely the same happens if in the midst of a read, between a look at a counter
 * and RDPMC, somebody else takes the counters away: another process that stops
 * or changes them (rvperfctr_*; it can stop the thread before), or the host, if
 * its policy has changed or the guest has come to a host with another PMU.
 * (What comes after that is an error of vperfctr_read_ctrs().)  A program that
 * must not end then has a handler of SIGSEGV that leaves the read by
 * siglongjmp(), or asks the kernel (vperfctr_read_state()).
 *
 * What a count is: events from the control on, while the thread runs; nothing
 * that another thread, another guest or Xen does, and of user and kernel mode
 * what the event select asks for.  (Where the hypervisor can't tell the two
 * apart, user events include what the guest's kernel does for this thread;
 * perfex -i says which it is.)
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

/*
 * perfctr_info.cpu_type.  0 to 23 are perfctr 2.6's, for CPUs of its time; of
 * them CORE2, FAM10H, ATOM, NHLM, WSTMR and SNB still occur, and GENERIC.  The
 * others are here for programs that name them.
 */
#define PERFCTR_X86_GENERIC      0 /* no counters known, TSC only */
#define PERFCTR_X86_INTEL_P5     1
#define PERFCTR_X86_INTEL_P5MMX  2
#define PERFCTR_X86_INTEL_P6     3
#define PERFCTR_X86_INTEL_PII    4
#define PERFCTR_X86_INTEL_PIII   5
#define PERFCTR_X86_CYRIX_MII    6
#define PERFCTR_X86_WINCHIP_C6   7
#define PERFCTR_X86_WINCHIP_2    8
#define PERFCTR_X86_AMD_K7       9
#define PERFCTR_X86_VIA_C3       10
#define PERFCTR_X86_INTEL_P4     11
#define PERFCTR_X86_INTEL_P4M2   12
#define PERFCTR_X86_AMD_K8       13
#define PERFCTR_X86_INTEL_PENTM  14
#define PERFCTR_X86_AMD_K8C      15
#define PERFCTR_X86_INTEL_P4M3   16
#define PERFCTR_X86_INTEL_CORE   17
#define PERFCTR_X86_INTEL_CORE2  18 /* family 6, models 15, 22, 23, 29 */
#define PERFCTR_X86_AMD_FAM10H   19 /* families 10h and 11h */
#define PERFCTR_X86_INTEL_ATOM   20 /* family 6, model 28 */
#define PERFCTR_X86_INTEL_NHLM   21 /* Nehalem: models 26, 30, 46 */
#define PERFCTR_X86_INTEL_WSTMR  22 /* Westmere: models 37, 44 */
#define PERFCTR_X86_INTEL_SNB    23 /* Sandy Bridge: models 42, 45 */
/* All newer ones: */
#define PERFCTR_X86_INTEL_ARCH   0x100 /* Intel, architectural perfmon (SDM) */
#define PERFCTR_X86_AMD_CORE     0x101 /* AMD, core counters (APM) */
/* Earlier names of perfctr 2.6's own */
#define PERFCTR_X86_AMD_FAM10    PERFCTR_X86_AMD_FAM10H
#define PERFCTR_X86_INTEL_COREI7 PERFCTR_X86_INTEL_NHLM

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
	int ireset
		[PERFCTR_MAX_PMCS]; /* i-mode: < 0, minus the period; else unused */
	unsigned int _reserved[4]; /* zero */
};

/* vperfctr_control.flags */
#define VPERFCTR_CONTROL_CLOEXEC 1 /* unlink the counters on exec */

struct vperfctr_control {
	int si_signo; /* with i-mode entries: the signal of an overflow; 0: none */
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

/*
 * What the errno value that a function of this library has left means here, and
 * who can do something about it: one line, without a full stop, in static
 * memory.  Thread-safe.
 */
const char *perfctr_strerror(int error);

/* ------------------------- the thread's own counters --------------------- */

struct vperfctr;
struct perfctr_cpus_info;

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
 *   EPERM       the host's policy does not give this guest counters
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
 * start.  The TSC sum goes on as long as tsc_on stays set, over vperfctr_stop()
 * if an entry is preserved.  On error nothing has changed: the control before is
 * still in force.
 *   EINVAL      too many entries, no or a doubled counter, no enable bit, the
 *               interrupt bit in an a-mode entry, or event select bits that
 *               the CPU does not have or Xen does not allow
 *   EINVAL      i-mode entries: no interrupt bit, "ireset" not negative, a
 *               period that is too short or too long, si_signo not 0 to 64
 *   EOPNOTSUPP  i-mode entries where this guest can't sample, an unsupported
 *               register of the union, kernel mode alone where user and kernel
 *               can't be told apart
 *   EPERM       not the thread that opened the handle; or the host's policy
 *               does not give this guest counters any more
 *   EACCES      the host's policy does not let this guest count an event
 *   EBUSY       somebody counts whole CPUs of this guest
 *   ENOENT      the counters were unlinked
 */
int vperfctr_control(const struct vperfctr *self,
		     struct vperfctr_control *control);

/* Stop counting; the sums stay readable.  EPERM, ENOENT as above. */
int vperfctr_stop(const struct vperfctr *self);

/* 1: counting (a control is in force); 0: not.  In user mode; never fails. */
int vperfctr_is_running(const struct vperfctr *self);

/*
 * The thread's virtual TSC: ticks (of perfctr_info.cpu_khz) for which, while
 * tsc_on was set, the thread ran on a virtual CPU and that ran on a physical
 * one.  In user mode; never goes back; does not fail.
 */
unsigned long long vperfctr_read_tsc(const struct vperfctr *self);

/*
 * Ticks for which the thread was on a virtual CPU that did not run, because
 * something else had the physical one: what vperfctr_read_tsc() leaves out of
 * the time that the guest's own clock shows.  In user mode; does not fail.
 */
unsigned long long vperfctr_read_stolen(const struct vperfctr *self);

/*
 * The count of the control's entry @i; 0 if there is no such entry.  In user
 * mode, at most 20 instructions; RDPMC does not wait for the instructions
 * before it (SDM vol. 2), so what is measured should be longer than the CPU's
 * pipeline is deep.
 *
 * A count that could not be continued (vperfctr_read_ctrs() tells) stays at
 * its last exact value.  One that waits for its slot (vperfctr_control_group())
 * is at its sum.
 */
unsigned long long vperfctr_read_pmc(const struct vperfctr *self,
				     unsigned int i);

/*
 * All counts at one time: no switch of threads or virtual CPUs lies between
 * any two of them.  @sums->tsc and the entries of the control are written, the
 * others are left alone.  In user mode.
 * Returns -1 if counting has ended for a reason outside the program (errno
 * says why: EPERM or EACCES, the host's policy does not allow it any more;
 * EIO, ...); @sums
 * then has the last exact values.
 */
int vperfctr_read_ctrs(const struct vperfctr *self,
		       struct perfctr_sum_ctrs *sums);

/*
 * The same through the kernel, and the control in force; either pointer may
 * be NULL.  Entries that the control does not have are zero in both.  After
 * vperfctr_unlink() the final counts, and no control.
 *   EPROTO      more than the structures can say: more entries than they hold,
 *               or (@control) slots or Xen's own execution
 */
int vperfctr_read_state(const struct vperfctr *self,
			struct perfctr_sum_ctrs *sums,
			struct vperfctr_control *control);

/* What counters there are. */
int vperfctr_info(const struct vperfctr *self, struct perfctr_info *info);

/* perfctr_cpus_info(), below. */
struct perfctr_cpus_info *vperfctr_cpus_info(const struct vperfctr *self);

/* End the thread's counters at once.  EPERM, ENOENT as above. */
int vperfctr_unlink(const struct vperfctr *self);

/* Free the handle; the counters live on with their thread.  NULL is allowed. */
void vperfctr_close(struct vperfctr *self);

/*
 * The calling thread's counters by a file descriptor of /dev/perfctr, to be
 * closed by close(), without a page to read them in user mode.
 * _vperfctr_open(): @creat not 0: as vperfctr_open().  0: of the counters that
 * the thread has; if it has none, a descriptor that only perfctr_info() and the
 * like can ask, and with which the others fail with ENOENT.  -1 and errno.
 * The others are vperfctr_control(), and vperfctr_read_state() of a control and
 * of sums.
 */
int _vperfctr_open(int creat);
int _vperfctr_control(int fd, const struct vperfctr_control *control);
int _vperfctr_read_control(int fd, struct vperfctr_control *control);
int _vperfctr_read_sum(int fd, struct perfctr_sum_ctrs *sums);

/* ------------------- groups, and more events than counters ---------------- */

/*
 * This part is not perfctr 2.6's.  A control as for vperfctr_control(), and
 *
 *   inheritance   each thread and child process that the thread creates from
 *                 then on counts too, from zero, with the same control, and so
 *                 do theirs.  Together they are the thread's group.
 *   slots         events that need more counters than there are take turns.
 *                 Entries of one slot are counted together; after each
 *                 slice_us of the thread's own running time it is the next
 *                 slot's turn.
 *   host          Xen's own execution while the thread's virtual CPU is on a
 *                 physical one, for guests of level host.
 *   samples       of all of them, in rings: "sampling", below.
 *
 *	struct vperfctr_group_control group = {
 *		.control = control,		// entries 0 to 5, say
 *		.flags = VPERFCTR_GROUP_INHERIT,
 *		.slot = {0, 0, 0, 1, 1, 1},
 *	};
 *	struct vperfctr_group_sums sums;
 *
 *	vperfctr_control_group(self, &group);
 *	...
 *	vperfctr_read_group(self, &sums);
 *	exact = sums.sums.pmc[5];		// what was counted
 *	guess = vperfctr_estimate(&sums.sums, 5);
 *
 * All counts are what was counted.  Nothing is ever scaled but by
 * vperfctr_estimate().
 */

/* vperfctr_group_control.flags */
#define VPERFCTR_GROUP_INHERIT 1 /* threads and children count too */

struct vperfctr_group_control {
	struct vperfctr_control control;
	unsigned int flags; /* VPERFCTR_GROUP_* */
	/*
	 * Bit i: entry i counts Xen's own execution, either alone (neither USR
	 * nor OS in its evntsel) or beside both of them.
	 */
	unsigned int host;
	/*
	 * 100 to 1,000,000 microseconds; 0: 10,000.  Zero if there is one slot
	 * only.
	 */
	unsigned int slice_us;
	/*
	 * Of each entry, 0 to 7; without gaps from 0 on.  In each slot a
	 * counter may be used once.
	 */
	unsigned int slot[PERFCTR_MAX_PMCS];
	unsigned int _reserved[4]; /* zero */
	/*
	 * Of an i-mode entry whose ireset is 0: its period, in events.  For
	 * those that an int can't say.
	 */
	unsigned long long period[PERFCTR_MAX_PMCS];
};

struct vperfctr_sums {
	unsigned long long tsc;    /* as vperfctr_read_tsc() */
	unsigned long long stolen; /* as vperfctr_read_stolen() */
	unsigned long long pmc[PERFCTR_MAX_PMCS]; /* as vperfctr_read_pmc() */
	/*
	 * For how many of the tsc ticks entry i was counted.  All of them if
	 * there is one slot only.
	 */
	unsigned long long loaded[PERFCTR_MAX_PMCS];
	unsigned int nr; /* entries */
	unsigned int _reserved;
};

struct vperfctr_group_sums {
	struct vperfctr_sums sums; /* of all members, ended ones included */
	unsigned int live;         /* members that have not ended */
	unsigned int ended;
	/* Whose counts are not all there: */
	unsigned int errors;  /* ended with an error other than the next */
	unsigned int refused; /* ended by an exec that raised privileges */
	unsigned int lost;    /* never counted: no memory */
	int error;            /* errno value of the first of "errors", or 0 */
	unsigned int _reserved[4];
};

/*
 * As vperfctr_control(), which it replaces: the last of either is in force.
 * Children and threads that count go on with the control with which they were
 * created.  Errors as there, and
 *   EINVAL      an unknown flag, a slot above 7, a gap between slots, a counter
 *               used twice in a slot, slice_us out of range or without slots,
 *               a period of an a-mode entry or beside an ireset, a _reserved
 *               field that is not zero
 *   EOPNOTSUPP  Xen's own execution: this guest may not, or this Xen can't
 *   EBUSY       other members of the group live, and this is not the same control
 *               again (after vperfctr_stop(), say) with all entries preserved
 */
int vperfctr_control_group(const struct vperfctr *self,
			   const struct vperfctr_group_control *group);

/*
 * The calling thread's own sums, through the kernel (one system call).
 * Returns -1 as vperfctr_read_ctrs(); @sums then has the last exact values.
 * EPROTO: more entries than the structure holds.
 */
int vperfctr_read_sums(const struct vperfctr *self, struct vperfctr_sums *sums);

/*
 * The sums of the group that the calling thread founded by
 * vperfctr_control_group(); of the thread alone if that did not ask for
 * inheritance.  Exact for each member, also for those that run at the moment,
 * which are interrupted for it.  That members' counts are incomplete is not an
 * error: @sums tells.  After vperfctr_unlink() the last ones.
 *   ENOENT      the counters were inherited themselves
 *   EPROTO      as above
 */
int vperfctr_read_group(const struct vperfctr *self,
			struct vperfctr_group_sums *sums);

/*
 * An estimate, not a count: what entry @i would have counted if it had been
 * counted all the time, and had gone on as while it was.  pmc * tsc / loaded,
 * rounded; 0 if it never had its turn (loaded is 0).  In user mode; may be
 * called by any thread.
 */
unsigned long long vperfctr_estimate(const struct vperfctr_sums *sums,
				     unsigned int i);

/* --------------------------------- sampling ------------------------------ */

/*
 * A counter of an i-mode entry overflows after each "period" of events:
 * -ireset.  At the overflow all counters of the thread stop, until it is
 * resumed: so nothing that is done about a sample is counted, and the counts
 * are as exact as those of a-mode entries.  The period is at least what perfex
 * -i names (or struct perfctr_info's PERFCTR_FEATURE_PCINT is not there), and
 * below half of what the counter can count.  Where overflows come too often
 * for the host, some are not sampled, and it is told how many; they are counted
 * all the same.
 *
 * There are two ways to get samples; perfctr_sampling(3) has an example of each.
 *
 * 1. A signal, as in perfctr 2.6.  The thread that overflowed is sent si_signo,
 *    with si_code SI_PMC_OVF, and bit i of si_pmc_ovf_mask says that entry i has
 *    overflowed.  The ucontext that its handler gets has the address.  It stays
 *    suspended until the handler calls vperfctr_iresume().
 *
 * 2. Rings.  The kernel writes a record for each sample, and the thread goes on
 *    by itself.  Whoever maps the rings reads them, at leisure: the thread, or
 *    another process.  Also threads and children that inherit
 *    (vperfctr_control_group()) write to them.
 */

/* siginfo_t of the signal: */
#define SI_PMC_OVF      (-8)
#define si_pmc_ovf_mask si_pid

/*
 * Let the counters of the thread go on that an overflow has suspended: those
 * that overflowed with a new period.  May be called from a signal handler.
 *   EPERM       it is not suspended; or not the thread that opened the handle
 *   ENOENT      the counters were unlinked
 */
int vperfctr_iresume(const struct vperfctr *self);

/* Of all rings of a thread's counters: one for each CPU of this guest. */
struct vperfctr_rings;

/* vperfctr_rings_control.flags */
#define VPERFCTR_RINGS_CALLCHAIN 1 /* with each sample, who called whom */

struct vperfctr_rings_control {
	unsigned int flags; /* VPERFCTR_RINGS_* */
	/*
	 * Room for records: so many pages of 4096 bytes for each CPU, a power
	 * of two, 1 to 1024; 0: 64.  A sample takes 56
	 * bytes, and 8 for each entry of the control and each call.
	 */
	unsigned int pages;
	/* With CALLCHAIN: at most so many calls, 1 to 127; 0: 127. */
	unsigned int depth;
	unsigned int _reserved; /* zero */
};

enum vperfctr_record_type {
	VPERFCTR_RECORD_SAMPLE = 1,
	VPERFCTR_RECORD_LOST = 2,
	VPERFCTR_RECORD_THROTTLED = 3,
	VPERFCTR_RECORD_COMM = 4,
	VPERFCTR_RECORD_FORK = 5,
	VPERFCTR_RECORD_EXIT = 6,
	VPERFCTR_RECORD_MMAP = 7,
};

/* vperfctr_record.sample.flags */
/* The address is the guest kernel's; 0 in rings of those without CAP_PERFMON. */
#define VPERFCTR_SAMPLE_KERNEL 1
/*
 * The thread did not execute any more when the overflow was noticed: where it
 * was is not known, and the address is 0.
 */
#define VPERFCTR_SAMPLE_NO_IP  2

/*
 * One record.  What it points to is valid until the next call for these rings.
 * Later versions may have more types: ignore what you don't know.
 */
struct vperfctr_record {
	enum vperfctr_record_type type;
	unsigned int cpu; /* whose ring it was in */
	/*
	 * The thread, as ids of the process that made the rings; 0 in LOST.
	 * FORK: the new one.
	 */
	int pid, tid;
	/*
	 * When, in ticks of this guest's TSC (perfctr_info.cpu_khz), the same
	 * for all CPUs; 0 in LOST.
	 */
	unsigned long long tsc;
	union {
		struct {
			unsigned int flags; /* VPERFCTR_SAMPLE_* */
			/* Bit i: entry i of the control has overflowed. */
			unsigned int overflow;
			/*
			 * The instruction that would have been executed next.
			 * (The counted event happened in one before; hardware
			 * may need some more to notice.)
			 */
			unsigned long long ip;
			/* As vperfctr_read_tsc(); 0 without tsc_on. */
			unsigned long long vtsc;
			/* The thread's counts: of @nr entries. */
			const unsigned long long *values;
			/*
			 * @depth return addresses of user mode, by frame
			 * pointers, the innermost first.
			 */
			const unsigned long long *chain;
			unsigned int nr;
			unsigned int depth;
		} sample;
		/* There was no room for so many records, before the next. */
		struct {
			unsigned long long nr;
		} lost;
		/*
		 * So many overflows, of the entries whose bits are set, came
		 * too fast to be sampled.
		 */
		struct {
			unsigned long long nr;
			unsigned int overflow;
		} throttled;
		/* Its name, from now on. */
		struct {
			const char *comm;
			/* Not 0: by exec, so all its mappings are new. */
			int exec;
		} comm;
		/*
		 * The thread is new: in a new process with a copy of process
		 * @ppid's memory, or, if that is its pid, another thread there.
		 */
		struct {
			int ppid, ptid;
		} fork;
		/* The thread's final counts, of @nr entries. */
		struct {
			const unsigned long long *values;
			unsigned int nr;
		} exit;
		/*
		 * Code is mapped at addresses @start to @end - 1 of the process.
		 * It is told when a sample has asked for it, so often after
		 * that sample, but its tsc is that sample's, and of two records
		 * of the same time this is the first.  @path: of the file, or
		 * "[vdso]", "//anon" and the like.
		 */
		struct {
			const char *path;
			unsigned long long start, end;
			unsigned long long offset; /* in the file, bytes */
			unsigned long long ino;
			unsigned int maj, min;
		} mmap;
	};
};

struct vperfctr_rings_totals {
	/* Records for which there was no room. */
	unsigned long long lost;
	/* Overflows that came too fast to be sampled. */
	unsigned long long skipped;
};

/*
 * Give the thread's counters rings, as @control says, and map them; with NULL
 * map those that they have.  Before the control that starts sampling.  The
 * handle may be closed before the rings.
 *   EINVAL      @control
 *   EEXIST      they have rings
 *   EBUSY       a control is in force: vperfctr_stop() first
 *   ENOENT      no counters; NULL: no rings
 *   EOPNOTSUPP  this guest can't sample
 *   EPROTO      what is mapped is no ring that this library knows
 *   ENOBUFS     more memory than RLIMIT_MEMLOCK and 1 MiB for each CPU, in all
 *               of the user's rings; CAP_IPC_LOCK lifts the limit
 *   ENOMEM, EMFILE
 * Returns NULL on error.  After ENOMEM, EMFILE or EPROTO the counters may have the
 * rings all the same: then NULL maps them.
 */
struct vperfctr_rings *
vperfctr_rings_open(const struct vperfctr *self,
		    const struct vperfctr_rings_control *control);

/*
 * The next record of all CPUs: those that are there when a call finds nothing
 * left of the ones before, in the order of their time; so, over several calls,
 * nearly in that order (MMAP: see there).  What is returned has left the ring.  One thread at a
 * time, of one process: there is one reader only.
 * Returns the record, or NULL: with errno 0 there is none at the moment;
 *   EBADMSG     a ring has contents that make no sense.  They are skipped, up to
 *               where it was written; the next call goes on.
 */
const struct vperfctr_record *vperfctr_rings_next(struct vperfctr_rings *rings);

/*
 * A file descriptor for poll(): POLLIN while a ring is at least half full,
 * POLLHUP when no thread is left that writes to them, and all is told of the
 * mappings of those that there were.  Use a timeout: few records wait for long.
 */
int vperfctr_rings_fd(const struct vperfctr_rings *rings);

/* Totals up to now; those in LOST and THROTTLED records are among them. */
void vperfctr_rings_totals(const struct vperfctr_rings *rings,
			   struct vperfctr_rings_totals *totals);

/* Unmap and free; the counters go on.  NULL is allowed. */
void vperfctr_rings_close(struct vperfctr_rings *rings);

/* ------------------------------ another thread --------------------------- */

/*
 * The same for a thread that need not know of it, be stopped, or be a child.
 * All of these go through the kernel.  A handle may be used by any thread of
 * the process that opened it; none of them waits for the other thread.
 */
struct rvperfctr;

/*
 * Open the counters of thread @pid (a process id names its first thread), and
 * create them if it has none.  Needs the rights that ptrace needs.  The
 * counters end with the thread or with rvperfctr_unlink(), not with the handle.
 * Returns NULL on error:
 *   EPERM       no right to trace it; or as vperfctr_open()
 *   ESRCH       there is no such thread, or it is ending
 *   EINVAL      a kernel thread
 *   ENOENT, EACCES, EPROTO and others as vperfctr_open()
 */
struct rvperfctr *rvperfctr_open(int pid);

/* The @pid that it was opened with. */
int rvperfctr_pid(const struct rvperfctr *handle);

int rvperfctr_info(const struct rvperfctr *handle, struct perfctr_info *info);

/*
 * All counts at one time; exact also while the thread runs, and when it has
 * ended: then they are final.  As vperfctr_read_ctrs(), but the entries that
 * the control does not have are zero.
 */
int rvperfctr_read_ctrs(const struct rvperfctr *handle,
			struct perfctr_sum_ctrs *sums);

/* As vperfctr_read_state(). */
int rvperfctr_read_state(const struct rvperfctr *handle,
			 struct perfctr_sum_ctrs *sums,
			 struct vperfctr_control *control);

/* As vperfctr_control().  ENOENT: the thread or its counters have ended. */
int rvperfctr_control(const struct rvperfctr *handle,
		      struct vperfctr_control *control);

/* As vperfctr_stop(), vperfctr_unlink().  ENOENT as above. */
int rvperfctr_stop(const struct rvperfctr *handle);
int rvperfctr_unlink(const struct rvperfctr *handle);

/* As vperfctr_iresume(), and EPERM for any thread but that one itself. */
int rvperfctr_iresume(const struct rvperfctr *handle);

/* As vperfctr_rings_open(): to sample another process. */
struct vperfctr_rings *
rvperfctr_rings_open(const struct rvperfctr *handle,
		     const struct vperfctr_rings_control *control);

/* Free the handle; the counters live on with their thread.  NULL is allowed. */
void rvperfctr_close(struct rvperfctr *handle);

/* -------------------------------- whole CPUs ------------------------------ */

/*
 * Everything that runs on a virtual CPU of this guest, whatever the thread,
 * its kernel included (as USR and OS say).  Accumulating counters only.  Needs
 * CAP_PERFMON or CAP_SYS_ADMIN.  While CPUs are counted no thread is, and the
 * other way round: EBUSY.
 *
 * A handle is used by one thread at a time.
 */
struct gperfctr;

struct gperfctr_cpu_control {
	unsigned int cpu; /* number of the CPU, from 0 */
	struct perfctr_cpu_control cpu_control;
	unsigned int _reserved[4]; /* zero */
};

struct gperfctr_cpu_state {
	unsigned int cpu;
	struct perfctr_cpu_control cpu_control;
	struct perfctr_sum_ctrs sum;
	unsigned int _reserved[4];
};

/* NULL on error; errors as vperfctr_open(), without EEXIST. */
struct gperfctr *gperfctr_open(void);

/*
 * Free the handle; the counting ends, unless a child that was created by fork() since
 * has the handle, too: until it closes that, executes or ends.  NULL is allowed.
 */
void gperfctr_close(struct gperfctr *handle);

/*
 * Say what CPU @control->cpu is to count, from gperfctr_start() on.  A control
 * without entries: not to count any more.  The CPU's sums are zeroed.
 *   EINVAL, EOPNOTSUPP    as vperfctr_control()
 *   EPERM       not privileged
 *   EBUSY       this handle counts (gperfctr_stop() it first), another one
 *               does, or threads have counters in use
 *   ENXIO       there is no such CPU, or it is offline
 */
int gperfctr_control(const struct gperfctr *handle,
		     struct gperfctr_cpu_control *control);

/*
 * Zero the sums and start counting on all CPUs that have a control, one after
 * the other.  @interval_usec: perfctr 2.6's interval of bringing sums up to
 * date, 0 or at least 10,000; here gperfctr_read() always does.
 * Returns how many CPUs count: 0 if none has a control.  -1: none counts.
 *   EINVAL      @interval_usec
 *   EBUSY, ENXIO, EPERM   as above
 */
int gperfctr_start(const struct gperfctr *handle, unsigned int interval_usec);

/* Stop all; the sums stay readable until the next start. */
int gperfctr_stop(const struct gperfctr *handle);

/*
 * In: @state->cpu.  Out: its control and, while it counts or after it did, its
 * counts: exact at the time of the call.  Entries that the control does not
 * have are zero.
 *   EINVAL      the CPU has no control
 *   ENXIO       it went offline while it counted: @state has the last sums
 */
int gperfctr_read(const struct gperfctr *handle,
		  struct gperfctr_cpu_state *state);

int gperfctr_info(const struct gperfctr *handle, struct perfctr_info *info);
struct perfctr_cpus_info *gperfctr_cpus_info(const struct gperfctr *handle);

/* ------------------------------- any thread ------------------------------ */

/* What counters there are, by a file descriptor of /dev/perfctr. */
int perfctr_info(int fd, struct perfctr_info *info);

/* The same by a descriptor that it opens and closes itself. */
int perfctr_get_info(struct perfctr_info *info);

/*
 * Do module and library, and (_perfctr_abi_check_fd()) a program that was built
 * with @user_abi_version, speak the same version?  0, or -1 and errno: EPROTO,
 * they do not; ENOTTY and others, @fd is not of /dev/perfctr.
 */
int perfctr_abi_check_fd(int fd);
int _perfctr_abi_check_fd(int fd, unsigned int user_abi_version);

/* How many counters, general and fixed ones together. */
unsigned int perfctr_info_nrctrs(const struct perfctr_info *info);

/* The name of info->cpu_type: a constant string. */
const char *perfctr_info_cpu_name(const struct perfctr_info *info);

/* CPU n is in the set if mask[n / 32] >> (n % 32) & 1. */
struct perfctr_cpu_mask {
	unsigned int nrwords; /* words of 32 bits */
	unsigned int mask[];
};

struct perfctr_cpus_info {
	struct perfctr_cpu_mask *cpus; /* online in this guest */
	/* Those on which threads can't count: none, a set of that many words */
	struct perfctr_cpu_mask *cpus_forbidden;
};

/*
 * Which CPUs there are: to be freed by one free().  NULL on error: ENOMEM, and
 * what the device returns.
 */
struct perfctr_cpus_info *perfctr_cpus_info(int fd);

/*
 * Each field in a line of standard output, for people; the format is not for
 * programs.  Of a control, what its entries have.
 */
void perfctr_info_print(const struct perfctr_info *info);
void perfctr_cpus_info_print(const struct perfctr_cpus_info *info);
void perfctr_cpu_control_print(const struct perfctr_cpu_control *control);

/*
 * Events by name.  Here are only those that all CPUs of a type have, and that
 * its architecture's manual defines: Intel's architectural ones, and of AMD's
 * those that no family has changed.  libpfm4 knows all of them.
 */
enum perfctr_unit_mask_type {
	perfctr_um_type_fixed,     /* the default value and no other */
	perfctr_um_type_exclusive, /* one of the values */
	perfctr_um_type_bitmask,   /* any of the values, ORed */
};

struct perfctr_unit_mask_value {
	unsigned int value;
	const char *description;
};

struct perfctr_unit_mask {
	unsigned short default_value;
	enum perfctr_unit_mask_type type;
	unsigned char nvalues;
	const struct perfctr_unit_mask_value *values;
};

struct perfctr_event {
	unsigned short evntsel;      /* event select, bits 7:0 */
	unsigned short counters_set; /* bit n: general counter n counts it */
	const struct perfctr_unit_mask *unit_mask; /* NULL: none, zero */
	const char *name;
	const char *description;
};

struct perfctr_event_set {
	unsigned int cpu_type;
	const char *event_prefix; /* of the names, in a list of many types */
	const struct perfctr_event_set *include; /* NULL, or more events */
	unsigned int nevents;
	const struct perfctr_event *events;
};

/* Constant; NULL for a type that has no counters or is not supported. */
const struct perfctr_event_set *perfctr_cpu_event_set(unsigned int cpu_type);

#ifdef __cplusplus
}
#endif

#endif /* LIBPERFCTR_H */
