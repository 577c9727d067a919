/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Xen's perfctr hypercall, seen by a PV or PVH guest that consists of nothing else.
 *
 * Upstream Xen: hypercall arch 2 is -ENOSYS, and RDPMC #GP.
 * With the patches: the operations and errors of xen-public/perfctr.h.  Each is
 * tried here, hostile arguments included.
 *
 * This kernel takes no interrupt and shares its vCPU with nobody, so the
 * number of instructions that it executes is known exactly, and must be what
 * the counters say, also when the vCPU was switched out in between.
 *
 * Output: TAP on Xen's console, each line with "xtf: " in front.
 */
#include <stddef.h>
#include <stdint.h>

#define __HYPERVISOR_arch_2 50
#define __XEN_TOOLS__
#define DEFINE_XEN_GUEST_HANDLE(type) struct swallows_the_semicolon
#define XEN_GUEST_HANDLE_64(type) type *
#include "xen-public/perfctr.h"

#define VIRQ_ARCH_2 18

#define HYPERVISOR_set_trap_table      0
#define HYPERVISOR_stack_switch        3
#define HYPERVISOR_set_callbacks       4
#define HYPERVISOR_memory_op          12
#define HYPERVISOR_update_va_mapping  14
#define HYPERVISOR_console_io         18
#define HYPERVISOR_grant_table_op     20
#define HYPERVISOR_vcpu_op            24
#define HYPERVISOR_mmuext_op          26
#define HYPERVISOR_sched_op           29
#define HYPERVISOR_event_channel_op   32
#define HYPERVISOR_domctl             36

#define EPERM    1
#define ESRCH    3
#define E2BIG    7
#define ENOENT   2
#define EFAULT  14
#define EACCES  13
#define EEXIST  17
#define EINVAL  22
#define ENOSYS  38
#define EOPNOTSUPP 95

extern char _start[];
extern char gp_fault[], page_fault[], system_call[], exception_stack[];
extern uint64_t pvh_l1[512];
void in_user_mode(unsigned long n);
void pvh_in_user_mode(unsigned long n);
void outb(uint16_t port, uint8_t value);
long hypercall(unsigned int nr, ...);
int try_rdpmc(uint32_t index, uint64_t *value);
int try_rdmsr(uint32_t msr, uint64_t *value);
int try_wrmsr(uint32_t msr, uint64_t value);
void main(const void *start_info);

#define VIRT_BASE 0xffffffff80000000UL
#define DOMID_SELF 0x7ff0L

static uint8_t page[2][4096] __attribute__((aligned(4096)));
static uint8_t shared_info[4096] __attribute__((aligned(4096)));
static uint8_t two_pages[8192] __attribute__((aligned(4096)));
static uint8_t spare[4][4096] __attribute__((aligned(4096)));

/* Not in .bss: it is set before main() runs. */
uint8_t pvh __attribute__((section(".data")));
/* A control domain, which may set its own policy */
static int privileged;

static const uint64_t *p2m;
static uint64_t page_table, shared_info_frame;
static unsigned int tests, failed, vcpus;
static uint64_t insn, branches;

/* A PV guest here is dom0. */
static uint16_t domain_id(void)
{
	uint32_t eax = 0x40000004, ebx, ecx = 0, edx;

	if (!pvh)
		return 0;
	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	return eax & 1 << 4 ? (uint16_t)ecx : 0;   /* XEN_HVM_CPUID_DOMID_PRESENT */
}

/* Output */

static char line[200];
static unsigned int fill;

static void put(const char *s)
{
	while (*s && fill < sizeof(line) - 1)
		line[fill++] = *s++;
}

static void put_number(long n)
{
	char digits[24], *p = digits + sizeof(digits) - 1;
	unsigned long u = n < 0 ? -(unsigned long)n : (unsigned long)n;

	for (*p = 0; p == digits + sizeof(digits) - 1 || u; u /= 10)
		*--p = '0' + u % 10;
	if (n < 0)
		*--p = '-';
	put(p);
}

static void flush(void)
{
	put("\n");
	/* In a PVH domU the port of Xen's debug console, which prints, too. */
	if (hypercall(HYPERVISOR_console_io, 0L, (long)fill, line) < 0 && pvh)
		for (unsigned int i = 0; i < fill; i++)
			outb(0xe9, (uint8_t)line[i]);
	fill = 0;
}

static void poweroff(void)
{
	static const unsigned int reason;   /* SHUTDOWN_poweroff */

	for (;;)
		hypercall(HYPERVISOR_sched_op, 2L, &reason);
}

void unexpected_fault(uint64_t rip);
void unexpected_fault(uint64_t rip)
{
	put("xtf: Bail out! fault at _start + ");
	put_number(rip - (uint64_t)_start);
	flush();
	poweroff();
}

static void check(const char *what, int line_nr, long got, long want)
{
	put(got == want ? "xtf: ok " : "xtf: not ok ");
	put_number(++tests);
	put(" - ");
	put(what);
	if (got != want) {
		failed++;
		put(" # line ");
		put_number(line_nr);
		put(": ");
		put_number(got);
		put(", not ");
		put_number(want);
	}
	flush();
}
#define is(got, want) check(#got " is " #want, __LINE__, (long)(got), (long)(want))

/* What is tested */

static long op(unsigned int nr, const void *arg)
{
	return hypercall(__HYPERVISOR_perfctr_op, (long)nr, arg);
}

static uint64_t gfn(const void *p)
{
	return ((uint64_t)p - VIRT_BASE) >> 12;
}

/* A page as Xen's hypercalls want it named */
static uint64_t mfn(const void *p)
{
	return pvh ? gfn(p) : p2m[gfn(p)];
}

/* What the first 2 MiB are mapped to, page by page, in the format of a PTE */
static long map(void *p, uint64_t pte)
{
	if (!pvh)
		return hypercall(HYPERVISOR_update_va_mapping, p, (long)pte, 2L);
	pvh_l1[gfn(p)] = pte;
	__asm__ volatile("invlpg (%0)" : : "r"(p) : "memory");
	return 0;
}

static struct xen_perfctr_query query;
static struct xen_perfctr_load load;

static void set(unsigned int i, uint32_t index, uint64_t evtsel)
{
	load.counter[i] = (struct xen_perfctr_counter){ .index = index, .evtsel = evtsel };
}

/*
 * By turns from here and from the vCPU's page.  What fails one way fails the
 * other with the same error.
 */
static long load_it(void)
{
	static unsigned int turn;
	volatile uint64_t *to = (void *)(page[0] + XENPERFCTR_PAGE_LOAD);
	const struct xen_perfctr_load *way[] = { &load, NULL };
	long ret;

	for (unsigned int i = 0; i < sizeof(load) / sizeof(*to); i++)
		to[i] = ((const uint64_t *)&load)[i];
	ret = op(XENPERFCTR_OP_load, way[turn++ % 2]);
	if (ret)
		is(op(XENPERFCTR_OP_load, way[turn % 2]), ret);
	return ret;
}

static long load_one(uint32_t index, uint64_t evtsel)
{
	load.nr = 1;
	set(0, index, evtsel);
	return load_it();
}

static uint64_t rdpmc(uint32_t index)
{
	uint64_t value = ~0ULL;

	try_rdpmc(index, &value);
	return value;
}

static int faults(uint32_t index)
{
	uint64_t value;

	return try_rdpmc(index, &value) == 13;
}

/* How many operands RDPMC takes, of all that some processor has, and of others. */
static unsigned int readable(void)
{
	static const uint32_t first[] = { 0, 1u << 29, 1u << 30, 1u << 31, -32u };
	unsigned int i, n, good = 0;

	for (i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		for (n = 0; n < 32; n++)
			good += !faults(first[i] + n);
	return good;
}

/* 2 * n instructions, n of them branches */
static void loop(unsigned long n)
{
	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n));
}

/* Time since boot in ns: vcpu_info[0].time of <xen/xen.h>, made of the TSC */
static uint64_t now(void)
{
	const volatile struct {
		uint32_t version, pad;
		uint64_t tsc, system;
		uint32_t mul;
		int8_t shift;
	} *time = (void *)(shared_info + 32);
	uint32_t lo, hi;
	uint64_t delta;

	/* Xen writes it while this vCPU does not run, and there is no other. */
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	delta = ((uint64_t)hi << 32 | lo) - time->tsc;
	delta = time->shift < 0 ? delta >> -time->shift : delta << time->shift;
	return time->system + (uint64_t)((unsigned __int128)delta * time->mul >> 32);
}

/* Let Xen run something else for some milliseconds. */
static void sleep(void)
{
	static struct {
		const void *ports;
		unsigned int nr;
		uint64_t timeout;
	} poll;

	poll.timeout = now() + 5000000;
	hypercall(HYPERVISOR_sched_op, 3L, &poll);
}

/*
 * Events of a counter around a loop, and a sleep if wanted.  One copy of the
 * code, so that two calls differ by nothing but the loop.
 */
static __attribute__((noinline, noclone)) uint64_t cost(uint32_t index, unsigned long n, int with_sleep)
{
	uint64_t before = rdpmc(index);

	loop(n);
	if (with_sleep)
		sleep();
	return rdpmc(index) - before;
}

static void test_query(void)
{
	struct xen_perfctr_query q = { .version = 0 };

	is(op(XENPERFCTR_OP_query, &q), -EINVAL);
	/* Of later guests: they hear what this Xen has. */
	q.version = 999;
	is(op(XENPERFCTR_OP_query, &q), 0);
	is(q.version, XENPERFCTR_VERSION);
	q = (struct xen_perfctr_query){ .version = ~0u };
	is(op(XENPERFCTR_OP_query, &q), 0);
	is(q.version, XENPERFCTR_VERSION);
	is(q.general, query.general);
	/* An older one's version is as good. */
	q = (struct xen_perfctr_query){ .version = 1 };
	is(op(XENPERFCTR_OP_query, &q), 0);
	is(q.version, XENPERFCTR_VERSION);
	q.version = 1;
	q.pad = 1;
	is(op(XENPERFCTR_OP_query, &q), -EINVAL);
	is(op(XENPERFCTR_OP_query, (void *)8), -EFAULT);
	is(op(XENPERFCTR_OP_query, (void *)0xffff830000000000), -EFAULT);
	is(op(XENPERFCTR_OP_query, (void *)0x8000000000000000), -EFAULT);
	is(op(99, &q), -ENOSYS);
	is(op(~0u, &q), -ENOSYS);
	is(query.version, XENPERFCTR_VERSION);
	is(query.general != 0, 1);
	is(query.evtsel_mask >> 20 & 7, query.evtsel_mask >> 23 & 0);
	q = (struct xen_perfctr_query){ .version = 1, .min_period = 1 };
	is(op(XENPERFCTR_OP_query, &q), -EINVAL);
	q = (struct xen_perfctr_query){ .version = 1, .max_rate = 1 };
	is(op(XENPERFCTR_OP_query, &q), -EINVAL);
	is(query.features & XENPERFCTR_FEAT_SAMPLING, XENPERFCTR_FEAT_SAMPLING);
	is(query.features & XENPERFCTR_FEAT_PAGE_LOAD, XENPERFCTR_FEAT_PAGE_LOAD);
	is(query.min_period, XENPERFCTR_MIN_PERIOD);
	is(query.max_rate, XENPERFCTR_MAX_RATE);
}

static void test_register(void)
{
	struct xen_perfctr_register r = { .gfn = mfn(page[0]) }, bad;

	is(op(XENPERFCTR_OP_stop, NULL), -ENOENT);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), -ENOENT);
	is(load_one(0, insn), -ENOENT);
	is(readable(), 0);

	bad = r, bad.vcpu_id = 4000;
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -ENOENT);
	bad = r, bad.vcpu_id = ~0u;
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -ENOENT);
	bad = r, bad.pad = 1;
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -EINVAL);
	bad = r, bad.gfn = ~0ULL;
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
	bad = r, bad.gfn = 0xfee00;             /* the local APIC */
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
	bad = r, bad.gfn = 1ULL << 44;
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
	bad = r, bad.gfn = 0x80000;             /* above the end of RAM */
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
	if (privileged) {
		bad = r, bad.gfn = 0xa0;        /* a hole below it; a domU has none */
		is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
	}
	if (!pvh) {
		bad = r, bad.gfn = page_table;
		is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
	}
	bad = r, bad.gfn = shared_info_frame;   /* Xen's, though we may write to it */
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
	is(op(XENPERFCTR_OP_register_vcpu, NULL), -EFAULT);

	is(op(XENPERFCTR_OP_register_vcpu, &r), 0);
	is(op(XENPERFCTR_OP_register_vcpu, &r), -EEXIST);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), 0);
	for (unsigned int i = 0; i < 300; i++) {
		r.gfn = mfn(page[i & 1]);
		if (op(XENPERFCTR_OP_register_vcpu, &r) || op(XENPERFCTR_OP_unregister_vcpu, &r)) {
			is(i, 300);
			break;
		}
	}
	r.gfn = mfn(page[0]);
	is(op(XENPERFCTR_OP_register_vcpu, &r), 0);
	is(faults(0), 1);
}

/* Where there is a second vCPU, which nobody has started, it is not the caller. */
static void test_other_vcpu(void)
{
	struct xen_perfctr_register r = { .gfn = mfn(page[1]), .vcpu_id = 1 };
	long other = vcpus > 1 ? -EINVAL : -ENOENT;

	is(op(XENPERFCTR_OP_register_vcpu, &r), other);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), other);
	r.vcpu_id = vcpus;
	is(op(XENPERFCTR_OP_register_vcpu, &r), -ENOENT);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), -ENOENT);
}

static void test_bad_loads(const volatile struct xen_perfctr_page *p)
{
	load.nr = 0;
	is(load_it(), -EINVAL);
	load.nr = XENPERFCTR_MAX_COUNTERS + 1;
	is(load_it(), -EINVAL);
	load.nr = ~0u;
	is(load_it(), -EINVAL);
	for (unsigned int bit = 3; bit < 32; bit++) {
		load.flags = 1u << bit;
		is(load_one(0, insn), -EINVAL);
	}
	/* Nothing samples, and yet it is left of something. */
	load.flags = XENPERFCTR_LOAD_LEFT;
	load.left[0] = 1;
	is(load_one(0, insn), -EINVAL);
	load.left[0] = 0;
	load.flags = 0;

	is(load_one(XENPERFCTR_MAX_GENERAL, insn), -EINVAL);
	is(load_one(0x7fffffff, insn), -EINVAL);
	is(load_one(0x80000000, insn), -EINVAL);
	is(load_one(XENPERFCTR_INDEX_FIXED + XENPERFCTR_MAX_FIXED, XENPERFCTR_EVTSEL_USR), -EINVAL);
	is(load_one(~0u, insn), -EINVAL);
	/* Every single bit that the mask does not allow */
	for (unsigned int bit = 0; bit < 64; bit++)
		if (!(query.evtsel_mask >> bit & 1) && load_one(0, insn | 1ULL << bit) != -EINVAL)
			is(bit, -1);
	is(load_one(0, insn & ~XENPERFCTR_EVTSEL_USR), -EINVAL);

	load.nr = 1;
	for (unsigned int bit = 2; bit < 32; bit++) {
		set(0, 0, insn);
		load.counter[0].flags = 1u << bit;
		is(load_it(), -EINVAL);
	}
	/* Xen's share goes with both modes of the guest or with none. */
	load.counter[0].flags = XENPERFCTR_COUNTER_HOST;
	is(load_it(), privileged ? -EOPNOTSUPP : -EPERM);
	load.counter[0].evtsel = (insn & ~XENPERFCTR_EVTSEL_USR) | XENPERFCTR_EVTSEL_OS;
	is(load_it(), privileged ? -EOPNOTSUPP : -EPERM);
	set(0, 0, insn);
	load.counter[0].period = 1000;
	is(load_it(), -EINVAL);
	load.nr = 2;
	set(0, 0, insn);
	set(1, 0, branches);
	is(load_it(), -EINVAL);

	/* NULL is the page, in which is the last of these. */
	is(op(XENPERFCTR_OP_load, NULL), -EINVAL);
	is(p->generation, 0);
	is(readable(), 0);
}

static void test_counts(const volatile struct xen_perfctr_page *p)
{
	uint64_t empty, slept, before, stolen;

	/* All that this kernel executes is kernel mode. */
	load.nr = 2;
	set(0, 0, insn | XENPERFCTR_EVTSEL_OS);
	set(1, 1, (branches & ~XENPERFCTR_EVTSEL_USR) | XENPERFCTR_EVTSEL_OS);
	is(load_it(), 0);
	is(p->generation, 1);
	is(p->sequence & 1, 0);

	empty = cost(0, 1, 0);
	is(cost(0, 1000001, 0) - empty, 2000000);
	is(cost(0, 5000001, 0) - empty, 10000000);
	empty = cost(1, 1, 0);
	is(cost(1, 1000001, 0) - empty, 1000000);
	if (query.general & 4)
		is(rdpmc(2), 0);
	if (query.fixed & 1)
		is(rdpmc(XENPERFCTR_INDEX_FIXED), 0);

	/* The same instructions with the vCPU off the CPU in between */
	sleep();
	slept = cost(0, 1, 1);
	stolen = p->tsc_stolen;
	for (unsigned int i = 0; i < 20; i++)
		if ((before = cost(0, 1001, 1)) - slept != 2000)
			is(before - slept, 2000);
	is(cost(0, 100001, 1) - slept, 200000);
	is(p->tsc_stolen > stolen, 1);
	is(p->generation, 1);

	/* A load that fails changes nothing. */
	before = rdpmc(0);
	set(1, 0, branches);
	is(load_it(), -EINVAL);
	is(rdpmc(0) > before, 1);
	is(p->generation, 1);

	/* Counter 0 goes on, 1 is gone, 2 is new. */
	if (query.general & 4) {
		before = rdpmc(0);
		set(1, 2, insn | XENPERFCTR_EVTSEL_OS);
		is(load_it(), 0);
		is(rdpmc(0) - before < 10000, 1);
		is(rdpmc(1), 0);
		is(rdpmc(2) < 10000, 1);
		is(p->generation, 2);
	}

	/* All counters there are */
	load.nr = 0;
	for (unsigned int i = 0; i < XENPERFCTR_MAX_GENERAL; i++)
		if (query.general >> i & 1)
			set(load.nr++, i, insn | XENPERFCTR_EVTSEL_OS);
	for (unsigned int i = 0; i < XENPERFCTR_MAX_FIXED; i++)
		if (query.fixed >> i & 1)
			set(load.nr++, XENPERFCTR_INDEX_FIXED + i,
			    XENPERFCTR_EVTSEL_USR | XENPERFCTR_EVTSEL_OS);
	is(load_it(), 0);
	for (unsigned int i = 0; i < load.nr; i++) {
		uint32_t index = load.counter[i].index;

		if (index <= XENPERFCTR_INDEX_FIXED) {
			empty = cost(index, 1, 1);
			is(cost(index, 10001, 1) - empty, 20000);
		}
	}
}

static void user_mode(unsigned long n)
{
	if (pvh)
		pvh_in_user_mode(n);
	else
		in_user_mode(n);
}

/* What a counter counts while user mode loops @n times. */
static uint64_t user_cost(uint32_t index, unsigned long n)
{
	uint64_t before = rdpmc(index);

	user_mode(n);
	return rdpmc(index) - before;
}

/*
 * The guest's own way to the PMU, and to what reaches further: a WRMSR faults or is
 * nothing, and RDMSR shows none of what Xen has written there.  The policy's levels
 * and the vCPU's counters are as before.
 */
static void test_msrs(void)
{
	static const struct {
		uint32_t first, last;
	} intel[] = {
		{ 0xc1, 0xc8 }, { 0x186, 0x18d }, { 0x4c1, 0x4c8 }, { 0x309, 0x30c }, /* counters, selects */
		{ 0x38d, 0x392 },            /* fixed and global control, status; uncore of Nehalem */
		{ 0x1a6, 0x1a7 },            /* off-core response: of the cache that cores share */
		{ 0x1d9, 0x1d9 },            /* DEBUGCTL: freeze in SMM, and on an interrupt; branch trace */
		{ 0x329, 0x329 }, { 0x345, 0x345 },
		{ 0x3f1, 0x3f2 }, { 0x3f6, 0x3f7 }, { 0x600, 0x600 }, /* PEBS, and where it writes to */
		{ 0x394, 0x397 }, { 0x3b0, 0x3b7 }, { 0x3c0, 0x3c7 }, { 0x700, 0x708 }, { 0xe00, 0xe03 }, /* uncore */
	}, amd[] = {
		{ 0xc0010000, 0xc0010007 }, { 0xc0010200, 0xc001020b }, /* selects, counters */
		{ 0xc0000300, 0xc0000302 },  /* global status and control */
		{ 0xc0010230, 0xc001023b }, { 0xc0010240, 0xc0010247 }, /* cache, north bridge: of all cores */
		{ 0xc0011030, 0xc001103b },  /* IBS, and where it writes to */
		{ 0x1d9, 0x1d9 },
	}, *range = intel;
	static const uint64_t values[] = {
		0, 0x4300c0, 1, 0xffffffffULL, 1ULL << 41, ~0ULL,
	};
	unsigned int nr = sizeof(intel) / sizeof(*intel), shown = 0, wrong = 0, tried = 0;
	uint64_t empty, empty_branches, value;

	if (query.vendor == XENPERFCTR_VENDOR_AMD)
		range = amd, nr = sizeof(amd) / sizeof(*amd);

	load.nr = 2;
	set(0, 0, insn | XENPERFCTR_EVTSEL_OS);
	set(1, 1, branches | XENPERFCTR_EVTSEL_OS);
	is(load_it(), 0);
	empty = cost(0, 1, 0);
	empty_branches = cost(1, 1, 0);
	for (unsigned int i = 0; i < nr; i++)
		for (uint32_t msr = range[i].first; msr <= range[i].last; msr++) {
			uint64_t before, after;

			/* Of a control that counts, none of the guest's business.  DEBUGCTL is emulated. */
			if (msr != 0x1d9 && msr != 0x345 && !try_rdmsr(msr, &value) && value) {
				is(msr, 0);
				shown++;
			}
			for (unsigned int v = 0; v < sizeof(values) / sizeof(*values); v++, tried++) {
				before = rdpmc(0);
				try_wrmsr(msr, values[v]);
				after = rdpmc(0);
				/* An emulated WRMSR is some instructions, or none. */
				if (after - before > 1000 || cost(0, 1001, 0) - empty != 2000 ||
				    cost(1, 1001, 0) - empty_branches != 1000) {
					is(msr, values[v]);
					wrong++;
				}
			}
		}
	is(shown, 0);
	is(wrong, 0);
	is(tried > 100, 1);
	sleep();
	is(cost(0, 1001, 0) - empty, 2000);
	is(cost(1, 1001, 0) - empty_branches, 1000);
	/* What was written stays nowhere: another counter of this vCPU would show it. */
	if (query.general & 4)
		is(rdpmc(2), 0);
	is(op(XENPERFCTR_OP_stop, NULL), 0);
}

/*
 * User and kernel mode, in PV both ring 3: a user-only count is what user mode has
 * executed, to the instruction; a kernel-only one does not depend on it.
 */
static void test_split(void)
{
	const uint64_t usr = XENPERFCTR_EVTSEL_USR, os = XENPERFCTR_EVTSEL_OS;
	struct {
		uint32_t cmd, pad;
		uint64_t mfn, arg2;
	} user_base = { .cmd = 15, .mfn = page_table };   /* MMUEXT_NEW_USER_BASEPTR */
	uint64_t kernel, both, host;

	is((query.features & XENPERFCTR_FEAT_SPLIT) != 0, 1);
	if (!pvh) {
		is(hypercall(HYPERVISOR_mmuext_op, &user_base, 1L, NULL, DOMID_SELF), 0);
		is(hypercall(HYPERVISOR_stack_switch, 0xe02bL, exception_stack), 0);
		is(hypercall(HYPERVISOR_set_callbacks, system_call, system_call, system_call), 0);
	}

	load.nr = 3;
	set(0, 0, insn);
	set(1, 1, (insn & ~usr) | os);
	set(2, 2, insn | os);
	is(load_it(), 0);
	is(cost(0, 1000, 1), 0);
	is(user_cost(0, 1), 3);
	is(user_cost(0, 1000), 2001);
	is(user_cost(0, 10000000), 20000001);
	kernel = user_cost(1, 1);
	is(kernel > 10 && kernel < 100, 1);
	is(user_cost(1, 1000000), kernel);
	both = user_cost(2, 1);
	is(both, kernel + 3);
	is(user_cost(2, 1000000), kernel + 2000001);
	/* The vCPU away in between: the mode it comes back in is its own. */
	for (unsigned int i = 0; i < 20; i++) {
		sleep();
		if (user_cost(0, 1000) != 2001)
			is(i, -1);
	}

	set(0, 0, branches);
	set(1, 1, (branches & ~usr) | os);
	set(2, 2, branches | os);
	is(load_it(), 0);
	is(user_cost(0, 1000), 1001);
	kernel = user_cost(1, 1);
	is(user_cost(1, 100000), kernel);
	is(user_cost(2, 100000), kernel + 100001);

	if (!privileged)
		return;
	/* A control domain may count Xen. */
	is((query.features & XENPERFCTR_FEAT_HOST) != 0, 1);
	set(0, 0, insn & ~usr);
	load.counter[0].flags = XENPERFCTR_COUNTER_HOST;
	set(1, 1, insn | os);
	load.counter[1].flags = XENPERFCTR_COUNTER_HOST;
	set(2, 2, insn | os);
	is(load_it(), 0);
	is(cost(0, 1000000, 0) < 100000, 1);      /* a timer of Xen's at most */
	host = cost(0, 1, 1);
	is(host > 500, 1);
	/* A PV guest's ways to and from user mode are Xen's; a PVH guest's are its own. */
	user_cost(0, 1);
	for (unsigned int i = 0; pvh && i < 10 && user_cost(0, 1); i++)
		;
	is(user_cost(0, 1) > 100, !pvh);
	{
		uint64_t h = rdpmc(0), all = rdpmc(1), guest = rdpmc(2);

		sleep();
		user_mode(1000);
		h -= rdpmc(0), all -= rdpmc(1), guest -= rdpmc(2);
		/* What lies between the three reads is 2 * 2 calls. */
		is(h + guest - all + 60 < 120, 1);
	}

	/* Fixed counters are split in the same way. */
	if (query.fixed & 1) {
		load.nr = 1;
		set(0, XENPERFCTR_INDEX_FIXED, usr);
		is(load_it(), 0);
		is(user_cost(XENPERFCTR_INDEX_FIXED, 1000), 2001);
		set(0, XENPERFCTR_INDEX_FIXED, os);
		is(load_it(), 0);
		kernel = user_cost(XENPERFCTR_INDEX_FIXED, 1);
		is(user_cost(XENPERFCTR_INDEX_FIXED, 1000), kernel);
	}
}

/* VIRQ_PERFCTR comes when this vCPU did not run, and else does not. */
static void test_stolen(const volatile struct xen_perfctr_page *p)
{
	struct {
		uint32_t virq, vcpu, port;
	} bind = { .virq = VIRQ_PERFCTR };
	volatile uint64_t *pending = (void *)(shared_info + 64 * 32);
	unsigned int turn;
	uint64_t bit;

	/* For a control that did not ask, nothing is raised. */
	is(hypercall(HYPERVISOR_event_channel_op, 1L, &bind), 0);
	bit = 1ULL << (bind.port & 63);
	pending += bind.port / 64;
	*pending &= ~bit;
	is(load_one(0, insn), 0);
	sleep();
	is((*pending & bit) != 0, 0);

	/* Nor by the load itself; another domain may take this vCPU's place right then. */
	load.flags = XENPERFCTR_LOAD_STOLEN;
	for (turn = 0; turn < 20; turn++) {
		*pending &= ~bit;
		if (!load_one(0, insn) && !(*pending & bit))
			break;
	}
	is(turn < 20, 1);
	loop(100000);
	sleep();
	is((*pending & bit) != 0, 1);

	/* Without counters */
	load.nr = 0;
	is(load_it(), 0);
	is(faults(0), 1);
	*pending &= ~bit;
	sleep();
	is((*pending & bit) != 0, 1);
	load.flags = 0;
	is(load_it(), -EINVAL);

	/* stop takes it back. */
	is(op(XENPERFCTR_OP_stop, NULL), 0);
	*pending &= ~bit;
	sleep();
	is((*pending & bit) != 0, 0);
	is(p->sequence & 1, 0);
	is(load_one(0, insn), 0);
}

/*
 * This kernel never takes an interrupt: an overflow is seen in the page, and that
 * nothing counts until it is resumed.
 */
static void overflows(const volatile struct xen_perfctr_page *p, uint32_t index, uint32_t bit)
{
	uint64_t value = rdpmc(index);

	is(p->overflow, bit);
	/* Instructions: it has stopped at once. */
	is((long)value, 0);
	is(rdpmc(index) == value, 1);
	loop(1000);
	is(rdpmc(index) == value, 1);
	is(p->ip_flags, 0);
	is(p->ip >= (uint64_t)(uintptr_t)_start && p->ip < (uint64_t)(uintptr_t)_start + 0x100000, 1);
}

static long load_sampling(uint32_t index, uint64_t evtsel, uint64_t period, uint64_t left)
{
	load.nr = 1;
	set(0, index, evtsel | XENPERFCTR_EVTSEL_OS);
	load.counter[0].flags = XENPERFCTR_COUNTER_SAMPLING;
	load.counter[0].period = period;
	load.flags = left ? XENPERFCTR_LOAD_LEFT : 0;
	load.left[0] = left;
	return load_it();
}

static void test_sampling(const volatile struct xen_perfctr_page *p)
{
	const uint64_t mask = ~0ULL >> (64 - query.general_width), longest = mask >> 1;
	const uint64_t usr = XENPERFCTR_EVTSEL_USR;
	uint64_t generation, value;
	unsigned int i;

	is(load_sampling(0, insn, 0, 0), -EINVAL);
	is(load_sampling(0, insn, query.min_period - 1, 0), -EINVAL);
	is(load_sampling(0, insn, longest + 1, 0), -EINVAL);
	is(load_sampling(0, insn, ~0ULL, 0), -EINVAL);
	is(load_sampling(0, insn, 1000, longest + 1), -EINVAL);
	is(load_sampling(0, insn, 1000, ~0ULL), -EINVAL);
	is(load_sampling(0, insn, longest, 0), 0);
	is(p->overflow, 0);
	is(op(XENPERFCTR_OP_resume, &load), -EINVAL);
	is(op(XENPERFCTR_OP_resume, NULL), 0);

	/* It comes after a period, and not before. */
	is(load_sampling(0, insn, 100000, 0), 0);
	loop(49000);
	is(p->overflow, 0);
	value = rdpmc(0);
	is(value > longest && value < mask, 1);
	loop(2000);
	overflows(p, 0, 1);

	/* Other pCPUs' business does not change it. */
	sleep();
	overflows(p, 0, 1);

	/* Each resume starts a period. */
	generation = p->generation;
	for (i = 0; i < 100; i++) {
		if (op(XENPERFCTR_OP_resume, NULL) || p->overflow)
			break;
		loop(49000);
		if (p->overflow)
			break;
		loop(2000);
		if (p->overflow != 1)
			break;
	}
	is(i, 100);
	is(p->generation == generation, 1);

	/* What is left of one */
	is(load_sampling(0, insn, 1000000, 10000), 0);
	loop(4000);
	is(p->overflow, 0);
	loop(2000);
	overflows(p, 0, 1);
	is(load_sampling(0, insn, 1000000, 1), 0);
	overflows(p, 0, 1);

	/* A second counter goes on from where it was, whichever overflows. */
	load.nr = 2;
	load.flags = 0;
	set(0, 0, insn | XENPERFCTR_EVTSEL_OS);
	set(1, 1, insn | XENPERFCTR_EVTSEL_OS);
	load.counter[1].flags = XENPERFCTR_COUNTER_SAMPLING;
	load.counter[1].period = 1000;
	is(load_it(), 0);
	loop(10000);
	overflows(p, 1, 2);
	/* It is the sum of an earlier load's, and of this one's: not of the loop's rest. */
	value = rdpmc(0);
	is(op(XENPERFCTR_OP_resume, NULL), 0);
	loop(10000);
	is((long)(rdpmc(0) - value), 1000);

	/* Both at the same instruction */
	load.counter[0].flags = XENPERFCTR_COUNTER_SAMPLING;
	load.counter[0].period = 1000;
	is(load_it(), 0);
	loop(10000);
	is(p->overflow, 3);

	if (query.fixed & 1) {
		is(load_sampling(XENPERFCTR_INDEX_FIXED, usr, 1000, 0), 0);
		loop(10000);
		overflows(p, XENPERFCTR_INDEX_FIXED, 1u << XENPERFCTR_MAX_GENERAL);
	}

	/* What follows has nothing of it. */
	load.flags = 0;
	is(load_one(0, insn | XENPERFCTR_EVTSEL_OS), 0);
	is(p->overflow, 0);
	value = rdpmc(0);
	loop(10000);
	is(rdpmc(0) - value >= 20000, 1);
}

/*
 * Counters of user mode that go on by themselves.  What the page says was taken
 * from the value, and the value, are what was counted.
 */
static void rearms(const volatile struct xen_perfctr_page *p, unsigned int slot,
		   uint32_t index, unsigned long n, unsigned int nr)
{
	const uint64_t mask = ~0ULL >> (64 - (slot < XENPERFCTR_MAX_GENERAL ?
					      query.general_width : query.fixed_width));
	const uint64_t value = rdpmc(index), taken = p->taken[slot];
	const uint32_t before = p->rearms;

	user_mode(n);
	is((rdpmc(index) + p->taken[slot] - value - taken) & mask, 2 * n + 1);
	is(p->rearms - before, nr);
	is(p->overflow, 0);
	is(p->sequence & 1, 0);
	if (!nr)
		return;
	is(p->ip_flags, XENPERFCTR_IP_USER);
	is(p->ip >= (uint64_t)(uintptr_t)_start && p->ip < (uint64_t)(uintptr_t)_start + 0x100000, 1);
}

static void test_rearm(const volatile struct xen_perfctr_page *p)
{
	const uint64_t os = XENPERFCTR_EVTSEL_OS, usr = XENPERFCTR_EVTSEL_USR;
	const uint64_t mask = ~0ULL >> (64 - query.general_width);
	const uint32_t flags = XENPERFCTR_LOAD_REARM;
	uint32_t throttled, before;
	uint64_t value;

	is(query.features & XENPERFCTR_FEAT_REARM, pvh ? XENPERFCTR_FEAT_REARM : 0);
	load.nr = 1;
	load.flags = flags;
	set(0, 0, insn);
	load.counter[0].flags = XENPERFCTR_COUNTER_SAMPLING;
	load.counter[0].period = 100000;
	is(load_it(), pvh ? 0 : -EOPNOTSUPP);
	if (!pvh) {
		load.flags = 0;
		return;
	}
	/* Only what counts user mode; and something has to overflow. */
	load.counter[0].evtsel = insn | os;
	is(load_it(), -EINVAL);
	load.counter[0].evtsel = (insn & ~usr) | os;
	is(load_it(), -EINVAL);
	load.counter[0].evtsel = insn | os;
	load.counter[0].flags |= XENPERFCTR_COUNTER_HOST;
	is(load_it(), privileged ? -EINVAL : -EPERM);
	set(0, 0, insn);
	is(load_it(), -EINVAL);
	load.nr = 0;
	is(load_it(), -EINVAL);
	load.flags |= XENPERFCTR_LOAD_STOLEN;
	is(load_it(), -EINVAL);

	load.nr = 2;
	load.flags = flags | XENPERFCTR_LOAD_LEFT;
	load.counter[0].flags = XENPERFCTR_COUNTER_SAMPLING;
	load.counter[0].period = 100000;
	load.left[0] = 10000;
	set(1, 1, insn);
	load.left[1] = 0;
	is(load_it(), 0);
	is(p->taken[0], 0);
	rearms(p, 0, 0, 4000, 0);
	/* 2,008,002 in all: the 10,000th, and each 100,000th from there */
	rearms(p, 0, 0, 1000000, 20);
	is(p->taken[0] & mask, 20 * 100000);
	is(rdpmc(1), 8001 + 2000001);
	is(op(XENPERFCTR_OP_resume, NULL), 0);
	rearms(p, 0, 0, 1000000, 20);
	/* The vCPU away in between */
	for (unsigned int i = 0; i < 10; i++) {
		sleep();
		rearms(p, 0, 0, 50000, 1);
	}
	is(load_it(), 0);
	is(p->taken[0], 0);
	rearms(p, 0, 0, 10000, 1);

	/* All are told, or too many put off, on a fast machine: nothing is lost. */
	load.left[0] = 0;
	load.counter[0].period = query.min_period;
	is(load_it(), 0);
	throttled = p->throttled;
	before = p->rearms;
	value = rdpmc(0);
	user_mode(1000000);
	is((rdpmc(0) + p->taken[0] - value) & mask, 2000001);
	is(p->rearms - before == 2000, p->throttled == throttled);
	is(p->rearms - before >= 1000 && p->rearms - before <= 2000, 1);

	if (query.fixed & 1) {
		load.nr = 1;
		load.counter[0].index = XENPERFCTR_INDEX_FIXED;
		load.counter[0].evtsel = usr;
		load.counter[0].period = 1000000;
		/* The interval of those above ends. */
		for (unsigned int i = 0; i < 20; i++)
			sleep();
		is(load_it(), 0);
		rearms(p, XENPERFCTR_MAX_GENERAL, XENPERFCTR_INDEX_FIXED, 2600000, 5);
	}

	/* What follows has nothing of it. */
	is(op(XENPERFCTR_OP_stop, NULL), 0);
	load.flags = 0;
	is(load_one(0, insn), 0);
	is(p->overflow, 0);
	is(user_cost(0, 1000000), 2000001);
}

/* The policy of a domain, by the control domain that this one is. */
static long policy_op(uint16_t domain, uint32_t cmd, struct xen_domctl_perfctr_op *o)
{
	static struct {
		uint32_t cmd, interface_version;
		uint16_t domain, pad[3];
		union {
			struct xen_domctl_perfctr_op op;
			uint8_t pad[128];
		} u;
	} domctl;
	long rc;

	o->cmd = cmd;
	domctl.cmd = 87;                        /* XEN_DOMCTL_perfctr_op */
	domctl.interface_version = 0x15;
	domctl.domain = domain;
	domctl.u.op = *o;
	rc = hypercall(HYPERVISOR_domctl, &domctl);
	*o = domctl.u.op;
	return rc;
}

static long set_policy(uint32_t level, uint32_t filter, uint32_t nr, struct xen_perfctr_event *events)
{
	struct xen_domctl_perfctr_op o = {
		.level = level, .filter = filter, .nr_events = nr, .events = events
	};

	return policy_op(0, XEN_DOMCTL_PERFCTR_set_policy, &o);
}

static struct xen_perfctr_event event_of(uint64_t evtsel, uint8_t mask)
{
	return (struct xen_perfctr_event){
		.event = (evtsel & 0xff) | (evtsel >> 24 & 0xf00),
		.umask = evtsel >> 8 & mask, .mask = mask
	};
}

static long load_flags(uint64_t evtsel, uint32_t flags)
{
	load.nr = 1;
	set(0, 0, evtsel | XENPERFCTR_EVTSEL_OS);
	load.counter[0].flags = flags;
	load.counter[0].period = flags == XENPERFCTR_COUNTER_SAMPLING ? 1000 : 0;
	return load_it();
}

/* Each cell: what the documentation says. */
static void test_policy_matrix(void)
{
	enum { NONE = XENPERFCTR_FILTER_NONE, ALLOW = XENPERFCTR_FILTER_ALLOW, DENY = XENPERFCTR_FILTER_DENY };
	enum { DENIED = XENPERFCTR_LEVEL_DENIED, COUNT = XENPERFCTR_LEVEL_COUNT,
	       SAMPLE = XENPERFCTR_LEVEL_SAMPLE, HOST = XENPERFCTR_LEVEL_HOST };
	enum { SAMPLING = XENPERFCTR_FEAT_SAMPLING };
	const uint64_t follow = XENPERFCTR_FEAT_HOST | XENPERFCTR_FEAT_FILTER | SAMPLING;
	const struct {
		uint32_t level, filter;
		long query, insn, branches, sampling, host;
		uint64_t features;
	} rows[] = {
		{ DENIED, NONE, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, 0 },
		{ DENIED, ALLOW, -EPERM, -EPERM, -EPERM, -EPERM, -EPERM, 0 },
		{ COUNT, NONE, 0, 0, 0, -EPERM, -EPERM, 0 },
		{ COUNT, ALLOW, 0, 0, -EACCES, -EPERM, -EPERM, XENPERFCTR_FEAT_FILTER },
		{ COUNT, DENY, 0, 0, -EACCES, -EPERM, -EPERM, XENPERFCTR_FEAT_FILTER },
		{ SAMPLE, NONE, 0, 0, 0, 0, -EPERM, SAMPLING },
		{ SAMPLE, ALLOW, 0, 0, -EACCES, 0, -EPERM, SAMPLING | XENPERFCTR_FEAT_FILTER },
		{ SAMPLE, DENY, 0, 0, -EACCES, 0, -EPERM, SAMPLING | XENPERFCTR_FEAT_FILTER },
		{ HOST, NONE, 0, 0, 0, 0, 0, SAMPLING | XENPERFCTR_FEAT_HOST },
		{ HOST, ALLOW, 0, 0, -EACCES, 0, 0, SAMPLING | XENPERFCTR_FEAT_HOST | XENPERFCTR_FEAT_FILTER },
		{ HOST, DENY, 0, 0, -EACCES, 0, 0, SAMPLING | XENPERFCTR_FEAT_HOST | XENPERFCTR_FEAT_FILTER },
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct xen_perfctr_event event = event_of(rows[i].filter == ALLOW ? insn : branches, 0xff);
		struct xen_perfctr_query q = { .version = 1 };

		put("xtf: # policy ");
		put_number(i);
		flush();
		is(set_policy(rows[i].level, rows[i].filter, rows[i].filter != NONE, &event), 0);
		is(op(XENPERFCTR_OP_query, &q), rows[i].query);
		is(q.features & follow, rows[i].features);
		is(load_flags(insn, 0), rows[i].insn);
		is(load_flags(branches, 0), rows[i].branches);
		is(load_flags(insn, XENPERFCTR_COUNTER_SAMPLING), rows[i].sampling);
		is(load_flags(insn, XENPERFCTR_COUNTER_HOST), rows[i].host);
		/* What is not refused counts. */
		is(faults(0), rows[i].insn != 0);
	}
}

static void test_policy_filter(void)
{
	const uint64_t umask1 = 1ULL << 8, umask2 = 1ULL << 9, usr = XENPERFCTR_EVTSEL_USR;
	const uint32_t fixed = XENPERFCTR_INDEX_FIXED;
	struct xen_perfctr_event events[2] = { event_of(insn, 0), event_of(branches, 0xff) };

	/* Any unit mask, exactly one, one bit of it */
	is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_ALLOW, 2, events), 0);
	is(load_one(0, insn | umask1 | umask2), 0);
	is(load_one(0, branches), 0);
	is(load_one(0, branches | umask1), -EACCES);
	events[0] = event_of(insn | umask1, 1);
	is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_DENY, 1, events), 0);
	is(load_one(0, insn), 0);
	is(load_one(0, insn | umask2), 0);
	is(load_one(0, insn | umask1), -EACCES);
	is(load_one(0, insn | umask1 | umask2), -EACCES);
	/* One of two counters is enough. */
	load.nr = 2;
	set(0, 0, insn);
	set(1, 1, insn | umask1);
	is(load_it(), -EACCES);

	/* Modifiers are not part of an event. */
	events[0] = event_of(insn, 0xff);
	is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_DENY, 1, events), 0);
	is(load_one(0, insn | 1ULL << 18 | 1ULL << 23 | 1ULL << 24), -EACCES);
	is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_ALLOW, 1, events), 0);
	is(load_one(0, insn | 1ULL << 18), 0);

	/* Codes of 12 bits */
	if (query.evtsel_mask >> 32 & 0xf) {
		is(load_one(0, insn | 1ULL << 32), -EACCES);
		events[0] = event_of(insn | 1ULL << 32, 0xff);
		is(events[0].event, 0x1c0);
		is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_ALLOW, 1, events), 0);
		is(load_one(0, insn | 1ULL << 32), 0);
		is(load_one(0, insn), -EACCES);
	}

	/* Fixed counters, as the architectural events that they count */
	if (query.fixed & 7) {
		is(load_one(fixed, usr), 0);
		is(load_one(fixed + 1, usr), -EACCES);
		events[0] = (struct xen_perfctr_event){ 0x3c, 0, 0xff };
		is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_DENY, 1, events), 0);
		is(load_one(fixed, usr), 0);
		is(load_one(fixed + 1, usr), -EACCES);
		is(load_one(fixed + 2, usr), 0);
		events[0].umask = 1;
		is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_DENY, 1, events), 0);
		is(load_one(fixed + 1, usr), 0);
		is(load_one(fixed + 2, usr), -EACCES);
	}
	if (query.fixed & 8) {
		is(load_one(fixed + 3, usr), 0);
		events[0] = (struct xen_perfctr_event){ 0xa4, 1, 0xff };
		is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_DENY, 1, events), 0);
		is(load_one(fixed + 3, usr), -EACCES);
	}
}

static void test_policy_errors(void)
{
	struct xen_perfctr_event events[2] = { event_of(insn, 0xff), event_of(branches, 0) };
	struct xen_domctl_perfctr_op o;
	const uint32_t allow = XENPERFCTR_FILTER_ALLOW, count = XENPERFCTR_LEVEL_COUNT;
	const uint16_t too_high = query.evtsel_mask >> 32 & 0xf ? 0x1000 : 0x100;

	is(set_policy(count, allow, 2, events), 0);
	is(set_policy(4, allow, 2, events), -EINVAL);
	is(set_policy(~0u, allow, 2, events), -EINVAL);
	is(set_policy(count, 3, 2, events), -EINVAL);
	is(set_policy(count, XENPERFCTR_FILTER_NONE, 1, events), -EINVAL);
	is(set_policy(count, allow, XENPERFCTR_MAX_FILTER + 1, events), -E2BIG);
	is(set_policy(count, allow, ~0u, events), -E2BIG);
	is(set_policy(count, allow, 1, (void *)8), -EFAULT);
	is(set_policy(count, allow, 1, (void *)0xffff830000000000), -EFAULT);
	events[1].event = too_high;
	is(set_policy(count, allow, 2, events), -EINVAL);
	events[1] = (struct xen_perfctr_event){ 0xc4, 1, 0 };
	is(set_policy(count, allow, 2, events), -EINVAL);
	o = (struct xen_domctl_perfctr_op){ .level = count };
	is(policy_op(0, 2, &o), -EINVAL);
	is(policy_op(77, XEN_DOMCTL_PERFCTR_set_policy, &o), -ESRCH);
	is(policy_op(77, XEN_DOMCTL_PERFCTR_get_policy, &o), -ESRCH);

	/* None of them has changed anything; there is room for one event. */
	events[0] = events[1] = (struct xen_perfctr_event){ 1, 2, 3 };
	o = (struct xen_domctl_perfctr_op){ .nr_events = 1, .events = events };
	is(policy_op(0, XEN_DOMCTL_PERFCTR_get_policy, &o), 0);
	is(o.level, XENPERFCTR_LEVEL_COUNT);
	is(o.filter, XENPERFCTR_FILTER_ALLOW);
	is(o.nr_events, 2);
	is(events[0].event, 0xc0);
	is(events[0].mask, 0xff);
	is(events[1].event, 1);
	o = (struct xen_domctl_perfctr_op){ .nr_events = 64, .events = (void *)8 };
	is(policy_op(0, XEN_DOMCTL_PERFCTR_get_policy, &o), -EFAULT);
}

/* A policy takes effect at once, on what it forbids and on nothing else. */
static void test_policy_change(const volatile struct xen_perfctr_page *p)
{
	struct xen_perfctr_register r = { .gfn = mfn(page[0]) };
	struct xen_perfctr_event event = event_of(branches, 0xff);
	uint64_t generation, before;

	is(set_policy(XENPERFCTR_LEVEL_HOST, XENPERFCTR_FILTER_NONE, 0, NULL), 0);
	is(load_flags(insn, 0), 0);
	loop(1000000);
	before = rdpmc(0);
	generation = p->generation;
	is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_DENY, 1, &event), 0);
	is(p->generation - generation, 0);
	is(rdpmc(0) > before, 1);
	is(rdpmc(0) - before < 10000, 1);
	is(set_policy(XENPERFCTR_LEVEL_COUNT, XENPERFCTR_FILTER_ALLOW, 1, &event), 0);
	is(p->generation - generation, 1);
	is(p->sequence & 1, 0);
	is(faults(0), 1);
	sleep();
	is(faults(0), 1);
	/* It does not come back by itself, and starts from zero. */
	is(set_policy(XENPERFCTR_LEVEL_HOST, XENPERFCTR_FILTER_NONE, 0, NULL), 0);
	is(faults(0), 1);
	is(load_flags(insn, 0), 0);
	is(rdpmc(0) < 10000, 1);

	/* Xen's share goes by its level alone. */
	is(load_flags(insn, XENPERFCTR_COUNTER_HOST), 0);
	generation = p->generation;
	is(set_policy(XENPERFCTR_LEVEL_SAMPLE, XENPERFCTR_FILTER_NONE, 0, NULL), 0);
	is(p->generation - generation, 1);
	is(faults(0), 1);

	/* A control without counters */
	load.nr = 0;
	load.flags = XENPERFCTR_LOAD_STOLEN;
	is(load_it(), 0);
	generation = p->generation;
	is(set_policy(XENPERFCTR_LEVEL_DENIED, XENPERFCTR_FILTER_NONE, 0, NULL), 0);
	is(p->generation - generation, 1);
	is(load_it(), -EPERM);
	load.flags = 0;

	/* Who is denied can give back what he has, and get nothing. */
	is(op(XENPERFCTR_OP_stop, NULL), 0);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), 0);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), -EPERM);
	is(op(XENPERFCTR_OP_stop, NULL), -EPERM);
	is(op(XENPERFCTR_OP_register_vcpu, &r), -EPERM);
	is(set_policy(XENPERFCTR_LEVEL_HOST, XENPERFCTR_FILTER_NONE, 0, NULL), 0);
	is(op(XENPERFCTR_OP_register_vcpu, &r), 0);
	is(load_one(0, insn), 0);
}

static void test_efault_midway(const volatile struct xen_perfctr_page *p)
{
	uint64_t generation = p->generation;
	struct xen_perfctr_load *l = (void *)(two_pages + 4096 - 40);

	/* The second page goes away: the head and one counter are still there. */
	*(volatile uint32_t *)&l->nr = 2;
	l->flags = 0;
	l->counter[0] = (struct xen_perfctr_counter){ .index = 0, .evtsel = insn };
	is(map(two_pages + 4096, 0), 0);
	is(op(XENPERFCTR_OP_load, l), -EFAULT);
	is(op(XENPERFCTR_OP_load, two_pages + 4096 - 4), -EFAULT);
	is(op(XENPERFCTR_OP_register_vcpu, two_pages + 4096 - 8), -EFAULT);
	is(op(XENPERFCTR_OP_query, two_pages + 4096 - 8), -EFAULT);
	is(p->generation - generation, 0);
	is(faults(0), 0);
}

/* <xen/memory.h> */
#define XENMEM_decrease_reservation 1
#define XENMEM_populate_physmap     6
#define XENMEM_add_to_physmap       7
#define XENMEM_exchange            11
#define XENMEM_remove_from_physmap 15

struct reservation {
	const uint64_t *start;
	uint64_t nr;
	unsigned int order, flags;
	uint16_t domid;
};

/* The page @frame goes back to Xen, or a new one comes. */
static long memory(unsigned int cmd, uint64_t frame)
{
	struct reservation r = { .start = &frame, .nr = 1, .domid = DOMID_SELF };

	return hypercall(HYPERVISOR_memory_op, (long)cmd, &r);
}

#define MAPSPACE_shared_info 0
#define MAPSPACE_grant_table 1
#define MAPSPACE_gmfn        2

static long add_to_physmap(unsigned int space, uint64_t index, const void *p)
{
	struct {
		uint16_t domid, size;
		unsigned int space;
		uint64_t index, gpfn;
	} add = { .domid = DOMID_SELF, .space = space, .index = index, .gpfn = gfn(p) };

	return hypercall(HYPERVISOR_memory_op, (long)XENMEM_add_to_physmap, &add);
}

/* Registered with a page that is not there any more, all works but to look at it. */
static void counts_on(void)
{
	uint64_t empty;

	load.nr = 1;
	set(0, 0, insn | XENPERFCTR_EVTSEL_OS);
	is(op(XENPERFCTR_OP_load, &load), 0);
	empty = cost(0, 1, 1);
	is(cost(0, 10001, 1) - empty, 20000);
	is(op(XENPERFCTR_OP_stop, NULL), 0);
	is(op(XENPERFCTR_OP_load, &load), 0);
	sleep();
	is(cost(0, 10001, 1) - empty, 20000);
}

/*
 * The page that Xen writes to is freed, given away or used for something else while
 * it is registered.
 */
static void test_page_gone(void)
{
	struct xen_perfctr_register other = { .gfn = mfn(page[0]) };
	struct xen_perfctr_register r = { .gfn = mfn(spare[0]) };
	const volatile struct xen_perfctr_page *p = (void *)spare[0];
	const volatile uint8_t *bytes = spare[0];
	struct {
		struct reservation in, out;
		uint64_t nr_exchanged;
	} exchange;
	uint64_t in = r.gfn, out = gfn(spare[0]), stolen;
	unsigned int written = 0;

	is(op(XENPERFCTR_OP_unregister_vcpu, &other), 0);
	is(op(XENPERFCTR_OP_register_vcpu, &r), 0);

	/* Not given away, nor made a page table: Xen still writes to it. */
	exchange.in = (struct reservation){ .start = &in, .nr = 1, .domid = DOMID_SELF };
	exchange.out = (struct reservation){ .start = &out, .nr = 1, .domid = DOMID_SELF };
	exchange.nr_exchanged = 0;
	is(hypercall(HYPERVISOR_memory_op, (long)XENMEM_exchange, &exchange) < 0, 1);
	is(exchange.nr_exchanged, 0);
	if (!pvh) {
		struct {
			uint32_t cmd, pad;
			uint64_t mfn, arg2;
		} pin = { .cmd = 0, .mfn = in };   /* MMUEXT_PIN_L1_TABLE */

		is(hypercall(HYPERVISOR_mmuext_op, &pin, 1L, NULL, DOMID_SELF) < 0, 1);
		/* Not without a mapping that could be written to, either */
		is(map(spare[0], in << 12 | 5), 0);
		is(hypercall(HYPERVISOR_mmuext_op, &pin, 1L, NULL, DOMID_SELF) < 0, 1);
	}
	counts_on();
	is(p->version, XENPERFCTR_VERSION);

	/* Ballooned out */
	is(map(spare[0], 0), 0);
	is(memory(XENMEM_decrease_reservation, in), 1);
	counts_on();
	is(op(XENPERFCTR_OP_register_vcpu, &r), -EEXIST);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), 0);
	is(op(XENPERFCTR_OP_register_vcpu, &r), -EACCES);
	is(faults(0), 1);

	if (pvh) {
		/* Back in, and out and in again meanwhile: the new page is not the old. */
		is(memory(XENMEM_populate_physmap, r.gfn), 1);
		is(map(spare[0], in << 12 | 0x67), 0);
		is(op(XENPERFCTR_OP_register_vcpu, &r), 0);
		is(p->version, XENPERFCTR_VERSION);
		is(memory(XENMEM_decrease_reservation, r.gfn), 1);
		is(memory(XENMEM_populate_physmap, r.gfn), 1);
		counts_on();
		/* What Xen scrubs with: another value in a debug build */
		is(bytes[0] == 0 || bytes[0] == 0xc2, 1);
		for (unsigned int i = 0; i < 4096; i++)
			written += bytes[i] != bytes[0];
		is(written, 0);
		is(op(XENPERFCTR_OP_unregister_vcpu, &r), 0);

		/* Moved to another place, in which what was there is freed */
		is(op(XENPERFCTR_OP_register_vcpu, &r), 0);
		is(add_to_physmap(MAPSPACE_gmfn, r.gfn, spare[1]), 0);
		p = (void *)spare[1];
		is(p->version, XENPERFCTR_VERSION);
		stolen = p->tsc_stolen;
		counts_on();
		is(p->tsc_stolen > stolen, 1);
		is(op(XENPERFCTR_OP_register_vcpu, &r), -EEXIST);

		/* Something else in its place */
		is(add_to_physmap(MAPSPACE_grant_table, 0, spare[1]), 0);
		counts_on();
		is(op(XENPERFCTR_OP_unregister_vcpu, &r), 0);
		r.gfn = gfn(spare[1]);
		is(op(XENPERFCTR_OP_register_vcpu, &r), -EACCES);

		/* RAM that comes from a grant, be it our own */
		{
			volatile struct {
				uint16_t flags, domid;
				uint32_t frame;
			} *grant = (void *)spare[1];
			struct {
				uint64_t address;
				uint32_t flags, ref;
				uint16_t domid;
				int16_t status;
				uint32_t handle;
				uint64_t bus_address;
			} use = { .address = gfn(spare[2]) << 12, .flags = 2, .ref = 8, .domid = domain_id() };

			/* The first few are reserved. */
			grant[8].domid = domain_id();
			grant[8].frame = (uint32_t)gfn(spare[3]);
			grant[8].flags = 1;
			is(memory(XENMEM_decrease_reservation, gfn(spare[2])), 1);
			is(hypercall(HYPERVISOR_grant_table_op, 0L, &use, 1L), 0);
			is(use.status, 0);
			r.gfn = gfn(spare[2]);
			is(op(XENPERFCTR_OP_register_vcpu, &r), -EACCES);
		}
	}
	is(op(XENPERFCTR_OP_register_vcpu, &other), 0);
	is(load_one(0, insn), 0);
}

static void test_stop(const volatile struct xen_perfctr_page *p)
{
	struct xen_perfctr_register r = { .gfn = mfn(page[0]) };
	uint64_t generation = p->generation, stolen;

	is(op(XENPERFCTR_OP_stop, &r), -EINVAL);
	is(op(XENPERFCTR_OP_stop, NULL), 0);
	is(p->generation - generation, 1);
	is(readable(), 0);
	is(op(XENPERFCTR_OP_stop, NULL), 0);
	is(p->generation - generation, 1);
	is(load_one(0, insn), 0);
	is(rdpmc(0) < 10000, 1);
	is(p->generation - generation, 2);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), 0);
	is(faults(0), 1);
	stolen = p->tsc_stolen;
	sleep();
	is(p->tsc_stolen - stolen, 0);
	is(op(XENPERFCTR_OP_stop, NULL), -ENOENT);

	/* Leave a vCPU that counts to the death of the domain. */
	is(op(XENPERFCTR_OP_register_vcpu, &r), 0);
	is(load_one(0, insn), 0);
}

/*
 * No test, but what a test needs next to it ("vpmu" as the command line): a vCPU with
 * upstream's vPMU that lets all counters count, and has none that would. For VMX, which loads
 * this with each entry, whatever is in the counters' other registers. In user mode, as that is
 * what others count. For ever.
 */
static void let_count(void)
{
	uint32_t eax = 10, ebx, ecx = 0, edx;
	unsigned long rounds = 0;
	uint64_t all, value = 0;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	all = ((1UL << (edx & 31)) - 1) << 32 | ((1UL << (eax >> 8 & 255)) - 1);
	/* A vCPU without a vPMU writes nothing, and is not told. */
	put("xtf: global control: ");
	put(all && !try_wrmsr(0x38f, all) && !try_rdmsr(0x38f, &value) && value == all ?
	    "all counters" : "not written");
	flush();
	for (;;) {
		pvh_in_user_mode(100000);
		if (++rounds == 1000) {
			put("xtf: has executed much");
			flush();
		}
	}
}

/* Only Xen's PVH domains have one here. */
static int asked_for(const void *start_info, const char *what)
{
	uint64_t command_line;
	const char *s;

	if (!pvh)
		return 0;
	command_line = *(const uint64_t *)((const char *)start_info + 24);
	for (s = (const char *)(VIRT_BASE + command_line); command_line && *what && *s == *what; s++)
		what++;
	return command_line && !*what && !*s;
}

void main(const void *start_info)
{
	static struct {
		uint8_t vector, flags;
		uint16_t cs;
		const void *address;
	} traps[] = {
		{ 13, 0, 0xe033, gp_fault }, { 14, 0, 0xe033, page_fault }, { 0, 0, 0, NULL }
	};
	const volatile struct xen_perfctr_page *p = (void *)page[0];
	struct xen_domctl_perfctr_op policy = { .nr_events = 0 };
	uint64_t shared;
	long rc;

	if (pvh) {
		rc = add_to_physmap(MAPSPACE_shared_info, 0, shared_info);
		shared_info_frame = gfn(shared_info);
	} else {
		shared = *(const uint64_t *)((const char *)start_info + 40);
		p2m = *(const uint64_t *const *)((const char *)start_info + 104);
		page_table = mfn(*(const void *const *)((const char *)start_info + 88));
		shared_info_frame = shared >> 12;
		hypercall(HYPERVISOR_set_trap_table, traps);
		rc = map(shared_info, shared | 3);
	}
	is(rc, 0);
	if (asked_for(start_info, "vpmu"))
		let_count();
	/* VCPUOP_is_up: -ENOENT where there is none */
	while (hypercall(HYPERVISOR_vcpu_op, 3L, (long)vcpus, NULL) >= 0)
		vcpus++;
	is(vcpus > 0, 1);
	rc = policy_op(domain_id(), XEN_DOMCTL_PERFCTR_get_policy, &policy);
	put("xtf: # ");
	put(pvh ? "PVH, " : "PV, ");
	put_number(vcpus);
	put(" vCPUs; its own policy: ");
	put_number(rc);
	flush();
	privileged = rc != -EPERM;

	query.version = XENPERFCTR_VERSION;
	rc = op(XENPERFCTR_OP_query, &query);
	if (rc) {
		put("xtf: 1..0 # SKIP query gives ");
		put_number(rc);
		flush();
		poweroff();
	}
	insn = XENPERFCTR_EVTSEL_USR | 0xc0;
	branches = XENPERFCTR_EVTSEL_USR | (query.vendor == XENPERFCTR_VENDOR_INTEL ? 0xc4 : 0xc2);

	test_query();
	test_register();
	test_other_vcpu();
	test_bad_loads(p);
	test_counts(p);
	test_msrs();
	test_split();
	test_stolen(p);
	test_sampling(p);
	test_rearm(p);
	if (privileged) {
		test_policy_matrix();
		test_policy_filter();
		test_policy_errors();
		test_policy_change(p);
	} else
		is(set_policy(XENPERFCTR_LEVEL_HOST, XENPERFCTR_FILTER_NONE, 0, NULL), -EPERM);
	test_page_gone();
	test_efault_midway(p);
	test_stop(p);

	put("xtf: 1..");
	put_number(tests);
	flush();
	put(failed ? "xtf: # failed: " : "xtf: # all passed: ");
	put_number(failed ? failed : tests);
	flush();
	poweroff();
}
