// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel that tests the emulated PMU, and nothing else.
 *
 * It is told on its command line what the PMU should be like (vendor=,
 * version=, general=, fixed=, width=, fixed_width=, full_width=, model=) and
 * derives what every bit of every register has to do from that, not from
 * CPUID, which it checks as well.  It writes "ok - ..." and "not ok - ...".
 * With owner=1 it tests only whose each counter is (pmu-owner=xen).
 *
 * Where a rule comes from: ../README.md.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "../../ruler/ruler.h"

typedef uint64_t u64;
typedef uint32_t u32;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(n) (1ull << (n))

/* start.S */
typedef void code(void);
extern char trap_stubs[], stack_top[], pml4[];
extern code bare_iret, user_done, measure, measure_ruler;
extern u64 gdt[], test_table[512];
void user_call(code *fn);
void run_guest(u64 vmcb);
extern char guest_code[], guest_rdtscp[], guest_rdpmc[], guest_xsetbv[];
extern char guest_after_xsetbv[], guest_after_rdpmc[], guest_rdmsr[], guest_wrmsr[];
extern struct __attribute__((packed)) { uint16_t limit; u64 base; } gdt_pointer;

u32 multiboot_info, measure_index;
code *measure_block;
u64 measure_result, kernel_rsp, fault_address;
volatile u64 fault_resume;
unsigned char buffer[1 << 20] __attribute__((aligned(4096)));

/*
 * Output
 */
static inline void outb(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a" (v), "Nd" (port));
}

static void put(const char *s)
{
	while (*s)
		outb(0xe9, *s++);
}

static void put_hex(u64 v)
{
	char s[19], *p = s + 18;

	*p = 0;
	do
		*--p = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	*--p = 'x';
	*--p = '0';
	put(p);
}

static unsigned failures;
static const char *now_testing;

static void fail(const char *what, u64 where, u64 got, u64 want)
{
	if (failures++ < 20) {
		put("# ");
		put(now_testing);
		put(": ");
		put(what);
		put(" ");
		put_hex(where);
		put(": got ");
		put_hex(got);
		put(", want ");
		put_hex(want);
		put("\n");
	}
}

static void check(const char *what, u64 where, u64 got, u64 want)
{
	if (got != want)
		fail(what, where, got, want);
}

static void __attribute__((noreturn)) finish(uint8_t status)
{
	outb(0xf4, status);
	for (;;)
		asm volatile("cli; hlt");
}

/*
 * What the PMU should be like
 */
static struct {
	u64 amd, version, general, fixed, width, fixed_width, full_width;
	u64 nehalem, zen, perfmonv2, core, svm, owner;
} conf;

static const struct {
	const char *name;
	u64 *value;
} option[] = {
	{ "amd", &conf.amd },
	{ "version", &conf.version },
	{ "general", &conf.general },
	{ "fixed", &conf.fixed },
	{ "width", &conf.width },
	{ "fixed_width", &conf.fixed_width },
	{ "full_width", &conf.full_width },
	{ "nehalem", &conf.nehalem },
	{ "zen", &conf.zen },
	{ "perfmonv2", &conf.perfmonv2 },
	{ "core", &conf.core },
	{ "svm", &conf.svm },
	{ "owner", &conf.owner },
};

static void parse(const char *s)
{
	while (*s) {
		for (unsigned i = 0; i < ARRAY_SIZE(option); i++) {
			const char *a = s, *b = option[i].name;
			u64 v = 0;

			while (*b && *a == *b)
				a++, b++;
			if (*b || *a++ != '=')
				continue;
			while (*a >= '0' && *a <= '9')
				v = v * 10 + *a++ - '0';
			*option[i].value = v;
		}
		while (*s && *s++ != ' ')
			;
	}
}

static u64 mask(unsigned bits)
{
	return bits ? ~0ull >> (64 - bits) : 0;
}

/*
 * The processor
 */
struct frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx,
	    rax, vector, error, rip, cs, rflags, rsp, ss;
};

#define NO_FAULT	(-1)
#define GP		13
#define VECTOR_PMI	0x40
#define VECTOR_TIMER	0x41

static volatile int fault_vector;
static volatile u64 page_faults, steps, timer_ticks, timer_rsi, pmis, pmi_rip, int82s;

static volatile u32 *apic(u32 reg)
{
	return (volatile u32 *)(0xfee00000ull + reg);
}

static u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a" (lo), "=d" (hi) : "c" (msr));
	return (u64)hi << 32 | lo;
}

static void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c" (msr), "a" ((u32)v), "d" ((u32)(v >> 32))
		     : "memory");
}

#define MAY_FAULT(insn) "movq $1f, fault_resume\n\t" insn "\n1:\n\t"

static int fault_of(void)
{
	int v = fault_vector;

	fault_resume = 0;
	fault_vector = NO_FAULT;
	return v;
}

static int wrmsr_fault(u32 msr, u64 v)
{
	asm volatile(MAY_FAULT("wrmsr") : : "c" (msr), "a" ((u32)v),
		     "d" ((u32)(v >> 32)) : "memory");
	return fault_of();
}

static int rdmsr_fault(u32 msr, u64 *v)
{
	u32 lo = 0, hi = 0;

	asm volatile(MAY_FAULT("rdmsr") : "+a" (lo), "+d" (hi) : "c" (msr)
		     : "memory");
	*v = (u64)hi << 32 | lo;
	return fault_of();
}

static int rdpmc_fault(u32 index, u64 *v)
{
	u32 lo = 0, hi = 0;

	asm volatile(MAY_FAULT("rdpmc") : "+a" (lo), "+d" (hi) : "c" (index)
		     : "memory");
	*v = (u64)hi << 32 | lo;
	return fault_of();
}

static u64 rdpmc(u32 index)
{
	u32 lo, hi;

	asm volatile("rdpmc" : "=a" (lo), "=d" (hi) : "c" (index) : "memory");
	return (u64)hi << 32 | lo;
}

static void cpuid(u32 leaf, u32 *r)
{
	asm volatile("cpuid" : "=a" (r[0]), "=b" (r[1]), "=c" (r[2]),
		     "=d" (r[3]) : "a" (leaf), "c" (0));
}

static void set_cr4_pce(bool on)
{
	u64 cr4;

	asm volatile("mov %%cr4, %0" : "=r" (cr4));
	cr4 = on ? cr4 | BIT(8) : cr4 & ~BIT(8);
	asm volatile("mov %0, %%cr4" : : "r" (cr4));
}

static unsigned char page_pool[16][4096] __attribute__((aligned(4096)));

void handle_trap(struct frame *f)
{
	switch (f->vector) {
	case 1:
		steps++;
		return;
	case 2:
	case VECTOR_PMI:
		if (!pmis++)
			pmi_rip = f->rip;
		if (f->vector == VECTOR_PMI)
			*apic(0xb0) = 0;
		return;
	case VECTOR_TIMER:
		if (!timer_ticks++)
			timer_rsi = f->rsi;
		*apic(0xb0) = 0;
		return;
	case 0x80:
		f->rip = (u64)user_done;
		f->cs = 0x08;
		f->ss = 0x10;
		f->rsp = kernel_rsp;
		f->rflags = 2;
		return;
	case 0x82:
		int82s++;
		return;
	case 14: {
		u64 cr2;

		asm volatile("mov %%cr2, %0" : "=r" (cr2));
		if (cr2 >> 32 == 1 && (cr2 & 0xffffffff) < 0x10000) {
			unsigned page = (cr2 >> 12) & 15;

			page_faults++;
			test_table[page] = (u64)page_pool[page] | 7;
			return;
		}
		break;
	}
	}
	if (fault_resume) {
		f->rip = fault_resume;
		fault_resume = 0;
		fault_vector = f->vector;
		return;
	}
	put("# unexpected trap ");
	put_hex(f->vector);
	put(" at ");
	put_hex(f->rip);
	put("\nnot ok - no unexpected trap\n");
	finish(1);
}

static void unmap_test_pages(void)
{
	u64 cr3;

	for (unsigned i = 0; i < 16; i++)
		test_table[i] = 0;
	asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=&r" (cr3) : : "memory");
}

static struct { u32 lo, mid, hi, reserved; } idt[256];
static u32 tss[26];

static void set_gate(unsigned vector, void *handler, unsigned dpl)
{
	u64 h = (u64)handler;

	idt[vector].lo = (h & 0xffff) | 0x08 << 16;
	idt[vector].mid = (h & 0xffff0000) | 0x8e00 | dpl << 13;
	idt[vector].hi = h >> 32;
}

static unsigned char trap_stack[65536] __attribute__((aligned(16)));

/* The TSS at this address, with this stack for what comes from user mode */
static void load_tss(u64 t, u64 top)
{
	tss[1] = top;
	tss[2] = top >> 32;
	gdt[5] = (sizeof(tss) - 1) | (t & 0xffffff) << 16 | 0x89ull << 40 |
		 (t >> 24 & 0xff) << 56;
	gdt[6] = t >> 32;
	asm volatile("ltr %w0" : : "r" (0x28) : "memory");
}

static void set_up_cpu(void)
{
	struct __attribute__((packed)) { uint16_t limit; u64 base; } p = {
		sizeof(idt) - 1, (u64)idt
	};

	for (unsigned i = 0; i < 256; i++)
		set_gate(i, trap_stubs + 16 * i, i >= 0x80 ? 3 : 0);
	set_gate(0x81, bare_iret, 3);
	asm volatile("lidt %0" : : "m" (p));

	load_tss((u64)tss, (u64)trap_stack + sizeof(trap_stack));
	*apic(0xf0) = 0x1ff;
	outb(0x21, 0xff);	/* nothing from the PICs */
	outb(0xa1, 0xff);
}

/*
 * Registers: which exist, which bits can be set
 */
#define GLOBAL_CTRL	(conf.amd ? 0xc0000301u : 0x38fu)
#define GLOBAL_STATUS	(conf.amd ? 0xc0000300u : 0x38eu)
#define STATUS_RESET	(conf.amd ? 0xc0000302u : 0x390u)
#define STATUS_SET	0x391u
#define DEBUGCTL	0x1d9u

static bool has_global(void)
{
	return conf.amd ? conf.perfmonv2 : conf.version >= 2;
}

static u32 select_msr(unsigned i)
{
	return !conf.amd ? 0x186 + i : conf.core ? 0xc0010200 + 2 * i :
	       0xc0010000 + i;
}

static u32 counter_msr(unsigned i)
{
	return !conf.amd ? 0xc1 + i : conf.core ? 0xc0010201 + 2 * i :
	       0xc0010004 + i;
}

static u64 counter_bits(void)
{
	return mask(conf.general) | mask(conf.fixed) << 32;
}

static u64 expect_select(void)
{
	if (conf.amd)
		return 0x30fffdfffffull & ~(BIT(19) | BIT(36) | BIT(37) |
					    BIT(38) | BIT(39));
	return 0xffdfffff |
	       (conf.version == 3 || conf.version == 4 ? BIT(21) : 0);
}

static u64 expect_fixed_ctrl(void)
{
	unsigned nibble = conf.version == 3 || conf.version == 4 ? 0xf : 0xb;

	return 0x1111111111111111ull * nibble & mask(4 * conf.fixed);
}

static u64 expect_reset(void)
{
	u64 v = counter_bits();

	if (conf.amd)
		return -1;
	v |= BIT(62) | BIT(63);
	if (conf.version >= 3)
		v |= BIT(61);
	if (conf.version >= 4)
		v |= BIT(58) | BIT(59);
	return v;
}

enum { READ_ONLY = 1, READS_ZERO = 2, READS_WIDTH = 4, READS_SIGNED = 8 };

static void check_register(const char *what, u32 msr, u64 valid, unsigned how,
			   unsigned width)
{
	u64 v, old = 0;

	check("RDMSR faults", msr, rdmsr_fault(msr, &old), NO_FAULT);
	if (how & READ_ONLY) {
		check("WRMSR of its value does not fault", msr,
		      wrmsr_fault(msr, old), GP);
		check("WRMSR of 0 does not fault", msr, wrmsr_fault(msr, 0),
		      GP);
		return;
	}
	for (unsigned bit = 0; bit < 64; bit++) {
		u64 w = BIT(bit), want = w;

		check(what, (u64)msr << 8 | bit, wrmsr_fault(msr, w),
		      valid & w ? NO_FAULT : GP);
		if (!(valid & w))
			continue;
		v = rdmsr(msr);
		if (how & READS_ZERO)
			want = 0;
		if (how & READS_SIGNED)
			want = (u64)(int64_t)(int32_t)w;
		if (how & (READS_WIDTH | READS_SIGNED))
			want &= mask(width);
		check("reads back", (u64)msr << 8 | bit, v, want);
	}
	wrmsr(msr, 0);
}

static void stop_all(void)
{
	for (unsigned i = 0; i < conf.general; i++) {
		wrmsr(select_msr(i), 0);
		wrmsr(counter_msr(i), 0);
	}
	for (unsigned i = 0; i < conf.fixed; i++)
		wrmsr(0x309 + i, 0);
	if (conf.fixed)
		wrmsr(0x38d, 0);
	if (!conf.amd || conf.perfmonv2)
		wrmsr(DEBUGCTL, 0);
	if (has_global()) {
		wrmsr(GLOBAL_CTRL, 0);
		wrmsr(STATUS_RESET, rdmsr(GLOBAL_STATUS));
	}
	*apic(0x340) = 0x10000;
	pmis = 0;
	pmi_rip = 0;
}

static void check_absent(u32 msr)
{
	u64 v;

	check("absent register can be read", msr, rdmsr_fault(msr, &v), GP);
	check("absent register can be written", msr, wrmsr_fault(msr, 0), GP);
}

static void test_registers(void)
{
	u64 v;

	stop_all();
	if (has_global())	/* nothing counts while it is looked at */
		wrmsr(GLOBAL_CTRL, 0);
	for (unsigned i = 0; i < conf.general; i++) {
		check_register("reserved bit of a select", select_msr(i),
			       expect_select(), 0, 64);
		if (conf.amd)
			check_register("counter", counter_msr(i), -1,
				       READS_WIDTH, 48);
		else
			check_register("counter", counter_msr(i), -1,
				       READS_SIGNED, conf.width);
		if (!conf.amd && conf.full_width)
			check_register("reserved bit of a counter", 0x4c1 + i,
				       mask(conf.width), 0, 64);
	}
	if (conf.amd) {
		for (unsigned i = 0; i < 4; i++) {	/* aliases */
			wrmsr(0xc0010004 + i, 1234 + i);
			check("alias", i, rdmsr(counter_msr(i)), 1234 + i);
			check_register("select", 0xc0010000 + i,
				       expect_select(), 0, 64);
		}
		for (unsigned i = 0; !conf.core && i < 12; i++)
			check_absent(0xc0010200 + i);
		check_absent(0xc0000303);
		for (u32 m = 0xc0000300; !conf.perfmonv2 && m < 0xc0000303; m++)
			check_absent(m);
	} else {
		for (unsigned i = conf.general; i < 8; i++) {
			check_absent(0xc1 + i);
			check_absent(0x186 + i);
			check_absent(0x4c1 + i);
		}
		for (unsigned i = 0; !conf.full_width && i < 8; i++)
			check_absent(0x4c1 + i);
		for (unsigned i = conf.fixed; i < 8; i++)
			check_absent(0x309 + i);
		check_absent(0x329);
		check_absent(0x3f1);
		check_absent(0x600);
		for (unsigned i = 0; i < conf.fixed; i++)
			check_register("reserved bit of a fixed counter",
				       0x309 + i, mask(conf.fixed_width), 0,
				       64);
		for (u32 m = 0x38d; conf.version < 2 && m <= 0x390; m++)
			check_absent(m);
		if (conf.version >= 2)
			check_register("reserved bit of FIXED_CTR_CTRL", 0x38d,
				       expect_fixed_ctrl(), 0, 64);
		if (conf.version >= 4) {
			check_register("reserved bit of STATUS_SET", STATUS_SET,
				       expect_reset() & ~BIT(63), READS_ZERO,
				       64);
			wrmsr(STATUS_RESET, expect_reset());
			check_register("INUSE", 0x392, 0, READ_ONLY, 64);
		} else {
			check_absent(STATUS_SET);
			check_absent(0x392);
		}
		check_register("PERF_CAPABILITIES", 0x345, 0, READ_ONLY, 64);
		check("PERF_CAPABILITIES", 0x345, rdmsr(0x345),
		      conf.full_width ? BIT(13) : 0);
		check("MISC_ENABLE", 0x1a0, rdmsr(0x1a0) & 0x1880, 0x1880);
		check_register("reserved bit of DEBUGCTL", DEBUGCTL,
			       conf.version < 2 ? 0x43 : 0x1843, 0, 64);
	}
	if (has_global()) {
		check_register("reserved bit of GLOBAL_CTRL", GLOBAL_CTRL,
			       counter_bits(), 0, 64);
		check_register("GLOBAL_STATUS", GLOBAL_STATUS, 0, READ_ONLY,
			       64);
		check_register("reserved bit of STATUS_RESET", STATUS_RESET,
			       expect_reset(), READS_ZERO, 64);
	}
	stop_all();
	for (unsigned i = 0; i < 64; i++) {
		u32 index = i < 32 ? i : (1u << 30) + i - 32;
		bool there = i < 32 ? i < conf.general : i - 32 < conf.fixed;

		check("RDPMC of counter", index, rdpmc_fault(index, &v),
		      there ? NO_FAULT : GP);
	}
	for (unsigned bit = 5; bit < 32; bit++)
		if (bit != 30 || !conf.fixed)
			check("RDPMC with bit", bit,
			      rdpmc_fault(1u << bit, &v), GP);
}

static void test_cpuid(void)
{
	u32 r[4];

	cpuid(1, r);
	check("PDCM", 1, r[2] >> 15 & 1, !conf.amd);
	cpuid(0, r);
	if (r[0] >= 10)
		cpuid(10, r);
	else
		r[0] = r[1] = r[2] = r[3] = 0;
	if (conf.amd) {
		check("leaf 0xa", 10, r[0] | r[1] | r[2] | r[3], 0);
		cpuid(0x80000001, r);
		check("PerfCtrExtCore", 0, r[2] >> 23 & 1, conf.core);
		cpuid(0x80000000, r);
		check("leaf 0x80000022", r[0], r[0] >= 0x80000022,
		      conf.perfmonv2);
		if (conf.perfmonv2) {
			cpuid(0x80000022, r);
			/* PerfMonV2, and that freezing is there */
			check("PerfMonV2", 0, r[0], 5);
			check("counters", 0, r[1], 6);
		}
		return;
	}
	check("EAX", 10, r[0], conf.version | conf.general << 8 |
	      conf.width << 16 | 7 << 24);
	check("EBX", 10, r[1], 0x58);
	check("ECX", 10, r[2], conf.version >= 5 ? mask(conf.fixed) : 0);
	check("EDX", 10, r[3], conf.version < 2 ? 0 :
	      conf.fixed | conf.fixed_width << 5 |
	      (conf.version >= 5 ? 1 << 15 : 0));
}

/*
 * Events
 */
enum { INSN, CYCLES, REF, BRANCHES, COND, TAKEN, LOADS, STORES, NR_EVENTS };

struct events {
	u64 insn, branches, cond, taken, loads, stores;
};

static u64 event_of(const struct events *e, unsigned ev)
{
	u64 v[NR_EVENTS] = {
		e->insn, 2 * e->insn, 3 * e->insn, e->branches, e->cond,
		e->taken, e->loads, e->stores
	};

	return v[ev];
}

enum { KERNEL = 1, USER = 2, BOTH = 3 };

#define BLOCKS(B) \
	B(nops,             BOTH,  10, 0, 0, 0, 0, 0) \
	B(count_down,       BOTH,  2001, 1000, 1000, 999, 0, 0) \
	B(loop,             BOTH,  101, 100, 100, 99, 0, 0) \
	B(jrcxz,            BOTH,  4, 2, 2, 1, 0, 0) \
	B(jumps,            BOTH,  4, 3, 0, 0, 1, 0) \
	B(calls,            BOTH,  5, 4, 0, 0, 2, 2) \
	B(push_pop,         BOTH,  4, 0, 0, 0, 3, 3) \
	B(modify,           BOTH,  6, 0, 0, 0, 6, 6) \
	B(moves,            BOTH,  8, 0, 0, 0, 4, 3) \
	B(enter_leave,      BOTH,  2, 0, 0, 0, 1, 1) \
	B(movs,             BOTH,  4, 0, 0, 0, 1000000, 1000000) \
	B(stos,             BOTH,  3, 0, 0, 0, 0, 1000000) \
	B(lods,             BOTH,  3, 0, 0, 0, 100000, 0) \
	B(rep_zero,         BOTH,  4, 0, 0, 0, 0, 0) \
	B(scas,             BOTH,  4, 0, 0, 0, 11, 0) \
	B(cmps,             BOTH,  4, 0, 0, 0, 8, 0) \
	B(string_once,      BOTH,  5, 0, 0, 0, 2, 2) \
	B(software_int,     KERNEL, 4, 4, 0, 0, 2, 0) \
	B(software_int,     USER,  2, 2, 0, 0, 0, 0) \
	B(conditional_move, BOTH,  2, 0, 0, 0, 1, 1) \
	B(page_cross,       BOTH,  2, 1, 0, 0, 0, 0) \
	B(self_modify,      BOTH,  5, 0, 0, 0, 1, 2) \
	B(many,             BOTH,  3000, 0, 0, 0, 0, 0) \
	B(branchy,          BOTH,  BRANCHY_INSN, BRANCHY_BR, BRANCHY_BR, \
				   BRANCHY_TAKEN, 0, 0) \
	/* two movq to memory retire, ud2 and cli do not */ \
	B(invalid,          USER,  2, 0, 0, 0, 0, 2) \
	B(fault_load,       USER,  4, 0, 0, 0, 3, 2) \
	B(fault_call,       USER,  6, 2, 0, 0, 2, 1) \
	B(fault_push,       USER,  7, 0, 0, 0, 2, 1) \
	B(fault_movs,       USER,  4, 0, 0, 0, 32769, 32768) \
	B(spin,             USER,  6000001, 3000000, 3000000, 2999999, 0, 0) \
	B(stepped,          USER,  8, 0, 0, 0, 4, 4)

/*
 * branchy: ECX from 333 to 0, 334 rounds of 3 to 5 instructions; the first
 * test jumps if ECX is even, the second if bit 1 is set.
 * even: 167 rounds (test jz sub jae); odd with bit 1: 83 (3, 7 .. 331),
 * odd without: 84 (1, 5 .. 333) with a nop.
 */
#define BRANCHY_INSN	(1 + 167 * 4 + 83 * 6 + 84 * 7)
#define BRANCHY_BR	(167 * 2 + 167 * 3)
#define BRANCHY_TAKEN	(167 + 83 + 333)

#define B(name, mode, ...) extern code block_##name;
BLOCKS(B)
#undef B
extern code block_empty;

static const struct {
	const char *name;
	code *fn;
	unsigned mode;
	struct events e;
} blocks[] = {
#define B(name, mode, ...) { #name, block_##name, mode, { __VA_ARGS__ } },
	BLOCKS(B)
#undef B
};

static u64 event_select(unsigned ev)
{
	static const uint16_t skylake[] = {
		0x00c0, 0x003c, 0x013c, 0x00c4, 0x01c4, 0x02fe, 0x81d0, 0x82d0
	};
	static const uint16_t nehalem[] = {
		0x00c0, 0x003c, 0x013c, 0x00c4, 0x01c4, 0x02fe, 0x010b, 0x020b
	};
	static const uint16_t zen[] = {
		0x00c0, 0x0076, 0x04fe, 0x00c2, 0x00d1, 0x02fe, 0x0129, 0x0229
	};
	static const uint16_t k10[] = {
		0x00c0, 0x0076, 0x04fe, 0x00c2, 0, 0x02fe, 0, 0
	};

	return conf.zen ? zen[ev] : conf.amd ? k10[ev] :
	       conf.nehalem ? nehalem[ev] : skylake[ev];
}

#define SEL_USR		BIT(16)
#define SEL_OS		BIT(17)
#define SEL_EDGE	BIT(18)
#define SEL_INT		BIT(20)
#define SEL_EN		BIT(22)
#define SEL_INV		BIT(23)

static u64 run_measure(code *m, code *fn, unsigned mode)
{
	/* All pages of the buffer and the code are in the TLB afterwards. */
	measure_block = block_empty;
	fault_address = BIT(32);
	measure_block = fn;
	unmap_test_pages();
	if (mode == USER)
		user_call(m);
	else
		m();
	return measure_result;
}

static u64 run_above_empty(code *m, code *fn, unsigned mode)
{
	u64 empty = run_measure(m, block_empty, mode);

	return (run_measure(m, fn, mode) - empty) & mask(conf.width);
}

static void start_general(unsigned i, u64 select)
{
	wrmsr(select_msr(i), select);
	if (has_global())
		wrmsr(GLOBAL_CTRL, BIT(i));
}

static void test_blocks(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
	for (unsigned mode = KERNEL; mode <= USER; mode++)
	for (unsigned ev = 0; ev < NR_EVENTS; ev++) {
		u64 want = event_of(&blocks[i].e, ev);
		unsigned c = ev % conf.general;

		if (!(blocks[i].mode & mode))
			continue;
		now_testing = blocks[i].name;
		measure_index = RULER_MAGIC |
				RULER_EV(ev, mode == USER ? RULER_HOST_USER :
						RULER_HOST_KERNEL);
		check(mode == USER ? "ruler, user, event" :
		      "ruler, kernel, event", ev,
		      run_above_empty(measure_ruler, blocks[i].fn, mode), want);
		if (!event_select(ev))
			continue;
		stop_all();
		measure_index = c;
		start_general(c, event_select(ev) | SEL_EN |
			      (mode == USER ? SEL_USR : SEL_OS));
		check(mode == USER ? "counter, user, event" :
		      "counter, kernel, event", ev,
		      run_above_empty(measure, blocks[i].fn, mode),
		      want & mask(conf.width));
	}
}

/*
 * CMPXCHG8B and CMPXCHG16B change ZF only, of flags that a comparison before them
 * has set, and POPF before that: an interrupt right behind them saves all of EFLAGS.
 */
static void test_compare_and_exchange(void)
{
	static u64 memory[2] __attribute__((aligned(16)));
	/* CF, PF, AF, ZF, SF, OF; RF, VM, AC, VIF, VIP, ID */
	const u64 looked_at = 0x3f08d5, zf = 1 << 6;
	/* 0 - operand: CF, PF, SF */
	const u64 operand = 0x3f0000, want = 0x85;
	unsigned equal;
	u64 flags;

	for (equal = 0; equal < 2; equal++) {
		u64 low = !equal, high = 0;

		memory[0] = memory[1] = 0;
		asm volatile("pushfq; popfq; cmp %5, %4; lock cmpxchg16b %1; pushfq; pop %0"
			     : "=r"(flags), "+m"(memory), "+a"(low), "+d"(high)
			     : "r"(0ul), "r"(operand), "b"(0ul), "c"(0ul) : "cc");
		check("flags after CMPXCHG16B, equal", equal, flags & looked_at,
		      want | (equal ? zf : 0));
		low = !equal, high = 0;
		asm volatile("pushfq; popfq; cmp %5, %4; lock cmpxchg8b %1; pushfq; pop %0"
			     : "=r"(flags), "+m"(memory[0]), "+a"(low), "+d"(high)
			     : "r"(0ul), "r"(operand), "b"(0ul), "c"(0ul) : "cc");
		check("flags after CMPXCHG8B, equal", equal, flags & looked_at,
		      want | (equal ? zf : 0));
	}
}

static void test_timer(void)
{
	/* A timer interrupt must not show in what user mode counts. */
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++) {
		if (blocks[i].fn != block_spin && blocks[i].fn != block_movs)
			continue;
		for (unsigned ev = 0; ev < NR_EVENTS; ev++) {
			if (!event_select(ev))
				continue;
			stop_all();
			timer_ticks = 0;
			*apic(0x3e0) = 0xb;
			*apic(0x320) = VECTOR_TIMER | 1 << 17;
			*apic(0x380) = 20000;
			measure_index = 0;
			start_general(0, event_select(ev) | SEL_EN | SEL_USR);
			/* again if the host was too busy to interrupt us */
			for (unsigned try = 0; try < 20; try++) {
				check("interrupted, event", ev,
				      run_above_empty(measure, blocks[i].fn,
						      USER),
				      event_of(&blocks[i].e, ev) &
				      mask(conf.width));
				if (timer_ticks)
					break;
			}
			*apic(0x380) = 0;
			*apic(0x320) = 0x10000;
			if (blocks[i].fn == block_spin && !timer_ticks)
				fail("no timer interrupts", 0, 0, 1);
		}
	}
}

static void test_step(void)
{
	steps = 0;
	stop_all();
	measure_index = 0;
	start_general(0, event_select(INSN) | SEL_EN | SEL_USR);
	check("single-stepped instructions", 0,
	      run_above_empty(measure, block_stepped, USER), 8);
	check("steps", 0, steps, 5);
}

static void test_filters(void)
{
	static const struct { u64 bits; bool kernel, user; } t[] = {
		{ 0, false, false },
		{ SEL_OS, true, false },
		{ SEL_USR, false, true },
		{ SEL_OS | SEL_USR, true, true },
	};

	measure_index = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		stop_all();
		start_general(0, event_select(INSN) | SEL_EN | t[i].bits);
		check("kernel", i, run_above_empty(measure, block_nops, KERNEL),
		      t[i].kernel ? 10 : 0);
		check("user", i, run_above_empty(measure, block_nops, USER),
		      t[i].user ? 10 : 0);
		wrmsr(select_msr(0), event_select(INSN) | t[i].bits);
		check("disabled", i,
		      run_above_empty(measure, block_nops, KERNEL), 0);
	}
	if (has_global()) {
		start_general(0, event_select(INSN) | SEL_EN | SEL_OS);
		wrmsr(GLOBAL_CTRL, 0);
		check("global control", 0,
		      run_above_empty(measure, block_nops, KERNEL), 0);
	}
}

static void test_thresholds(void)
{
	static const struct { u64 bits; unsigned insn, cycles; } t[] = {
		{ BIT(24), 10, 20 },
		{ BIT(25), 0, 0 },
		{ BIT(24) | SEL_INV, 10, 0 },	/* 20 cycles, 10 with one */
		{ BIT(28) | SEL_INV, 20, 20 },
		{ SEL_INV, 10, 20 },
		{ SEL_EDGE, 10, 0 },
		{ SEL_EDGE | BIT(24), 10, 0 },
		{ SEL_EDGE | BIT(25), 0, 0 },
	};

	measure_index = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		stop_all();
		start_general(0, event_select(INSN) | SEL_EN | SEL_OS |
			      t[i].bits);
		check("instructions", i,
		      run_above_empty(measure, block_nops, KERNEL), t[i].insn);
		start_general(0, event_select(CYCLES) | SEL_EN | SEL_OS |
			      t[i].bits);
		check("cycles", i,
		      run_above_empty(measure, block_nops, KERNEL),
		      t[i].cycles);
	}
}

static void test_fixed(void)
{
	static const unsigned factor[] = { 1, 2, 3, 8 };

	for (unsigned i = 0; i < conf.fixed; i++)
	for (unsigned ctrl = 0; ctrl < 4; ctrl++) {
		stop_all();
		wrmsr(0x38d, (u64)ctrl << 4 * i);
		wrmsr(0x38f, BIT(32 + i));
		measure_index = 1u << 30 | i;
		check("kernel", i << 4 | ctrl,
		      run_above_empty(measure, block_nops, KERNEL),
		      ctrl & 1 ? 10 * factor[i] : 0);
		check("user", i << 4 | ctrl,
		      run_above_empty(measure, block_nops, USER),
		      ctrl & 2 ? 10 * factor[i] : 0);
	}
}

/* Every counter at once */
static void test_all_counters(void)
{
	stop_all();
	for (unsigned i = 0; i < conf.general; i++)
		wrmsr(select_msr(i), event_select(INSN) | SEL_EN | SEL_USR);
	if (conf.fixed)
		wrmsr(0x38d, 0x2222 & mask(4 * conf.fixed));
	if (has_global())
		wrmsr(GLOBAL_CTRL, counter_bits());
	for (unsigned i = 0; i < conf.general; i++) {
		measure_index = i;
		check("general", i, run_above_empty(measure, block_many, USER),
		      3000);
	}
	for (unsigned i = 0; i < conf.fixed; i++) {
		static const unsigned factor[] = { 1, 2, 3, 8 };

		measure_index = 1u << 30 | i;
		check("fixed", i, run_above_empty(measure, block_many, USER),
		      3000 * factor[i]);
	}
}

/*
 * Overflow
 */
#define SEQUENCES(S) \
	S(nop, INSN, 1) S(jmp, BRANCHES, 2) S(not_taken, COND, 2) \
	S(taken, TAKEN, 2) S(load, LOADS, 2) S(store, STORES, 2)
#define S(name, ...) extern char sequence_##name[], sequence_##name##_code[];
SEQUENCES(S)
#undef S

static const struct {
	const char *name;
	char *fn, *start;
	unsigned event, length;
} sequences[] = {
#define S(name, event, length) \
	{ #name, sequence_##name, sequence_##name##_code, event, length },
	SEQUENCES(S)
#undef S
};

/* A write of this value to this MSR starts counting with the WRMSR itself. */
static void run_sequence_at(const char *fn, u32 msr, u64 value, u64 data)
{
	u32 stop = msr, lo = value, hi = value >> 32;

	asm volatile("sti\n\t"
		     "clc\n\t"
		     "mov %[stop], %%r8d\n\t"
		     "call *%[fn]\n\t"
		     "cli"
		     : "+c" (msr), "+a" (lo), "+d" (hi), "+S" (data)
		     : [fn] "r" (fn), [stop] "r" (stop)
		     : "r8", "rbx", "memory", "cc");
}

static void run_sequence(const char *fn, u32 msr, u64 value)
{
	run_sequence_at(fn, msr, value, (u64)buffer);
}

static void test_overflow(void)
{
	unsigned c = conf.general - 1;

	for (unsigned nmi = 0; nmi < 2; nmi++)
	for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++)
	for (unsigned k = 1; k <= 32; k++) {
		unsigned ev = sequences[i].event;
		u64 sel = event_select(ev) | SEL_EN | SEL_OS | SEL_INT;
		/* the WRMSR is the first instruction that counts */
		unsigned events = k + (ev == INSN);

		if (!event_select(ev))
			continue;
		stop_all();
		*apic(0x340) = nmi ? 0x400 : VECTOR_PMI;
		wrmsr(counter_msr(c), 0 - (u64)events);
		if (has_global()) {
			wrmsr(select_msr(c), sel);
			run_sequence(sequences[i].fn, GLOBAL_CTRL, BIT(c));
		} else {
			run_sequence(sequences[i].fn, select_msr(c), sel);
		}
		now_testing = sequences[i].name;
		check("interrupts", k, pmis, 1);
		check("interrupted at", k, pmi_rip,
		      (u64)sequences[i].start + k * sequences[i].length);
		check("mask bit of LVTPC", k, *apic(0x340) >> 16 & 1,
		      !conf.amd);
		if (has_global()) {
			check("status", k, rdmsr(GLOBAL_STATUS), BIT(c));
			wrmsr(STATUS_RESET, BIT(c));
			check("status", k, rdmsr(GLOBAL_STATUS), 0);
		}
	}
}

static void overflow_in_nops(u64 sel)
{
	wrmsr(counter_msr(0), -4ull);
	if (has_global()) {
		wrmsr(select_msr(0), sel);
		run_sequence(sequence_nop, GLOBAL_CTRL, 1);
	} else {
		run_sequence(sequence_nop, select_msr(0), sel);
	}
}

static void test_masked_overflow(void)
{
	u64 sel = event_select(INSN) | SEL_EN | SEL_OS | SEL_INT;

	stop_all();		/* leaves LVTPC masked */
	overflow_in_nops(sel);
	if (has_global())
		check("status", 0, rdmsr(GLOBAL_STATUS), 1);
	check("interrupts", 0, pmis, 0);

	/* and no interrupt if the counter does not ask for one */
	stop_all();
	*apic(0x340) = VECTOR_PMI;
	overflow_in_nops(sel & ~SEL_INT);
	if (has_global())
		check("status", 1, rdmsr(GLOBAL_STATUS), 1);
	check("interrupts", 1, pmis, 0);
	check("mask bit of LVTPC", 1, *apic(0x340) >> 16 & 1, 0);

	/* and none through a local APIC that software has disabled */
	stop_all();
	*apic(0x340) = VECTOR_PMI;
	*apic(0xf0) = 0xff;
	overflow_in_nops(sel);
	*apic(0xf0) = 0x1ff;
	asm volatile("sti; nop; cli" : : : "memory");
	check("interrupts", 2, pmis, 0);
	stop_all();
}

/*
 * A counter, which asks for no interrupt, overflows with the @k-th instruction from the
 * WRMSR on that starts it: how it is started.
 */
static u32 overflow_quietly(unsigned k, u64 *value)
{
	u64 sel = event_select(INSN) | SEL_EN | SEL_OS;

	stop_all();
	wrmsr(counter_msr(0), 0 - (u64)k);
	*value = has_global() ? 1 : sel;
	if (!has_global())
		return select_msr(0);
	wrmsr(select_msr(0), sel);
	return GLOBAL_CTRL;
}

/* ... while an interrupt waits: that is not put off. */
static void test_pending_interrupt(void)
{
	const u64 n = 1000000;

	for (unsigned k = 1; k <= 16; k++) {
		u64 value, left = n;
		u32 msr = overflow_quietly(k, &value);

		timer_ticks = 0;
		/* to itself */
		*apic(0x300) = 1 << 18 | VECTOR_TIMER;
		asm volatile("wrmsr\n\t"
			     "sti\n\t"
			     "nop\n"
			     "1:\tdec %%rsi\n\t"
			     "jnz 1b\n\t"
			     "cli"
			     : "+S" (left)
			     : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32))
			     : "memory", "cc");
		check("interrupts", k, timer_ticks, 1);
		check("iterations left at the interrupt", k, timer_rsi, n);
	}
	stop_all();
}

/* ... while the CPU is halted: it stays so until an interrupt. */
static void test_halt(void)
{
	*apic(0x3e0) = 0xb;
	*apic(0x320) = VECTOR_TIMER;
	for (unsigned k = 1; k <= 8; k++) {
		u64 value;
		u32 msr = overflow_quietly(k, &value);

		timer_ticks = 0;
		*apic(0x380) = 200000;
		asm volatile("wrmsr\n\t"
			     "sti\n\t"
			     "hlt\n\t"
			     "cli"
			     : : "c" (msr), "a" ((u32)value), "d" ((u32)(value >> 32))
			     : "memory");
		check("halted until the interrupt", k, timer_ticks, 1);
		*apic(0x380) = 0;
		/* One that comes late all the same */
		asm volatile("sti; nop; cli" : : : "memory");
	}
	*apic(0x320) = 0x10000;
	stop_all();
}

static void test_fixed_overflow(void)
{
	static const unsigned factor[] = { 1, 2, 3, 8 };

	for (unsigned i = 0; i < conf.fixed; i++)
	for (unsigned k = 1; k < 20; k++) {
		stop_all();
		*apic(0x340) = VECTOR_PMI;
		wrmsr(0x309 + i, (0 - (u64)(k + 1) * factor[i]) &
		      mask(conf.fixed_width));
		wrmsr(0x38d, 9ull << 4 * i);
		run_sequence(sequence_nop, GLOBAL_CTRL, BIT(32 + i));
		check("interrupted at", i << 8 | k, pmi_rip,
		      (u64)sequence_nop_code + k);
		check("status", i, rdmsr(GLOBAL_STATUS), BIT(32 + i));
	}
}

extern code user_int82;

/* The overflowing instruction leaves user mode. */
static void test_boundary_overflow(void)
{
	u64 sel = event_select(INSN) | SEL_EN | SEL_USR | SEL_INT;

	stop_all();
	*apic(0x340) = 0x400;
	if (has_global())
		wrmsr(GLOBAL_CTRL, 1);
	wrmsr(counter_msr(0), -3ull);
	wrmsr(select_msr(0), sel);
	user_call(user_int82);
	check("interrupts", 0, pmis, 1);
	check("interrupted at", 0, pmi_rip, (u64)trap_stubs + 16 * 0x82);
	stop_all();
}

static void test_status(void)
{
	if (conf.amd || conf.version < 4)
		return;
	stop_all();
	wrmsr(STATUS_SET, expect_reset() & ~BIT(63));
	check("set", 0, rdmsr(GLOBAL_STATUS), expect_reset() & ~BIT(63));
	wrmsr(STATUS_RESET, 1);
	check("one reset", 0, rdmsr(GLOBAL_STATUS),
	      expect_reset() & ~BIT(63) & ~1ull);
	wrmsr(STATUS_RESET, expect_reset());
	check("all reset", 0, rdmsr(GLOBAL_STATUS), 0);
	check("no interrupt", 0, pmis, 0);

	wrmsr(select_msr(1), 0xc0 | SEL_INT);
	check("in use", 0, rdmsr(0x392), BIT(1) | BIT(63));
	wrmsr(select_msr(1), 0);
	check("in use", 1, rdmsr(0x392), 0);
}

static void test_freeze(void)
{
	u64 sel = event_select(INSN) | SEL_EN | SEL_OS | SEL_INT;
	bool frz = conf.amd || conf.version >= 4;

	if (!has_global())
		return;
	stop_all();
	*apic(0x340) = VECTOR_PMI;
	wrmsr(DEBUGCTL, BIT(12));
	wrmsr(select_msr(0), sel);
	wrmsr(select_msr(1), sel & ~SEL_INT);
	wrmsr(counter_msr(0), -5ull);
	asm volatile("sti");
	wrmsr(GLOBAL_CTRL, 3);
	asm volatile("nop; nop; nop; nop; nop; nop; nop; nop; cli");
	check("interrupts", 0, pmis, 1);
	check("frozen at", 0, rdpmc(0), 0);
	check("frozen with it", 0, rdpmc(1), 5);
	check("status", 0, rdmsr(GLOBAL_STATUS), 1 | (frz ? BIT(59) : 0));
	check("global control", 0, rdmsr(GLOBAL_CTRL), frz ? 3 : 0);
	if (frz) {
		wrmsr(STATUS_RESET, BIT(59) | 1);
		check("status", 1, rdmsr(GLOBAL_STATUS), 0);
	} else {
		wrmsr(GLOBAL_CTRL, 3);
	}
	if (!rdpmc(0))
		fail("still frozen", 0, 0, 1);
	stop_all();
}

static void test_rdpmc_in_user_mode(void)
{
	/* measure() executes RDPMC first thing. */
	stop_all();
	measure_index = 0;
	measure_block = block_empty;
	set_cr4_pce(false);
	fault_resume = (u64)user_done - 2;	/* int $0x80 */
	user_call(measure);
	check("#GP without CR4.PCE", 0, fault_of(), GP);
	set_cr4_pce(true);
	user_call(measure);
	check("with CR4.PCE", 0, fault_of(), NO_FAULT);
}

static void test_walks(void)
{
	static const struct { u32 code; unsigned ruler; } skylake[] = {
		{ 0x0185, RULER_ITLB_WALKS }, { 0x01fe, RULER_PAGE_FAULTS },
		{ 0x01cb, RULER_INTERRUPTS }, { 0x0149, RULER_DTLB_WALKS },
	}, zen[] = {
		{ 0x0185, RULER_ITLB_WALKS }, { 0x01fe, RULER_PAGE_FAULTS },
		{ 0x002c, RULER_INTERRUPTS }, { 0xff45, RULER_DTLB_WALKS },
	};

	if (conf.nehalem || (conf.amd && !conf.zen))
		return;
	/* rep movsb from mapped pages to 8 unmapped ones: stores */
	for (unsigned i = 0; i < ARRAY_SIZE(zen); i++) {
		u32 sel = conf.zen ? zen[i].code : skylake[i].code;
		unsigned slot = RULER_EV(zen[i].ruler, RULER_HOST_USER);
		u64 r0, r1;

		stop_all();
		measure_block = block_fault_movs;
		unmap_test_pages();
		r0 = ruler_read(slot);
		start_general(0, sel | SEL_EN | SEL_USR);
		user_call(measure);
		wrmsr(select_msr(0), sel);
		r1 = ruler_read(slot);
		if (zen[i].ruler == RULER_PAGE_FAULTS)
			check("page faults", i, r1 - r0, 8);
		if (zen[i].ruler == RULER_DTLB_WALKS && !conf.zen) {
			/* the ruler has the loads too */
			if (rdpmc(0) < 8 || rdpmc(0) > r1 - r0)
				fail("walks for stores", i, rdpmc(0), r1 - r0);
			continue;
		}
		check("counter and ruler", i, rdpmc(0), r1 - r0);
	}
}

extern char sequence_walk[], sequence_walk_code[];

static void test_walk_overflow(void)
{
	u64 sel = (conf.zen ? 0x1045 : conf.amd ? 0x0146 : 0x0108) | SEL_EN |
		  SEL_OS | SEL_INT;
	u64 cr3;

	for (unsigned k = 1; k < 16; k++) {
		stop_all();
		*apic(0x340) = VECTOR_PMI;
		for (unsigned i = 0; i < 16; i++)
			test_table[i] = (u64)page_pool[i] | 7;
		asm volatile("mov %%cr3, %0; mov %0, %%cr3" : "=&r" (cr3) : :
			     "memory");
		wrmsr(counter_msr(0), -(u64)k);
		if (has_global()) {
			wrmsr(select_msr(0), sel);
			run_sequence_at(sequence_walk, GLOBAL_CTRL, 1,
					BIT(32));
		} else {
			run_sequence_at(sequence_walk, select_msr(0), sel,
					BIT(32));
		}
		check("interrupts", k, pmis, 1);
		check("interrupted at", k, pmi_rip,
		      (u64)sequence_walk_code + 9 * (k - 1) + 2);
	}
}

/* Overflow of an event that is counted outside translated code */
static void test_page_fault_overflow(void)
{
	stop_all();
	*apic(0x340) = 0x400;
	unmap_test_pages();
	fault_address = BIT(32);
	wrmsr(counter_msr(0), -2ull);
	start_general(0, 0x01fe | SEL_EN | SEL_USR | SEL_INT);
	user_call(block_fault_load);
	check("interrupts", 0, pmis, 1);
	check("interrupted at", 0, pmi_rip, (u64)trap_stubs + 16 * 14);
	stop_all();
}

/*
 * SVM
 */
static unsigned char vmcb[4096] __attribute__((aligned(4096)));
static unsigned char hsave[4096] __attribute__((aligned(4096)));
static unsigned char permissions[16384] __attribute__((aligned(4096)));
static unsigned char guest_stack[4096];

static u64 *vmcb64(unsigned offset)
{
	return (u64 *)(vmcb + offset);
}

static void set_segment(unsigned offset, u32 selector, u32 attrib)
{
	*vmcb64(offset) = selector | (u64)attrib << 16 | 0xffffffffull << 32;
	*vmcb64(offset + 8) = 0;
}

static void prepare_guest(const void *rip)
{
	u64 cr;

	*vmcb64(0x0c) = 0;
	*(u32 *)(vmcb + 0x10) = 3;		/* VMRUN, VMMCALL */
	*vmcb64(0x40) = (u64)permissions;
	*vmcb64(0x48) = (u64)permissions;
	*(u32 *)(vmcb + 0x58) = 1;		/* ASID */
	set_segment(0x400, 0x10, 0xc93);
	set_segment(0x410, 0x08, 0xa9b);
	set_segment(0x420, 0x10, 0xc93);
	set_segment(0x430, 0x10, 0xc93);
	*(u32 *)(vmcb + 0x464) = 0xffff;
	*vmcb64(0x468) = (u64)gdt;
	*(u32 *)(vmcb + 0x484) = sizeof(idt) - 1;
	*vmcb64(0x488) = (u64)idt;
	*vmcb64(0x4d0) = rdmsr(0xc0000080);
	asm("mov %%cr4, %0" : "=r" (cr));
	*vmcb64(0x548) = cr;
	asm("mov %%cr3, %0" : "=r" (cr));
	*vmcb64(0x550) = cr;
	asm("mov %%cr0, %0" : "=r" (cr));
	*vmcb64(0x558) = cr;
	*vmcb64(0x560) = 0x400;
	*vmcb64(0x568) = 0xffff0ff0;
	*vmcb64(0x570) = 2;
	*vmcb64(0x578) = (u64)rip;
	*vmcb64(0x5d8) = (u64)guest_stack + sizeof(guest_stack);
}

static void xsetbv(u32 index, u64 v)
{
	asm volatile("xsetbv" : : "c" (index), "a" ((u32)v), "d" (v >> 32));
}

static u64 xgetbv(u32 index)
{
	u32 low, high;

	asm volatile("xgetbv" : "=a" (low), "=d" (high) : "c" (index));
	return (u64)high << 32 | low;
}

static void enable_svm(void)
{
	wrmsr(0xc0000080, rdmsr(0xc0000080) | BIT(12));
	wrmsr(0xc0010117, (u64)hsave);
}

/* XSETBV: the intercept comes first, and XCR0 remains what it was. */
static void test_guest_xsetbv(void)
{
	u32 r[4];
	u64 cr4;

	cpuid(1, r);
	if (!(r[2] & BIT(26)))		/* XSAVE */
		return;
	asm volatile("mov %%cr4, %0" : "=r" (cr4));
	asm volatile("mov %0, %%cr4" : : "r" (cr4 | BIT(18)));
	xsetbv(0, 3);
	prepare_guest(guest_xsetbv);
	*(u32 *)(vmcb + 0x10) |= BIT(13);
	run_guest((u64)vmcb);
	check("XSETBV intercepted", 0, *vmcb64(0x70), 0x8d);
	check("next RIP", 10, *vmcb64(0xc8),
	      conf.zen ? (u64)guest_after_xsetbv : 0);
	check("XCR0 of the host", 0, xgetbv(0), 3);
	prepare_guest(guest_xsetbv);
	run_guest((u64)vmcb);
	check("XSETBV not intercepted", 0, *vmcb64(0x70), 0x81);
	check("XCR0 of the guest", 0, xgetbv(0), 1);
	asm volatile("mov %0, %%cr4" : : "r" (cr4));
}

static void test_guest(void)
{
	/* 201 instructions; the VMMCALL that exits does not retire */
	static const struct { u64 bits; u64 guest; bool host; } t[] = {
		{ 0, 201, true },
		{ BIT(40), 201, false },
		{ BIT(41), 0, true },
		{ BIT(40) | BIT(41), 201, true },
	};
	u64 exits;

	if (!conf.svm)
		return;

	/* Before SVM is on, a counter for guest or host only counts nothing. */
	for (unsigned i = 1; i < ARRAY_SIZE(t); i++) {
		stop_all();
		measure_index = 0;
		start_general(0, event_select(INSN) | SEL_EN | SEL_OS |
			      t[i].bits);
		check("without SVME", i,
		      run_above_empty(measure, block_nops, KERNEL), 0);
	}

	enable_svm();
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
		u64 g, r0;

		stop_all();
		start_general(0, event_select(INSN) | SEL_EN | SEL_OS |
			      t[i].bits);
		prepare_guest(guest_code);
		r0 = ruler_read(RULER_EV(RULER_INSN, RULER_GUEST_KERNEL));
		g = rdpmc(0);
		run_guest((u64)vmcb);
		g = rdpmc(0) - g;
		check("ruler", i, ruler_read(RULER_EV(RULER_INSN,
						      RULER_GUEST_KERNEL)) -
		      r0, 201);
		check("exit code", i, *vmcb64(0x70), 0x81);
		check("next RIP", i, *vmcb64(0xc8),
		      conf.zen ? (u64)guest_rdtscp : 0);
		if (t[i].host && g <= t[i].guest)
			fail("nothing of the host", i, g, t[i].guest);
		if (!t[i].host)
			check("guest only", i, g, t[i].guest);
		if (g > t[i].guest + 30)
			fail("too much", i, g, t[i].guest);
	}

	/* RDTSCP: its own intercept, not RDTSC's */
	exits = ruler_read(RULER_VMEXITS);
	prepare_guest(guest_rdtscp);
	*(u32 *)(vmcb + 0x0c) = BIT(14);	/* RDTSC */
	run_guest((u64)vmcb);
	check("RDTSC intercepted", 0, *vmcb64(0x70), 0x81);
	prepare_guest(guest_rdtscp);
	*(u32 *)(vmcb + 0x10) |= BIT(7);	/* RDTSCP */
	run_guest((u64)vmcb);
	check("RDTSCP intercepted", 0, *vmcb64(0x70), 0x87);
	check("next RIP", 9, *vmcb64(0xc8),
	      conf.zen ? (u64)guest_rdtscp + 3 : 0);
	check("exits", 0, ruler_read(RULER_VMEXITS) - exits, 2);

	test_guest_xsetbv();
}

/* The MSR that guest_rdmsr and guest_wrmsr access */
u32 guest_msr;

/* In the permission map: have reads (bit 0) and writes (bit 1) exit. */
static void intercept_msr(u32 msr, unsigned bits)
{
	unsigned at = (msr >= 0xc0010000 ? 16384 + msr - 0xc0010000 :
		       8192 + msr - 0xc0000000) * 2;

	permissions[at / 8] &= ~(3 << at % 8);
	permissions[at / 8] |= bits << at % 8;
}

/* Both accesses, with each of the map's two bits set alone */
static void check_guest_msr(u32 msr)
{
	guest_msr = msr;
	for (unsigned write = 0; write < 2; write++)
	for (unsigned bit = 0; bit < 2; bit++) {
		unsigned kind = write ? RULER_PMU_WRMSR : RULER_PMU_RDMSR;
		u64 done;

		intercept_msr(msr, 1 << bit);
		done = ruler_read(kind);
		prepare_guest(write ? guest_wrmsr : guest_rdmsr);
		*(u32 *)(vmcb + 0x0c) = BIT(28);
		run_guest((u64)vmcb);
		check("exit code", msr, *vmcb64(0x70),
		      write == bit ? 0x7c : 0x81);
		if (write == bit)
			check("exit information", msr, *vmcb64(0x78), write);
		check("accesses done", msr, ruler_read(kind) - done,
		      write != bit);
	}
	intercept_msr(msr, 0);
}

static void test_guest_exits(void)
{
	u64 done;

	if (!conf.svm)
		return;
	enable_svm();
	stop_all();
	done = ruler_read(RULER_RDPMC);
	prepare_guest(guest_rdpmc);
	*(u32 *)(vmcb + 0x0c) = BIT(15);
	run_guest((u64)vmcb);
	check("RDPMC intercepted", 0, *vmcb64(0x70), 0x6f);
	check("next RIP", 0, *vmcb64(0xc8),
	      conf.zen ? (u64)guest_after_rdpmc : 0);
	check("RDPMC done", 0, ruler_read(RULER_RDPMC) - done, 0);

	for (unsigned i = 0; i < conf.general; i++) {
		check_guest_msr(select_msr(i));
		check_guest_msr(counter_msr(i));
	}
	if (conf.perfmonv2)
		check_guest_msr(GLOBAL_CTRL);
}

/*
 * A counter of the guest alone overflows: the guest is left with exactly that
 * instruction, and the host has its interrupt as soon as it wants to.
 */
static void test_guest_overflow(void)
{
	static const struct { u32 lvtpc, intercept; u64 exit; } t[] = {
		{ VECTOR_PMI, BIT(0), 0x60 },		/* INTR */
		{ 0x400, BIT(1), 0x61 },		/* NMI */
	};

	if (!conf.svm)
		return;
	enable_svm();
	for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
	for (unsigned k = 2; k < 200; k += 33) {
		stop_all();
		*apic(0x340) = t[i].lvtpc;
		wrmsr(counter_msr(0), -(u64)k);
		start_general(0, event_select(INSN) | SEL_EN | SEL_OS |
			      SEL_INT | BIT(40));
		prepare_guest(guest_code);
		*(u32 *)(vmcb + 0x0c) = t[i].intercept;
		*(u32 *)(vmcb + 0x60) = BIT(24);	/* V_INTR_MASKING */
		asm volatile("sti");
		run_guest((u64)vmcb);
		asm volatile("nop; cli");
		*(u32 *)(vmcb + 0x60) = 0;
		check("exit code", k, *vmcb64(0x70), t[i].exit);
		/* a MOV of 5 bytes, then DEC and JNZ of 2 in turn */
		check("left at", k, *vmcb64(0x578),
		      (u64)guest_code + (k % 2 ? 5 : 7));
		check("next RIP", k, *vmcb64(0xc8), 0);
		check("counter", k, rdpmc(0), 0);
		check("interrupts", k, pmis, 1);
	}
	stop_all();
}

static void test_ruler(void)
{
	u64 a, b;

	check("version", 0, ruler_read(RULER_VERSION), RULER_VERSION_1);
	a = ruler_read(RULER_PMU_WRMSR);
	wrmsr(select_msr(0), 0);
	wrmsr_fault(select_msr(0), BIT(63));
	b = ruler_read(RULER_PMU_WRMSR);
	check("WRMSR", 0, b - a, 2);
	a = ruler_read(RULER_PMU_RDMSR);
	rdmsr(select_msr(0));
	check("RDMSR", 0, ruler_read(RULER_PMU_RDMSR) - a, 1);
	a = ruler_read(RULER_RDPMC);
	rdpmc(0);
	check("RDPMC", 0, ruler_read(RULER_RDPMC) - a, 1);
	a = ruler_read(RULER_GP_FAULTS);
	wrmsr_fault(select_msr(0), BIT(63));
	check("#GP", 0, ruler_read(RULER_GP_FAULTS) - a, 1);
	a = ruler_event_total(RULER_INSN);
	b = ruler_event_total(RULER_INSN);
	if (b <= a)
		fail("does not advance", 0, b, a);
	a = ruler_read(RULER_EV(RULER_INSN, RULER_HOST_KERNEL));
	b = ruler_read(RULER_ALL_CPUS | RULER_EV(RULER_INSN,
						 RULER_HOST_KERNEL));
	if (b <= a)
		fail("all CPUs", 0, b, a);
}

static void test_mwait(void)
{
	u32 r[4];

	cpuid(1, r);
	if (!(r[2] & 8))
		return;
	*apic(0x3e0) = 0xb;
	*apic(0x320) = VECTOR_TIMER;
	*apic(0x380) = 1000;
	fault_of();
	asm volatile("monitor" : : "a" (buffer), "c" (0), "d" (0));
	asm volatile(MAY_FAULT("mwait") : : "a" (0), "c" (1) : "memory");
	check("MWAIT with ECX = 1", 0, fault_of(), NO_FAULT);
	asm volatile(MAY_FAULT("mwait") : : "a" (0), "c" (2) : "memory");
	check("MWAIT with ECX = 2", 0, fault_of(), GP);
	asm volatile("sti; nop; cli");
	*apic(0x320) = 0x10000;
}

/*
 * Owners of counters
 *
 * The stack is laid out as Xen's: what is pushed on entry ends below ES, and
 * the pointer to the current vCPU is above.  Nobody looks at what the pointers
 * to the vCPUs point to.
 */
#define UPPER_HALF	0xffff800000000000ull
#define VCPU_A		(UPPER_HALF + 0xa000)
#define VCPU_B		(UPPER_HALF + 0xb000)

static struct {
	unsigned char stack[65536];
	u64 es, ds, fs, gs;
	u32 processor, reserved;
	volatile u64 current;
} xen_stack __attribute__((aligned(16)));

static void set_up_owners(void)
{
	xen_stack.processor = 1;
	load_tss((u64)tss + UPPER_HALF, (u64)&xen_stack.es + UPPER_HALF);
}

/* For all counters: the general ones, then the fixed ones */
static unsigned nr_counters(void)
{
	return conf.general + conf.fixed;
}

static bool is_fixed(unsigned c)
{
	return c >= conf.general;
}

static void write_counter(unsigned c, u64 v)
{
	wrmsr(is_fixed(c) ? 0x309 + c - conf.general : counter_msr(c), v);
}

static void configure_counter(unsigned c, bool on)
{
	if (is_fixed(c))
		wrmsr(0x38d, on ? 2ull << 4 * (c - conf.general) : 0);
	else
		wrmsr(select_msr(c), on ? event_select(INSN) | SEL_EN | SEL_USR :
		      0);
}

static void set_global(unsigned c)
{
	wrmsr(GLOBAL_CTRL, is_fixed(c) ? BIT(32 + c - conf.general) : BIT(c));
}

/* All counters are stopped, zero and of this vCPU. */
static void start_as(u64 vcpu)
{
	xen_stack.current = vcpu;
	stop_all();
}

static void read_counter(void)
{
	measure_result = rdpmc(measure_index);
}

/* Read a counter in this mode: what it holds, how many owner faults come */
static u64 read_as(const char *what, u64 vcpu, unsigned c, unsigned mode,
		   u64 faults)
{
	u64 f;

	xen_stack.current = vcpu;
	measure_index = is_fixed(c) ? 1u << 30 | (c - conf.general) : c;
	f = ruler_read(RULER_OWNER_FAULTS);
	if (mode == USER)
		user_call(read_counter);
	else
		read_counter();
	check(what, c, ruler_read(RULER_OWNER_FAULTS) - f, faults);
	return measure_result;
}

static void test_owner_own(void)
{
	for (unsigned c = 0; c < nr_counters(); c++) {
		start_as(VCPU_A);
		write_counter(c, 1000);
		check("value", c, read_as("read by A", VCPU_A, c, USER, 0),
		      1000);
	}
}

static void test_owner_other(void)
{
	for (unsigned c = 0; c < nr_counters(); c++) {
		start_as(VCPU_A);
		write_counter(c, 1000);
		check("value", c, read_as("read by B", VCPU_B, c, USER, 1),
		      1000);
		read_as("read by B again", VCPU_B, c, USER, 1);
		read_as("read by A", VCPU_A, c, USER, 0);
	}
}

/* The kernel may read all, and nobody is accused if no vCPU is current. */
static void test_owner_nobody(void)
{
	for (unsigned c = 0; c < nr_counters(); c++) {
		start_as(VCPU_A);
		write_counter(c, 1000);
		read_as("read by the kernel", VCPU_B, c, KERNEL, 0);
		read_as("read without a vCPU", 0, c, USER, 0);
		read_as("read with a bad pointer", VCPU_B + 1, c, USER, 0);
		read_as("read with a user's pointer", 0xb000, c, USER, 0);
	}
}

static void test_owner_write(void)
{
	for (unsigned c = 0; c < nr_counters(); c++) {
		start_as(VCPU_A);
		write_counter(c, 1000);
		xen_stack.current = VCPU_B;
		write_counter(c, 2000);
		check("value", c, read_as("read by B", VCPU_B, c, USER, 0),
		      2000);
		read_as("read by A", VCPU_A, c, USER, 1);
	}
}

/* A prepares a counter, B starts it. */
static u64 start_by_b(unsigned c, u64 value, u64 faults)
{
	start_as(VCPU_A);
	write_counter(c, value);
	if (has_global())
		configure_counter(c, true);
	xen_stack.current = VCPU_B;
	if (has_global())
		set_global(c);
	else
		configure_counter(c, true);
	return read_as(value ? "not from zero, read by B" :
		       "from zero, read by B", VCPU_B, c, USER, faults);
}

static void test_owner_start(void)
{
	for (unsigned c = 0; c < nr_counters(); c++) {
		if (!start_by_b(c, 0, 0))
			fail("does not count", c, 0, 1);
		read_as("from zero, read by A", VCPU_A, c, USER, 1);
		if (start_by_b(c, 1000, 1) <= 1000)
			fail("does not count", c, measure_result, 1001);
	}
}

static void test_owner_zero(void)
{
	for (unsigned c = 0; c < nr_counters(); c++) {
		start_as(VCPU_A);
		write_counter(c, 0);
		check("value", c, read_as("read by A", VCPU_A, c, USER, 0), 0);
		check("value", c, read_as("read by B", VCPU_B, c, USER, 0), 0);
	}
}

/* The last test: VMLOAD replaces the task register. */
static void test_owner_guest(void)
{
	if (!conf.svm)
		return;
	enable_svm();
	start_as(VCPU_A);
	write_counter(0, 1000);
	for (unsigned other = 0; other < 2; other++) {
		u64 f = ruler_read(RULER_OWNER_FAULTS);

		xen_stack.current = other ? VCPU_B : VCPU_A;
		prepare_guest(guest_rdpmc);
		run_guest((u64)vmcb);
		check("exit code", other, *vmcb64(0x70), 0x81);
		check("value", other, *vmcb64(0x5f8), 1000);
		check(other ? "read by B" : "read by A", 0,
		      ruler_read(RULER_OWNER_FAULTS) - f, other);
	}
}

#ifdef VMX
#include "../../bochs/vmx.c"
#endif

static const struct test {
	const char *name;
	void (*fn)(void);
} tests[] = {
	{ "CPUID", test_cpuid },
	{ "reserved bits and absent registers raise #GP", test_registers },
	{ "RDPMC in user mode", test_rdpmc_in_user_mode },
	{ "the ruler", test_ruler },
	{ "events are exact", test_blocks },
	{ "user events are exact with timer interrupts", test_timer },
	{ "events are exact when single-stepping", test_step },
	{ "USR and OS", test_filters },
	{ "edge, invert and threshold", test_thresholds },
	{ "fixed counters", test_fixed },
	{ "all counters at once", test_all_counters },
	{ "page walks, interrupts and page faults", test_walks },
	{ "overflow interrupts at the instruction", test_overflow },
	{ "masked overflow", test_masked_overflow },
	{ "overflow beside an interrupt", test_pending_interrupt },
	{ "overflow and HLT", test_halt },
	{ "overflow of fixed counters", test_fixed_overflow },
	{ "overflow with the instruction that leaves user mode",
	  test_boundary_overflow },
	{ "overflow with a page walk", test_walk_overflow },
	{ "overflow with a page fault", test_page_fault_overflow },
	{ "status set, reset and in use", test_status },
	{ "freeze on PMI", test_freeze },
	{ "SVM guests", test_guest },
	{ "SVM guests: RDPMC and MSRs can be intercepted", test_guest_exits },
	{ "SVM guests: overflow", test_guest_overflow },
#ifdef VMX
	{ "VMX: root and non-root", test_vmx_counts },
	{ "VMX: registers, areas and bitmaps", test_vmx_msrs },
	{ "VMX: RDPMC", test_vmx_rdpmc },
	{ "VMX: overflow in non-root", test_vmx_overflow },
#endif
	{ "MWAIT", test_mwait },
	{ "flags of compare and exchange", test_compare_and_exchange },
}, owner_tests[] = {
	{ "a vCPU reads the counter that it wrote", test_owner_own },
	{ "a vCPU reads the counter that another wrote", test_owner_other },
	{ "reads that are nobody's fault", test_owner_nobody },
	{ "a counter belongs to who wrote it last", test_owner_write },
	{ "a counter at zero belongs to who starts it", test_owner_start },
	{ "a stopped counter at zero is anybody's", test_owner_zero },
	{ "an SVM guest reads the counter of another vCPU", test_owner_guest },
#ifdef VMX
	{ "a VMX guest reads the counter of another vCPU", test_owner_vmx },
#endif
};

static bool run_test(const struct test *t)
{
	failures = 0;
	fault_of();
	now_testing = t->name;
	t->fn();
	put(failures ? "not ok - " : "ok - ");
	put(t->name);
	put("\n");
	return !failures;
}

int main(void)
{
	unsigned failed = 0;

	fault_vector = NO_FAULT;
	set_up_cpu();
	set_cr4_pce(true);
	parse((const char *)(u64)((u32 *)(u64)multiboot_info)[4]);
	if (conf.owner) {
		set_up_owners();
		for (unsigned i = 0; i < ARRAY_SIZE(owner_tests); i++)
			failed += !run_test(&owner_tests[i]);
	} else {
		for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
			failed += !run_test(&tests[i]);
	}
	put("done\n");
	finish(failed ? 1 : 0);
}
