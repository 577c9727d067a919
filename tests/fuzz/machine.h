/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pCPUs of the fuzzer, whose PMU is as strict as the manuals: what has a
 * reserved bit set, or is no register, faults; and here a fault that nobody
 * has asked for is the end.
 */
#ifndef TESTS_MACHINE_H
#define TESTS_MACHINE_H

#include "xen_fuzz.h"

/* Something is not as it should be: says so and ends the process. */
void violation(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#define check(condition, ...)                                                  \
	do {                                                                   \
		if (!(condition))                                              \
			violation(__VA_ARGS__);                                \
	} while (0)

/* Counters by number: fixed counter n is 16 + n. */
#define NR_SLOT 24
#define FIXED   16

/* Of event selects. */
#define USR         (UINT64_C(1) << 16)
#define OS          (UINT64_C(1) << 17)
#define INT         (UINT64_C(1) << 20)
#define EN          (UINT64_C(1) << 22)
#define GUEST_ONLY  (UINT64_C(1) << 40)
#define HOST_ONLY   (UINT64_C(1) << 41)

struct machine_kind {
	const char *name;
	unsigned int vendor, family;
	/* Intel: what CPUID says. */
	unsigned int version, nr_general, nr_fixed, fixed_bitmap;
	unsigned int general_width, fixed_width;
	bool leaf23, no_full_width, no_pdcm, rdmsr_faults;
	/* Microcode uses counter 3. */
	bool tsx;
	/* AMD. */
	bool ext_core;
	/* What Xen has to make of it; 0: nothing. */
	uint32_t slots;
	/* VMX: entry and exit load the global control; SVM: GuestOnly. */
	bool hvm;
};

extern const struct machine_kind machine_kinds[];
extern const unsigned int machine_nr_kinds;

struct machine_pmu {
	uint64_t evtsel[16];
	uint64_t value[NR_SLOT];
	uint64_t fixed_ctrl, global_ctrl;
	uint64_t status;
	uint32_t lvtpc;
	/* Counter that does not hold a bit, or can't be read; -1: none. */
	int broken, unreadable;
};

#define LVTPC_MASKED (1U << 16)

extern const struct machine_kind *machine_kind;
extern struct machine_pmu machine_pmu[NR_PCPUS];
/* A pCPU that has other counters than the first. */
extern int machine_odd;
/* WRMSR number so many from here on faults; and so many after that; 0: none. */
extern unsigned int machine_fault_in, machine_fault_again;
extern unsigned int machine_faults;
extern int64_t machine_skew[NR_PCPUS];

enum context { CTX_USER, CTX_KERNEL, CTX_XEN };

void machine_reset(const struct machine_kind *kind);
/* Xen's start; false: the command line was refused. */
bool machine_boot(const char *cmdline);
void machine_cpu_up(unsigned int cpu);
uint64_t machine_mask(unsigned int slot);
bool machine_has_global(void);
bool machine_is_amd(void);
/* Firmware's or the vPMU's values. */
void machine_junk(unsigned int cpu, uint64_t seed, bool stopped);
/*
 * Does it count in a mode of a guest of that kind, or in Xen, with this global
 * control?
 */
bool machine_counts(unsigned int cpu, unsigned int slot, enum context ctx,
		    bool hvm, uint64_t global_ctrl);
/* What, by our own numbers. */
unsigned int machine_event(unsigned int cpu, unsigned int slot);
unsigned int event_kind(bool fixed, uint64_t evtsel_or_n);
#define NR_EVENT_KINDS 4
bool machine_interrupts(unsigned int cpu, unsigned int slot);

/* fuzz.c's: an event select is about to be written. */
void fuzz_check_evtsel(unsigned int n, uint64_t value);

#endif /* TESTS_MACHINE_H */
