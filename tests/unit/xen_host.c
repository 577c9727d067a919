// SPDX-License-Identifier: GPL-2.0-or-later
/* The PMUs of the pCPUs, and the rest of what xen_host.h promises. */

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <ucontext.h>

#include <asm/perfctr.h>

#include "xen/arch/x86/perfctr/private.h"

enum {
	INTEL_EVTSEL = 0x186,
	INTEL_COUNTER = 0x4c1,
	INTEL_FIXED = 0x309,
	INTEL_FIXED_CTRL = 0x38d,
	INTEL_GLOBAL_CTRL = 0x38f,
	INTEL_GLOBAL_CLEAR = 0x390,
	AMD_EVTSEL = 0xc0010200, /* counters lie between event selects */
};

struct xen_host_kind xen_host_kind;
struct xen_host_pmu xen_host_pmu[XEN_HOST_CPUS];
unsigned long xen_host_cr4[XEN_HOST_CPUS];
unsigned int xen_host_cpu;
uint64_t xen_host_tsc;
uint64_t xen_host_writes, xen_host_vain_writes;
unsigned int xen_host_fault_in;
struct vcpu *xen_host_current[XEN_HOST_CPUS];
struct cpuinfo_x86 boot_cpu_data;
struct hvm_funcs hvm_funcs;
struct cpu_user_regs xen_host_regs[XEN_HOST_CPUS];


void xen_host_printk(const char *format, ...)
{
	va_list arguments;

	if (!getenv("XEN_HOST_VERBOSE"))
		return;
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
}

unsigned long pv_make_cr4(const struct vcpu *v)
{
	return perfctr_may_rdpmc(v) ? X86_CR4_PCE : 0;
}

/* ----- the PMU ------------------------------------------------------------ */

uint64_t xen_host_mask(void)
{
	return ~UINT64_C(0) >> (64 - xen_host_kind.width);
}

static uint64_t *msr(uint32_t n)
{
	struct xen_host_pmu *pmu = &xen_host_pmu[xen_host_cpu];
	const unsigned int nr_general = xen_host_kind.nr_general;

	if (!xen_host_kind.global) {
		if (n < AMD_EVTSEL || n >= AMD_EVTSEL + 2 * nr_general)
			return NULL;
		n -= AMD_EVTSEL;
		return n % 2 ? &pmu->general[n / 2] : &pmu->evtsel[n / 2];
	}
	if (n >= INTEL_EVTSEL && n < INTEL_EVTSEL + nr_general)
		return &pmu->evtsel[n - INTEL_EVTSEL];
	if (n >= INTEL_COUNTER && n < INTEL_COUNTER + nr_general)
		return &pmu->general[n - INTEL_COUNTER];
	if (n >= INTEL_FIXED && n < INTEL_FIXED + xen_host_kind.nr_fixed)
		return &pmu->fixed[n - INTEL_FIXED];
	if (n == INTEL_FIXED_CTRL)
		return &pmu->fixed_ctrl;
	if (n == INTEL_GLOBAL_CTRL)
		return &pmu->global_ctrl;
	return NULL;
}

static bool is_counter(const uint64_t *reg)
{
	const struct xen_host_pmu *pmu = &xen_host_pmu[xen_host_cpu];

	return (reg >= pmu->general && reg < pmu->general + XEN_HOST_GENERAL) ||
	       (reg >= pmu->fixed && reg < pmu->fixed + XEN_HOST_FIXED);
}

int wrmsr_safe(uint32_t n, uint64_t value)
{
	static uint64_t flags;
	uint64_t *reg = msr(n);

	if (xen_host_fault_in && !--xen_host_fault_in)
		return -EFAULT;
	/* The overflow flags: nothing here sets them. */
	if (n == INTEL_GLOBAL_CLEAR && xen_host_kind.global)
		reg = &flags;
	if (!reg)
		return -EFAULT;
	xen_host_writes++;
	/*
	 * A count that another vCPU has left is written over even where it is
	 * the same; whether it was another's is not known here.
	 */
	xen_host_vain_writes += *reg == value && !(value && is_counter(reg));
	*reg = value;
	return 0;
}

uint64_t *xen_host_counter(unsigned int cpu, uint32_t index)
{
	struct xen_host_pmu *pmu = &xen_host_pmu[cpu];
	uint32_t n = index & ~XENPERFCTR_INDEX_FIXED;

	if (index & XENPERFCTR_INDEX_FIXED) {
		assert(n < xen_host_kind.nr_fixed);
		return &pmu->fixed[n];
	}
	assert(n < xen_host_kind.nr_general);
	return &pmu->general[n];
}

bool xen_host_counts(unsigned int cpu, uint32_t index, bool ring0)
{
	const struct xen_host_pmu *pmu = &xen_host_pmu[cpu];
	uint32_t n = index & ~XENPERFCTR_INDEX_FIXED;

	if (index & XENPERFCTR_INDEX_FIXED)
		return pmu->global_ctrl >> (32 + n) & 1 &&
		       pmu->fixed_ctrl >> (4 * n) & (ring0 ? 1 : 2);
	return (!xen_host_kind.global || pmu->global_ctrl >> n & 1) &&
	       pmu->evtsel[n] >> 22 & 1 &&
	       pmu->evtsel[n] >> (ring0 ? 17 : 16) & 1;
}

void xen_host_events(unsigned int cpu, unsigned int kind, uint64_t n,
		     bool ring0)
{
	struct xen_host_pmu *pmu = &xen_host_pmu[cpu];
	unsigned int i;

	for (i = 0; i < xen_host_kind.nr_general; i++)
		if ((pmu->evtsel[i] & 0xff) == kind &&
		    xen_host_counts(cpu, i, ring0))
			pmu->general[i] =
				(pmu->general[i] + n) & xen_host_mask();
	if (kind < xen_host_kind.nr_fixed &&
	    xen_host_counts(cpu, XENPERFCTR_INDEX_FIXED + kind, ring0))
		pmu->fixed[kind] = (pmu->fixed[kind] + n) & xen_host_mask();
}

/* RDPMC where Xen has it as an instruction. */
static void sigill(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t value =
		*xen_host_counter(xen_host_cpu, (uint32_t)regs[REG_RCX]);

	(void)signal;
	(void)info;
	regs[REG_RAX] = (uint32_t)value;
	regs[REG_RDX] = (greg_t)(value >> 32);
	regs[REG_RIP] += 2;
}

/* ----- in place of intel.c and amd.c: a PMU of any width ------------------ */

bool perfctr_intel_probe(struct perfctr_pmu *pmu, bool verbose)
{
	(void)verbose;
	pmu->vendor = XENPERFCTR_VENDOR_INTEL;
	pmu->version = 5;
	pmu->slots = ((1U << xen_host_kind.nr_general) - 1) |
		     ((1U << xen_host_kind.nr_fixed) - 1) << SLOT_FIXED;
	pmu->general_width = xen_host_kind.width;
	pmu->fixed_width = xen_host_kind.width;
	pmu->evtsel_mask = 0xff87ffff;
	pmu->evtsel_msr = INTEL_EVTSEL;
	pmu->counter_msr = INTEL_COUNTER;
	pmu->msr_stride = 1;
	pmu->fixed_msr = INTEL_FIXED;
	pmu->fixed_ctrl_msr = INTEL_FIXED_CTRL;
	pmu->global_ctrl_msr = INTEL_GLOBAL_CTRL;
	pmu->global_clear_msr = INTEL_GLOBAL_CLEAR;
	return true;
}

bool perfctr_amd_probe(struct perfctr_pmu *pmu, bool verbose)
{
	(void)verbose;
	pmu->vendor = XENPERFCTR_VENDOR_AMD;
	pmu->version = 1;
	pmu->slots = (1U << xen_host_kind.nr_general) - 1;
	pmu->general_width = xen_host_kind.width;
	pmu->evtsel_mask = 0xff87ffff;
	pmu->evtsel_msr = AMD_EVTSEL;
	pmu->counter_msr = AMD_EVTSEL + 1;
	pmu->msr_stride = 2;
	return true;
}

/* ----- booting ------------------------------------------------------------ */

void xen_host_cpu_up(unsigned int cpu)
{
	const unsigned int cpu_before = xen_host_cpu;

	xen_host_cpu = cpu;
	xen_host_notifier->notifier_call(xen_host_notifier, CPU_STARTING, NULL);
	xen_host_cpu = cpu_before;
}

void xen_host_boot(const struct xen_host_kind *kind)
{
	const struct sigaction action = {.sa_sigaction = sigill,
					 .sa_flags = SA_SIGINFO};
	unsigned int cpu;

	sigaction(SIGILL, &action, NULL);
	xen_host_kind = *kind;
	boot_cpu_data.x86_vendor =
		kind->global ? X86_VENDOR_INTEL : X86_VENDOR_AMD;
	memset(xen_host_pmu, 0x5a, sizeof(xen_host_pmu));
	memset(xen_host_cr4, 0, sizeof(xen_host_cr4));
	memset(xen_host_current, 0, sizeof(xen_host_current));
	xen_host_fault_in = 0;
	xen_host_cpu = 0;
	xen_host_tsc = 1000;
	assert(!xen_host_param("on") && !xen_host_initcall());
	assert(perfctr_active);
	for (cpu = 1; cpu < XEN_HOST_CPUS; cpu++)
		xen_host_cpu_up(cpu);
}
