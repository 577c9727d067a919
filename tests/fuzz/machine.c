// SPDX-License-Identifier: GPL-2.0-or-later
/* The pCPUs, see machine.h.  Registers: SDM vol. 3 and 4, APM vol. 2. */

#include <stdarg.h>
#include <stdio.h>

#include "fuzz.h"
#include "machine.h"

#include <asm/perfctr.h>

#define K_FIXED(bits) ((uint32_t)(bits) << FIXED)

const struct machine_kind machine_kinds[] = {
	{.name = "Intel v4, 8 + 4", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 4, .nr_general = 8, .nr_fixed = 4, .general_width = 48,
	 .fixed_width = 48, .slots = 0xff | K_FIXED(0xf), .hvm = true},
	{.name = "AMD PerfMonV2", .vendor = X86_VENDOR_AMD, .family = 0x19,
	 .version = 2, .nr_general = 6, .ext_core = true, .slots = 0x3f,
	 .hvm = true},
	{.name = "Intel v2, 2 + 3", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 2, .nr_general = 2, .nr_fixed = 3, .general_width = 40,
	 .fixed_width = 40, .slots = 3 | K_FIXED(7), .hvm = true},
	{.name = "AMD, 6", .vendor = X86_VENDOR_AMD, .family = 0x15,
	 .version = 1, .nr_general = 6, .ext_core = true, .slots = 0x3f,
	 .hvm = true},
	{.name = "AMD, 4", .vendor = X86_VENDOR_AMD, .family = 0x10,
	 .version = 1, .nr_general = 4, .slots = 0xf, .hvm = true},
	{.name = "Intel v5, gaps", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 5, .nr_general = 4, .nr_fixed = 1, .fixed_bitmap = 0x2a,
	 .general_width = 48, .fixed_width = 44, .slots = 0xf | K_FIXED(0x2b),
	 .hvm = true},
	{.name = "Intel v6, leaf 23H", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 6, .nr_general = 3, .nr_fixed = 3, .fixed_bitmap = 0xf1,
	 .general_width = 48, .fixed_width = 48, .leaf23 = true,
	 .slots = 0xa5 | K_FIXED(0x71), .hvm = true},
	{.name = "Intel v3, 64 bits, TSX", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 3, .nr_general = 4, .nr_fixed = 3, .general_width = 64,
	 .fixed_width = 64, .tsx = true, .slots = 7 | K_FIXED(7)},
	{.name = "Intel v5, 32 bits", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 5, .nr_general = 10, .general_width = 32,
	 .slots = 0xff, .hvm = true},
	{.name = "AMD family 0fh", .vendor = X86_VENDOR_AMD, .family = 0xf,
	 .version = 1, .nr_general = 4, .slots = 0xf},
	{.name = "Hygon", .vendor = X86_VENDOR_HYGON, .family = 0x18,
	 .version = 2, .nr_general = 4, .ext_core = true, .slots = 0xf,
	 .hvm = true},
	/* Not to be used. */
	{.name = "Intel v1", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 1, .nr_general = 2, .general_width = 40},
	{.name = "no full width", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 3, .nr_general = 4, .nr_fixed = 3, .general_width = 48,
	 .fixed_width = 48, .no_full_width = true},
	{.name = "no capabilities", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 3, .nr_general = 4, .nr_fixed = 3, .general_width = 48,
	 .fixed_width = 48, .no_pdcm = true},
	{.name = "capabilities fault", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 3, .nr_general = 4, .nr_fixed = 3, .general_width = 48,
	 .fixed_width = 48, .rdmsr_faults = true},
	{.name = "no general", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 3, .nr_fixed = 3, .general_width = 48, .fixed_width = 48},
	{.name = "width", .vendor = X86_VENDOR_INTEL, .family = 6,
	 .version = 3, .nr_general = 40, .nr_fixed = 3, .general_width = 31,
	 .fixed_width = 48},
	{.name = "no CPUID", .vendor = X86_VENDOR_INTEL, .family = 6},
	{.name = "AMD family 6", .vendor = X86_VENDOR_AMD, .family = 6,
	 .version = 1},
	{.name = "AMD without", .vendor = X86_VENDOR_AMD, .family = 0x19,
	 .version = 2, .ext_core = true},
	{.name = "unknown", .vendor = X86_VENDOR_UNKNOWN},
};
const unsigned int machine_nr_kinds =
	sizeof(machine_kinds) / sizeof(*machine_kinds);

const struct machine_kind *machine_kind;
struct machine_pmu machine_pmu[NR_PCPUS];
struct machine_cpu machine_cpu[NR_PCPUS];
bool machine_has_apic;
bool opt_watchdog;
int machine_odd;
unsigned int machine_fault_in, machine_fault_again, machine_faults;
int64_t machine_skew[NR_PCPUS];
struct hvm_funcs hvm_funcs;
unsigned int xen_host_cpu;
uint64_t xen_host_tsc;
unsigned long xen_host_cr4[XEN_HOST_CPUS];
struct vcpu *xen_host_current[XEN_HOST_CPUS];
struct cpu_user_regs xen_host_regs[XEN_HOST_CPUS];

/* ----- Xen's data, as it was loaded --------------------------------------- */

extern char __start_xen_data[], __stop_xen_data[];
static char *xen_data;
static struct {
	void *data;
	size_t size;
} more_data[4];
static unsigned int nr_more_data;

void machine_add_data(void *data, size_t size)
{
	assert(nr_more_data < sizeof(more_data) / sizeof(*more_data));
	more_data[nr_more_data].data = data;
	more_data[nr_more_data++].size = size;
}

void xen_host_printk(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	check(vsnprintf(text, sizeof(text), format, arguments) >= 0, "printk");
	va_end(arguments);
	if (getenv("XEN_HOST_VERBOSE"))
		fputs(text, stderr);
}

/* ----- CPUID -------------------------------------------------------------- */

void machine_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t reg[4])
{
	const struct machine_kind *k = machine_kind;
	bool odd = (int)xen_host_cpu == machine_odd;

	memset(reg, 0, 4 * sizeof(*reg));
	check(leaf >> 31 ? leaf <= boot_cpu_data.extended_cpuid_level
			 : leaf <= boot_cpu_data.cpuid_level,
	      "CPUID leaf %#x", leaf);
	switch (leaf) {
	case 7:
		if (subleaf == 1 && k->leaf23)
			reg[0] = 1U << 8;
		break;
	case 0xa:
		reg[0] = k->version | k->nr_general << 8 |
			 k->general_width << 16 | 7U << 24;
		reg[1] = odd ? 0xff : 0x80;
		reg[2] = k->fixed_bitmap;
		reg[3] = k->nr_fixed | k->fixed_width << 5;
		break;
	case 0x23:
		if (!subleaf)
			reg[0] = 1U << 1;
		else if (subleaf == 1) {
			reg[0] = 0x1a5;
			reg[1] = 0xf1;
		}
		break;
	case 0x80000001:
		reg[2] = k->ext_core ? 1U << 23 : 0;
		break;
	case 0x80000022:
		reg[0] = k->version == 2;
		reg[1] = k->nr_general - (odd && k->nr_general);
		break;
	}
}

bool machine_has_pdcm(void)
{
	return !machine_kind->no_pdcm;
}

bool machine_has_tsx(void)
{
	return machine_kind->tsx;
}

int machine_rdmsr(uint32_t msr, uint64_t *value)
{
	check(msr == MSR_IA32_PERF_CAPABILITIES && machine_has_pdcm(),
	      "RDMSR %#x", msr);
	if (machine_kind->rdmsr_faults)
		return -EFAULT;
	*value = machine_kind->no_full_width ? 0 : 1 << 13;
	return 0;
}

/* ----- registers ---------------------------------------------------------- */

bool machine_is_amd(void)
{
	return machine_kind->vendor != X86_VENDOR_INTEL;
}

bool machine_has_global(void)
{
	return !machine_is_amd() || machine_kind->version == 2;
}

uint64_t machine_mask(unsigned int slot)
{
	unsigned int width = machine_is_amd() ? 48
			     : slot < FIXED   ? machine_kind->general_width
					      : machine_kind->fixed_width;

	return width ? ~UINT64_C(0) >> (64 - width) : 0;
}

/* By counter, as in IA32_PERF_GLOBAL_CTRL. */
static uint64_t global_mask(void)
{
	return (machine_kind->slots & 0xffff) |
	       (uint64_t)(machine_kind->slots >> FIXED) << 32;
}

static uint64_t fixed_ctrl_mask(void)
{
	uint64_t mask = 0;
	unsigned int n;

	for (n = 0; n < NR_SLOT - FIXED; n++)
		if (machine_kind->slots >> (FIXED + n) & 1)
			mask |= UINT64_C(0xb) << 4 * n;
	return mask;
}

/* Bits that exist.  What a guest must not have is fuzz.c's. */
static uint64_t evtsel_mask(void)
{
	if (!machine_is_amd())
		return 0xffffffff;
	return machine_kind->family < 0x10 ? 0xffd7ffff : 0x30fffd7ffff;
}

static bool exists(unsigned int slot)
{
	return slot < NR_SLOT && machine_kind->slots >> slot & 1;
}

/* What register is it, and which bits has it? */
static uint64_t *find(struct machine_pmu *pmu, uint32_t msr, uint64_t *mask,
		      int *evtsel, int *counter)
{
	unsigned int n;

	*evtsel = *counter = -1;
	if (machine_is_amd()) {
		if (machine_has_global() && msr == 0xc0000301) {
			*mask = global_mask();
			return &pmu->global_ctrl;
		}
		if (machine_has_global() && msr == 0xc0000302) {
			*mask = global_mask();
			return &pmu->status;
		}
		if (machine_kind->ext_core) {
			n = msr - MSR_AMD_FAM15H_EVNTSEL0;
			if (n % 2)
				*counter = (int)(n / 2);
			else
				*evtsel = (int)(n / 2);
			n /= 2;
		} else {
			n = msr - MSR_K7_EVNTSEL0;
			if (n / 4)
				*counter = (int)n - 4;
			else
				*evtsel = (int)n;
			n = n / 4 ? n - 4 : n;
		}
	} else {
		switch (msr) {
		case MSR_CORE_PERF_FIXED_CTR_CTRL:
			*mask = fixed_ctrl_mask();
			return *mask ? &pmu->fixed_ctrl : NULL;
		case MSR_CORE_PERF_GLOBAL_CTRL:
			*mask = global_mask();
			return &pmu->global_ctrl;
		case MSR_CORE_PERF_GLOBAL_OVF_CTRL:
			*mask = global_mask();
			return &pmu->status;
		}
		if (msr >= 0x186 && msr < 0x186 + FIXED) {
			n = msr - 0x186;
			*evtsel = (int)n;
		} else if (msr >= 0x4c1 && msr < 0x4c1 + FIXED) {
			n = msr - 0x4c1;
			*counter = (int)n;
		} else if (msr >= 0x309 && msr < 0x309 + NR_SLOT - FIXED) {
			n = FIXED + msr - 0x309;
			*counter = (int)n;
		} else {
			return NULL;
		}
	}
	if (!exists(n))
		return NULL;
	*mask = *evtsel >= 0 ? evtsel_mask() : machine_mask(n);
	return *evtsel >= 0 ? &pmu->evtsel[n] : &pmu->value[n];
}

int wrmsr_safe(uint32_t msr, uint64_t value)
{
	struct machine_pmu *pmu = &machine_pmu[xen_host_cpu];
	int evtsel, counter;
	uint64_t mask, *reg;

	if (fuzz_verbose)
		fprintf(stderr, "   WRMSR %#x, %#" PRIx64 "%s\n", msr, value,
			machine_fault_in == 1 ? ": fault" : "");
	if (machine_fault_in && !--machine_fault_in) {
		machine_fault_in = machine_fault_again;
		machine_fault_again = 0;
		machine_faults++;
		return -EFAULT;
	}
	reg = find(pmu, msr, &mask, &evtsel, &counter);
	check(reg, "WRMSR %#x: #GP", msr);
	check(!(value & ~mask), "WRMSR %#x, %#" PRIx64 ": #GP", msr, value);
	if (evtsel >= 0)
		fuzz_check_evtsel((unsigned int)evtsel, value);
	if (reg == &pmu->status) {
		pmu->status &= ~value;
		return 0;
	}
	if (counter >= 0 && counter == pmu->broken)
		value &= ~(UINT64_C(1) << 20);
	*reg = value;
	return 0;
}

static int slot_of(uint32_t index)
{
	unsigned int n = index & ~(1U << 30);

	n += index >> 30 & 1 ? FIXED : 0;
	return index >> 31 || (!(index >> 30) && n >= FIXED) || !exists(n)
		       ? -1
		       : (int)n;
}

uint64_t machine_rdpmc(uint32_t index)
{
	int slot = slot_of(index);

	check(slot >= 0, "RDPMC %#x: #GP", index);
	return machine_pmu[xen_host_cpu].value[slot];
}

/* The instruction, with an entry in the table of exceptions. */
uint64_t machine_rdpmc_asm(uint32_t index, uintptr_t *ret);
uint64_t machine_rdpmc_asm(uint32_t index, uintptr_t *ret)
{
	extern const int32_t __start_machine_ex_table[];
	extern const int32_t __stop_machine_ex_table[];
	const int32_t *entry;
	int slot = slot_of(index);

	if (slot >= 0 && slot != machine_pmu[xen_host_cpu].unreadable)
		return machine_pmu[xen_host_cpu].value[slot];
	/* A call is 5 bytes long. */
	for (entry = __start_machine_ex_table; entry < __stop_machine_ex_table;
	     entry += 2)
		if ((uintptr_t)entry + (uintptr_t)(intptr_t)entry[0] ==
		    *ret - 5) {
			*ret = (uintptr_t)(entry + 1) +
			       (uintptr_t)(intptr_t)entry[1];
			return 0;
		}
	violation("RDPMC %#x: #GP", index);
}

__asm__(".text\n"
	".globl machine_rdpmc_thunk\n"
	"machine_rdpmc_thunk:\n\t"
	"push %rbp\n\t"
	"mov %rsp, %rbp\n\t"
	"push %rcx\n\t"
	"push %rsi\n\t"
	"push %rdi\n\t"
	"push %r8\n\t"
	"push %r9\n\t"
	"push %r10\n\t"
	"push %r11\n\t"
	"sub $528, %rsp\n\t"
	"and $-16, %rsp\n\t"
	"fxsave (%rsp)\n\t"
	"mov %ecx, %edi\n\t"
	"lea 8(%rbp), %rsi\n\t"
	"call machine_rdpmc_asm\n\t"
	"fxrstor (%rsp)\n\t"
	"lea -56(%rbp), %rsp\n\t"
	"mov %rax, %rdx\n\t"
	"shr $32, %rdx\n\t"
	"mov %eax, %eax\n\t"
	"pop %r11\n\t"
	"pop %r10\n\t"
	"pop %r9\n\t"
	"pop %r8\n\t"
	"pop %rdi\n\t"
	"pop %rsi\n\t"
	"pop %rcx\n\t"
	"pop %rbp\n\t"
	"ret\n\t"
	".previous");

void machine_apic_write(unsigned int reg, uint32_t value)
{
	check(machine_has_apic, "there is no APIC");
	check(reg == APIC_LVTPC, "APIC register %#x", reg);
	machine_pmu[xen_host_cpu].lvtpc = value;
}

uint64_t machine_tsc(void)
{
	return xen_host_tsc + (uint64_t)machine_skew[xen_host_cpu];
}

/* ----- counting ----------------------------------------------------------- */

bool machine_counts(unsigned int cpu, unsigned int slot, enum context ctx,
		    bool hvm, uint64_t global_ctrl)
{
	const struct machine_pmu *pmu = &machine_pmu[cpu];
	const bool guest = hvm && ctx != CTX_XEN;
	const bool ring0 = ctx == CTX_XEN || (hvm && ctx == CTX_KERNEL);
	const unsigned int n = slot - FIXED;
	uint64_t sel;

	if (!exists(slot))
		return false;
	if (slot >= FIXED)
		return global_ctrl >> (32 + n) & 1 &&
		       pmu->fixed_ctrl >> 4 * n & (ring0 ? 1 : 2);
	sel = pmu->evtsel[slot];
	if (!(sel & EN) || !(sel & (ring0 ? OS : USR)) ||
	    (machine_has_global() && !(global_ctrl >> slot & 1)))
		return false;
	/* Neither and both: in both. */
	return !(sel & GUEST_ONLY) == !(sel & HOST_ONLY) ||
	       !!(sel & GUEST_ONLY) == guest;
}

unsigned int event_kind(bool fixed, uint64_t x)
{
	if (!fixed)
		x = (x & 0xff) ^ (x >> 8 & 0xff) ^ (x >> 32 & 0xf);
	return (unsigned int)(x ^ x >> 2 ^ x >> 4) % NR_EVENT_KINDS;
}

unsigned int machine_event(unsigned int cpu, unsigned int slot)
{
	return slot < FIXED ? event_kind(false, machine_pmu[cpu].evtsel[slot])
			    : event_kind(true, slot - FIXED);
}

bool machine_interrupts(unsigned int cpu, unsigned int slot)
{
	return slot < FIXED ? machine_pmu[cpu].evtsel[slot] & INT
			    : machine_pmu[cpu].fixed_ctrl >> 4 * (slot - FIXED) &
				      8;
}

void machine_junk(unsigned int cpu, uint64_t seed, bool stopped)
{
	struct machine_pmu *pmu = &machine_pmu[cpu];
	unsigned int i;

	for (i = 0; i < NR_SLOT; i++) {
		seed = seed * 0x5851f42d4c957f2d + 0x14057b7ef767814f;
		if (!exists(i))
			continue;
		pmu->value[i] = seed & machine_mask(i);
		if (i < FIXED)
			pmu->evtsel[i] = (seed >> 24 & 0xffff) |
					 (stopped && machine_is_amd() ? 0 : EN) |
					 (seed >> 7 & (USR | OS | INT));
	}
	pmu->fixed_ctrl = seed & fixed_ctrl_mask();
	if (machine_has_global() && !(stopped && !machine_is_amd()))
		pmu->global_ctrl = global_mask();
	else
		pmu->global_ctrl = 0;
}

/* ----- booting ------------------------------------------------------------ */

void machine_reset(const struct machine_kind *kind)
{
	size_t size = (size_t)(__stop_xen_data - __start_xen_data);
	unsigned int i;

	if (!xen_data) {
		xen_data = malloc(size);
		memcpy(xen_data, __start_xen_data, size);
	}
	memcpy(__start_xen_data, xen_data, size);
	for (i = 0; i < nr_more_data; i++)
		memset(more_data[i].data, 0, more_data[i].size);
	xen_host_notifier = NULL;
	machine_kind = kind;
	memset(machine_pmu, 0, sizeof(machine_pmu));
	memset(xen_host_cr4, 0, sizeof(xen_host_cr4));
	memset(xen_host_regs, 0, sizeof(xen_host_regs));
	memset(machine_skew, 0, sizeof(machine_skew));
	for (i = 0; i < NR_PCPUS; i++) {
		machine_pmu[i].broken = machine_pmu[i].unreadable = -1;
		machine_pmu[i].lvtpc = LVTPC_MASKED;
		machine_cpu[i] = (struct machine_cpu){
			.x86_vendor = kind->vendor,
			.x86 = kind->family,
			.cpuid_level = kind->leaf23 ? 0x23 : kind->version ? 0xa
									   : 5,
			.extended_cpuid_level =
				kind->version == 2 ? 0x80000022 : 0x80000008,
		};
	}
	machine_fault_in = machine_fault_again = machine_faults = 0;
	machine_odd = -1;
	machine_has_apic = true;
	opt_watchdog = false;
	xen_host_cpu = 0;
	xen_host_tsc = 100000000;
	memset(&hvm_funcs, 0, sizeof(hvm_funcs));
}

bool machine_boot(const char *cmdline)
{
	bool good = !xen_host_param(cmdline);

	check(!xen_host_initcall(), "initcall");
	return good;
}

void machine_cpu_up(unsigned int cpu)
{
	const unsigned int before = xen_host_cpu;

	xen_host_cpu = cpu;
	if (xen_host_notifier) {
		xen_host_notifier->notifier_call(xen_host_notifier,
						 CPU_STARTING, NULL);
		/* Others are not its business. */
		xen_host_notifier->notifier_call(xen_host_notifier,
						 CPU_STARTING + 1, NULL);
	}
	xen_host_cpu = before;
}
