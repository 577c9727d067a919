/* SPDX-License-Identifier: MIT */
/*
 * arch-x86/perfctr.h
 *
 * Hardware performance counters for the virtual CPUs of a guest.
 *
 *     long perfctr_op(unsigned int op, void *arg)        (arch hypercall 2)
 *
 * Each vCPU has counters of its own.  They run while the vCPU runs and stop
 * with it; nothing that another domain, the idle loop or Xen executes is
 * counted.  The guest reads them with RDPMC (Xen sets the effective CR4.PCE
 * of a vCPU that has counters loaded) and programs them with one hypercall.
 *
 * All operations act on the vCPU that makes the call: a guest calls with
 * preemption disabled.  Structures have the same layout for 32- and 64-bit
 * guests: every 64-bit field is naturally aligned, sizes are multiples of 8.
 * Fields and bits that this version does not define must be zero on input
 * (-EINVAL otherwise) and are zero on output.
 *
 * Errors common to all operations:
 *   -ENOSYS      this Xen has no perfctr, or @op is not known
 *   -EPERM       the host's policy does not give this domain counters; where
 *                a vCPU has a page registered, it can unregister and stop
 *   -ENODEV      this host has no PMU that Xen can virtualise this way
 *   -EBUSY       the PMU is in other use on this host (watchdog)
 *   -EOPNOTSUPP  this host can't keep the counters of this kind of guest (HVM,
 *                PVH) apart from its own, or the guest may have guests itself
 *   -EFAULT      @arg can't be read or written
 *   -EINVAL      a field has a value that its description does not allow
 */
#ifndef __XEN_PUBLIC_ARCH_X86_PERFCTR_H__
#define __XEN_PUBLIC_ARCH_X86_PERFCTR_H__

#define __HYPERVISOR_perfctr_op          __HYPERVISOR_arch_2

/*
 * Per vCPU.  EVTCHNOP_bind_virq.  It comes when a counter has overflowed
 * (@overflow in the vCPU's page), as XENPERFCTR_LOAD_STOLEN says, and when Xen
 * has dropped a control that the host's policy does not allow any more
 * (@generation has changed).
 */
#define VIRQ_PERFCTR                     VIRQ_ARCH_2

/* The version of this interface.  It grows with every addition. */
#define XENPERFCTR_VERSION               1

/* No structure names more counters than this. */
#define XENPERFCTR_MAX_COUNTERS          24
#define XENPERFCTR_MAX_GENERAL           16
#define XENPERFCTR_MAX_FIXED             8

/*
 * A counter is named by its RDPMC operand, which is also what the guest
 * reads it with: n for general counter n, and this + n for fixed counter n
 * (SDM vol. 2, RDPMC).
 */
#define XENPERFCTR_INDEX_FIXED           0x40000000U

/*
 * XENPERFCTR_OP_query: what the host's PMU offers to this domain.
 * @arg: struct xen_perfctr_query.
 */
#define XENPERFCTR_OP_query              0

struct xen_perfctr_query {
    /* IN: XENPERFCTR_VERSION of the guest.  OUT: of the hypervisor. */
    uint32_t version;

    /* OUT: whose event select format and event codes apply. */
#define XENPERFCTR_VENDOR_INTEL          1
#define XENPERFCTR_VENDOR_AMD            2
    uint32_t vendor;

    /*
     * OUT: what this hypervisor can do for this vCPU.
     *   GLOBAL_CTRL  one register starts and stops all counters at once
     *   SPLIT        user and kernel mode of the guest are told apart, also
     *                in a 64-bit PV guest, both of whose modes are ring 3:
     *                there Xen stops and starts the counters that count one
     *                mode only where the guest goes from one to the other.
     *                Without it (32-bit PV guests) USR counts both and OS
     *                alone is -EOPNOTSUPP.
     *   SAMPLING     XENPERFCTR_COUNTER_SAMPLING is accepted
     *   HOST         XENPERFCTR_COUNTER_HOST is accepted from this domain
     *   FILTER       the host's policy names events that this domain may, or
     *                may not count: others are -EACCES
     *   PAGE_LOAD    XENPERFCTR_OP_load can take its argument from the vCPU's
     *                page
     *   REARM        XENPERFCTR_LOAD_REARM is accepted from this vCPU
     * SAMPLING, HOST, FILTER and REARM follow the host's policy, which can change
     * at any time.
     */
#define XENPERFCTR_FEAT_GLOBAL_CTRL      (1U << 0)
#define XENPERFCTR_FEAT_SPLIT            (1U << 1)
#define XENPERFCTR_FEAT_SAMPLING         (1U << 2)
#define XENPERFCTR_FEAT_HOST             (1U << 3)
#define XENPERFCTR_FEAT_FILTER           (1U << 4)
#define XENPERFCTR_FEAT_PAGE_LOAD        (1U << 5)
#define XENPERFCTR_FEAT_REARM            (1U << 6)
    uint64_t features;

    /* OUT: bit n set: general (fixed) counter n exists. */
    uint64_t general;
    uint64_t fixed;

    /* OUT: width of these counters in bits, 0 where there are none. */
    uint32_t general_width;
    uint32_t fixed_width;

    /* OUT: bits that may be set in the event select of a general counter. */
    uint64_t evtsel_mask;

    /*
     * OUT: bit n set: architectural event n of CPUID leaf 0xA exists (SDM
     * vol. 3, "Pre-defined Architectural Performance Events").  Note the
     * sense: CPUID.0AH:EBX has a set bit for an event that does not exist.
     * Zero on AMD.
     */
    uint32_t arch_events;

    /* OUT: XENPERFCTR_MIN_PERIOD and _MAX_RATE of this hypervisor. */
    uint32_t min_period;
    uint32_t max_rate;
    uint32_t pad;
};

/*
 * XENPERFCTR_OP_register_vcpu: give this vCPU counters (instead of a vPMU, if
 * it has one, which then reads zero and ignores writes), and Xen a page of
 * the guest's own RAM in which it publishes the vCPU's state.  Xen reads
 * nothing of it but what XENPERFCTR_OP_load is asked to.  The page stays pinned as writable guest memory until it
 * is unregistered or the domain dies.  A soft reset of an HVM domain
 * unregisters all.
 * @arg: struct xen_perfctr_register.
 *   -EEXIST      this vCPU has a page registered
 *   -EBUSY       this vCPU's vPMU counts; stop that first
 *   -ENOENT      no vCPU has this id
 *   -EINVAL      @vcpu_id is not the calling vCPU
 *   -ENOMEM      Xen has no memory for the vCPU's state
 *   -EACCES      @gfn is not a page of the domain's RAM that can be writable
 */
#define XENPERFCTR_OP_register_vcpu      1

/*
 * XENPERFCTR_OP_unregister_vcpu: stop and forget this vCPU's counters; Xen
 * does not touch the page any more when the call returns.
 * @arg: struct xen_perfctr_register, @gfn ignored.
 *   -ENOENT      this vCPU has no page registered, or no vCPU has this id
 */
#define XENPERFCTR_OP_unregister_vcpu    2

struct xen_perfctr_register {
    uint32_t vcpu_id;
    uint32_t pad;
    uint64_t gfn;    /* PV: the machine frame number.  PVH, HVM: guest frame. */
};

/*
 * XENPERFCTR_OP_load: make this the vCPU's control, in place of whatever it
 * had, and start counting.  All or nothing: after an error the old control
 * is still in force.
 *
 * Counters that the new control does not name stop and read zero.  A counter
 * it names goes on from the value it has (zero if the control before did not
 * name it), so a guest keeps differences, never absolute values.
 * @arg: struct xen_perfctr_load, of which @nr counters are read.  With
 * FEAT_PAGE_LOAD it can be NULL: then the structure is in the vCPU's page, at
 * XENPERFCTR_PAGE_LOAD.  In a PVH or HVM guest that is several times cheaper, as
 * Xen need not look for it in the guest's page tables.
 *   -ENOENT      this vCPU has no page registered
 *   -EOPNOTSUPP  a counter asks for what a feature bit says is not there, or
 *                for HOST with only one of USR and OS
 *   -EPERM       a counter asks for SAMPLING or HOST, which the host's policy
 *                does not give this domain
 *   -EACCES      the host's policy does not let this domain count this event
 *   -EIO         the PMU of this physical CPU can't be used or refused a
 *                value: the exception, after which the vCPU has no control
 */
#define XENPERFCTR_OP_load               3

/*
 * Sampling.  A counter with XENPERFCTR_COUNTER_SAMPLING starts at minus the
 * number of events until its overflow, modulo 2^width.  When it reaches zero all
 * counters of the vCPU stop, the vCPU's page says which ones have overflowed and
 * where the guest was, and VIRQ_PERFCTR is raised.  They stay stopped, with
 * their values, also while the vCPU moves to other pCPUs, until
 * XENPERFCTR_OP_resume or a load: what the guest does about the overflow is not
 * counted.
 *
 * A period is at least MIN_PERIOD, so that the guest gets on, and less than half
 * of the counter's range: 2^(width - 1) - 1 at most.  A vCPU that has had
 * MAX_RATE / 100 overflows within 10 ms is throttled: resume and load let
 * the counters count, but their overflow is as far away as it can be.  Then
 * @throttled in the page has gone up, and a later load samples again.
 */
#define XENPERFCTR_MIN_PERIOD            1000
#define XENPERFCTR_MAX_RATE              100000  /* overflows a second */

struct xen_perfctr_counter {
    uint32_t index;  /* RDPMC operand; each counter at most once */
    uint32_t flags;
#define XENPERFCTR_COUNTER_SAMPLING      (1U << 0)
    /*
     * Count what Xen executes while this vCPU is on its pCPU, too: alone (then
     * neither USR nor OS in @evtsel) or with both.  Needs FEAT_HOST.
     */
#define XENPERFCTR_COUNTER_HOST          (1U << 1)
    /*
     * General counter: the event select in the vendor's format (SDM vol. 3,
     * IA32_PERFEVTSELx; APM vol. 2, PerfEvtSeln), bits of evtsel_mask only.
     * Enable and interrupt-on-overflow belong to Xen and must be zero.
     * Fixed counter: USR (bit 16) and OS (bit 17) only.
     */
    uint64_t evtsel;
    uint64_t period; /* SAMPLING: events between overflows; else zero */
};

struct xen_perfctr_load {
    /* 1 to XENPERFCTR_MAX_COUNTERS; 0 is allowed with LOAD_STOLEN. */
    uint32_t nr;
    /*
     * STOLEN: whenever this vCPU runs again after it did not run, for
     * whatever reason, raise VIRQ_PERFCTR for it before it executes anything.
     * So code that can't run while an interrupt is pending (user mode) never
     * sees the TSC before its kernel had a chance to look at @tsc_stolen.
     */
    uint32_t flags;
#define XENPERFCTR_LOAD_STOLEN           (1U << 0)
    /* @left is there. */
#define XENPERFCTR_LOAD_LEFT             (1U << 1)
    /*
     * REARM: after an overflow Xen lets the counters go on by itself, as
     * XENPERFCTR_OP_resume would, before the guest executes anything: @overflow
     * stays zero, and @rearms and @taken tell.  Every counter must count user
     * mode only (-EINVAL): what the guest does about the overflow is not counted
     * anyhow.  At least one samples (-EINVAL).  Needs FEAT_REARM (-EOPNOTSUPP).
     */
#define XENPERFCTR_LOAD_REARM            (1U << 2)
    struct xen_perfctr_counter counter[XENPERFCTR_MAX_COUNTERS];
    /*
     * With LOAD_LEFT, @nr of these are read: events until the first overflow of
     * @counter[i] if it samples, from 1 to the longest period; 0: a period.  0
     * for others.
     */
    uint64_t left[XENPERFCTR_MAX_COUNTERS];
};

#define XENPERFCTR_EVTSEL_USR            (1ULL << 16)
#define XENPERFCTR_EVTSEL_OS             (1ULL << 17)

/*
 * XENPERFCTR_OP_stop: stop all counters of this vCPU and drop its control;
 * they read zero and CR4.PCE is off again.  The page stays registered.
 * @arg: NULL.
 *   -ENOENT      this vCPU has no page registered
 */
#define XENPERFCTR_OP_stop               4

/*
 * XENPERFCTR_OP_resume: after an overflow, let this vCPU's counters go on.
 * Those that had overflowed start anew with their period, less what they have
 * counted since; the others from the values that they have.  Nothing happens if
 * there was no overflow.
 * @arg: NULL.
 *   -ENOENT      this vCPU has no page registered
 *   -EIO         as for load
 */
#define XENPERFCTR_OP_resume             5

/*
 * What Xen publishes about a vCPU.  Written only by Xen, only while the vCPU
 * does not run guest code, so the vCPU itself needs no retry loop; another
 * CPU takes it that @sequence is odd during a change.
 */
struct xen_perfctr_page {
    uint32_t version;       /* XENPERFCTR_VERSION of the hypervisor */
    uint32_t sequence;
    /*
     * Goes up by one each time the loaded control changes, by this vCPU's
     * own load and stop or otherwise: a guest that remembers what it loaded
     * at which generation knows whether it is still there.
     */
    uint64_t generation;
    /* TSC ticks since registration for which this vCPU did not run. */
    uint64_t tsc_stolen;
    /*
     * Counters that have overflowed: bit n: general counter n; bit
     * XENPERFCTR_MAX_GENERAL + n: fixed counter n.  Not zero: all of this
     * vCPU's counters are stopped.
     */
    uint32_t overflow;
    /*
     * With @overflow, or when @rearms has gone up: where the guest was, the next
     * instruction to execute.
     */
    uint32_t ip_flags;
#define XENPERFCTR_IP_USER               (1U << 0)   /* else its kernel */
    uint64_t ip;
    /* Goes up by one each time that a load or resume was throttled. */
    uint32_t throttled;
    /* LOAD_REARM: goes up by one each time that Xen has let counters go on. */
    uint32_t rearms;
    uint64_t reserved[2];
    /*
     * LOAD_REARM, by counter as in @overflow: what Xen has taken from its value
     * since the load, modulo 2^width.  So what it has counted is the difference
     * of two values plus that of this.  Only for counters that sample.
     */
    uint64_t taken[XENPERFCTR_MAX_COUNTERS];
};

/*
 * Where in this page the guest may put the argument of XENPERFCTR_OP_load, from
 * here to the end of struct xen_perfctr_load.  Xen does not write there.
 */
#define XENPERFCTR_PAGE_LOAD             1024

#if defined(__XEN__) || defined(__XEN_TOOLS__)

/*
 * XEN_DOMCTL_perfctr_op: the host's policy, one for each domain.  It does not
 * outlive the domain, and is not part of what save and migration carry.
 *
 * Setting it takes effect at once: vCPUs that have a control which the new
 * policy does not allow lose it before the call returns.  For them it is as if
 * they had called XENPERFCTR_OP_stop, and VIRQ_PERFCTR tells them.
 *   -ENOSYS      this Xen has no perfctr
 *   -EOPNOTSUPP  perfctr= on Xen's command line does not turn it on
 *   -ENODEV, -EBUSY  as for guests
 *   -EPERM       XSM does not let the caller do this
 *   -ESRCH       there is no such domain
 *   -E2BIG       more than XENPERFCTR_MAX_FILTER events
 *   -EINVAL      a field has a value that its description does not allow
 *   -EFAULT      @events can't be read or written
 *   -ENOMEM      no memory for a copy of them
 */

struct xen_perfctr_event {
    /* The event select's [7:0]; on AMD also its [35:32] as bits 11:8. */
    uint16_t event;
    /* It is meant if (its unit mask & @mask) is @umask. */
    uint8_t umask;
    uint8_t mask;
};
typedef struct xen_perfctr_event xen_perfctr_event_t;
DEFINE_XEN_GUEST_HANDLE(xen_perfctr_event_t);

struct xen_domctl_perfctr_op {
#define XEN_DOMCTL_PERFCTR_get_policy    0
#define XEN_DOMCTL_PERFCTR_set_policy    1
    uint32_t cmd;        /* IN */

    /*
     * What the domain may have; each level includes those before it.
     *   DENIED       nothing
     *   COUNT        counters of what its own vCPUs execute
     *   SAMPLE       XENPERFCTR_COUNTER_SAMPLING
     *   HOST         XENPERFCTR_COUNTER_HOST
     */
#define XENPERFCTR_LEVEL_DENIED          0
#define XENPERFCTR_LEVEL_COUNT           1
#define XENPERFCTR_LEVEL_SAMPLE          2
#define XENPERFCTR_LEVEL_HOST            3
    uint32_t level;      /* set: IN, get: OUT */

    /*
     * ALLOW: the domain may count what is in @events and nothing else.
     * DENY: anything else.  Only event and unit mask matter, not how (edges,
     * counter mask, ...) and in which mode it is counted.  A fixed counter
     * counts as the architectural event that it counts (SDM vol. 3).
     *
     * Unit masks can be combined: to deny one bit of them, whatever else is
     * counted with it, let @mask be this bit only.
     */
#define XENPERFCTR_FILTER_NONE           0
#define XENPERFCTR_FILTER_ALLOW          1
#define XENPERFCTR_FILTER_DENY           2
    uint32_t filter;     /* set: IN, get: OUT */

    /*
     * IN: of @events.  OUT (get): how many there are; no more are written than
     * there was room for.
     */
#define XENPERFCTR_MAX_FILTER            64
    uint32_t nr_events;
    XEN_GUEST_HANDLE_64(xen_perfctr_event_t) events;
};

#endif /* __XEN__ || __XEN_TOOLS__ */

#endif /* __XEN_PUBLIC_ARCH_X86_PERFCTR_H__ */

/*
 * Local variables:
 * mode: C
 * c-file-style: "BSD"
 * c-basic-offset: 4
 * tab-width: 4
 * indent-tabs-mode: nil
 * End:
 */
