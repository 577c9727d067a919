/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruler: the emulated machine's own counts, by-passing its PMU.
 *
 * XGETBV with a magic ECX answers from any mode (user, kernel, Xen, guest of
 * SVM): no hypervisor intercepts it and it needs neither CR4.OSXSAVE nor
 * XSAVE.  It exists only where QEMU was started with the CPU property
 * "pmu-ruler=on"; elsewhere the instruction raises #GP (or #UD) as on every
 * CPU.  On bare metal never use this.
 *
 * Shape of ECX: RULER_MAGIC | RULER_ALL_CPUS (optional) | index.
 * The answer is 64 bits in EDX:EAX.  Without RULER_ALL_CPUS it is the count
 * of the emulated CPU that executes the XGETBV; with it the sum over all CPUs
 * (under multi-threaded TCG the other CPUs' part may be some blocks old).
 * The XGETBV itself is not yet included in the RULER_INSN that it returns.
 *
 * What an event is, exactly, is written in tests/machine/qemu/README.md.
 */
#ifndef PERFCTR_RULER_H
#define PERFCTR_RULER_H

#include <stdint.h>

#define RULER_MAGIC      0x504d0000u
#define RULER_ALL_CPUS   0x8000u

/* Events, each counted apart in four slots. */
enum ruler_event {
	RULER_INSN,		/* retired instructions */
	RULER_CYCLES,		/* unhalted core cycles, 2 per instruction */
	RULER_REF_CYCLES,	/* unhalted reference cycles, 3 per instruction */
	RULER_BRANCHES,		/* all retired branch instructions */
	RULER_COND_BRANCHES,	/* conditional ones */
	RULER_TAKEN_BRANCHES,	/* conditional ones that were taken */
	RULER_LOADS,		/* retired instructions that load (REP: per iteration) */
	RULER_STORES,		/* retired instructions that store (likewise) */
	RULER_DTLB_WALKS,	/* page walks for data */
	RULER_ITLB_WALKS,	/* page walks for instructions */
	RULER_INTERRUPTS,	/* hardware interrupts taken */
	RULER_PAGE_FAULTS,	/* #PF taken */
	RULER_NR_EVENTS
};

/* Slots: what the CPU was doing when the event happened. */
#define RULER_HOST_KERNEL  0u	/* CPL < 3, not in an SVM guest */
#define RULER_HOST_USER    1u	/* CPL 3, not in an SVM guest (PV guests: here) */
#define RULER_GUEST_KERNEL 2u
#define RULER_GUEST_USER   3u

#define RULER_EV(event, slot) ((event) * 4u + (slot))

/* Single counts. */
#define RULER_RDPMC       0x100u	/* RDPMC executed, faulting ones included */
#define RULER_PMU_RDMSR   0x101u	/* RDMSR of a PMU register, likewise */
#define RULER_PMU_WRMSR   0x102u	/* WRMSR to a PMU register, likewise */
#define RULER_HYPERCALLS  0x103u	/* SYSCALL from CPL 3 at an address of the upper half; VMMCALL */
#define RULER_SYSCALLS    0x104u	/* SYSCALL from CPL 3 at an address of the lower half */
#define RULER_GP_FAULTS   0x105u	/* #GP taken */
#define RULER_VMEXITS     0x106u	/* #VMEXIT taken */
#define RULER_PMIS        0x107u	/* overflow interrupts delivered to the LVTPC */
#define RULER_OWNER_FAULTS 0x108u	/* reads of a counter by a vCPU that did not load it */
#define RULER_VERSION     0x1ffu	/* returns RULER_VERSION_1 */

#define RULER_VERSION_1   0x52554c45523031ull

static inline uint64_t ruler_read(uint32_t index)
{
	uint32_t lo, hi;

	/*
	 * volatile and "memory": the read must stay between the two pieces of
	 * code that it separates.
	 */
	__asm__ __volatile__("xgetbv"
			     : "=a" (lo), "=d" (hi)
			     : "c" (RULER_MAGIC | index)
			     : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* An event of this CPU over all four slots. */
static inline uint64_t ruler_event_total(enum ruler_event event)
{
	uint64_t total = 0;
	unsigned int slot;

	for (slot = 0; slot < 4; slot++)
		total += ruler_read(RULER_EV(event, slot));
	return total;
}

#endif /* PERFCTR_RULER_H */
