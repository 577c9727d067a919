/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Xen's perfctr hypercall, seen by a PV guest that consists of nothing else.
 *
 * Upstream Xen: hypercall arch 2 is -ENOSYS, and RDPMC in a PV guest #GP.
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
#include "xen-public/perfctr.h"

#define HYPERVISOR_set_trap_table      0
#define HYPERVISOR_update_va_mapping  14
#define HYPERVISOR_console_io         18
#define HYPERVISOR_sched_op           29

#define ENOENT   2
#define EFAULT  14
#define EACCES  13
#define EEXIST  17
#define EINVAL  22
#define ENOSYS  38
#define EOPNOTSUPP 95

extern char _start[];
extern char gp_fault[], page_fault[];
long hypercall(unsigned int nr, ...);
int try_rdpmc(uint32_t index, uint64_t *value);
void main(const void *start_info);

#define VIRT_BASE 0xffffffff80000000UL

static uint8_t page[2][4096] __attribute__((aligned(4096)));
static uint8_t shared_info[4096] __attribute__((aligned(4096)));
static uint8_t two_pages[8192] __attribute__((aligned(4096)));

static const uint64_t *p2m;
static uint64_t page_table, shared_info_frame;
static unsigned int tests, failed;
static uint64_t insn, branches;

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
	hypercall(HYPERVISOR_console_io, 0L, (long)fill, line);
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

static uint64_t mfn(const void *p)
{
	return p2m[((uint64_t)p - VIRT_BASE) >> 12];
}

static struct xen_perfctr_query query;
static struct xen_perfctr_load load;

static void set(unsigned int i, uint32_t index, uint64_t evtsel)
{
	load.counter[i] = (struct xen_perfctr_counter){ .index = index, .evtsel = evtsel };
}

static long load_one(uint32_t index, uint64_t evtsel)
{
	load.nr = 1;
	set(0, index, evtsel);
	return op(XENPERFCTR_OP_load, &load);
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
	is(query.features & XENPERFCTR_FEAT_SAMPLING, 0);
}

static void test_register(void)
{
	struct xen_perfctr_register r = { .gfn = mfn(page[0]) }, bad;

	is(op(XENPERFCTR_OP_stop, NULL), -ENOENT);
	is(op(XENPERFCTR_OP_unregister_vcpu, &r), -ENOENT);
	is(load_one(0, insn), -ENOENT);
	is(faults(0), 1);

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
	bad = r, bad.gfn = page_table;
	is(op(XENPERFCTR_OP_register_vcpu, &bad), -EACCES);
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

static void test_bad_loads(const volatile struct xen_perfctr_page *p)
{
	load.nr = 0;
	is(op(XENPERFCTR_OP_load, &load), -EINVAL);
	load.nr = XENPERFCTR_MAX_COUNTERS + 1;
	is(op(XENPERFCTR_OP_load, &load), -EINVAL);
	load.nr = ~0u;
	is(op(XENPERFCTR_OP_load, &load), -EINVAL);
	load.flags = 1;
	is(load_one(0, insn), -EINVAL);
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
	is(load_one(0, (insn & ~XENPERFCTR_EVTSEL_USR) | XENPERFCTR_EVTSEL_OS), -EOPNOTSUPP);

	load.nr = 1;
	set(0, 0, insn);
	load.counter[0].flags = 2;
	is(op(XENPERFCTR_OP_load, &load), -EINVAL);
	load.counter[0].flags = XENPERFCTR_COUNTER_SAMPLING;
	load.counter[0].period = 100;
	is(op(XENPERFCTR_OP_load, &load), -EOPNOTSUPP);
	load.counter[0].flags = 0;
	is(op(XENPERFCTR_OP_load, &load), -EINVAL);
	load.nr = 2;
	set(0, 0, insn);
	set(1, 0, branches);
	is(op(XENPERFCTR_OP_load, &load), -EINVAL);

	is(op(XENPERFCTR_OP_load, NULL), -EFAULT);
	is(p->generation, 0);
	is(faults(0), 1);
}

static void test_counts(const volatile struct xen_perfctr_page *p)
{
	uint64_t empty, slept, before, stolen;

	load.nr = 2;
	set(0, 0, insn);
	set(1, 1, branches | XENPERFCTR_EVTSEL_OS);
	is(op(XENPERFCTR_OP_load, &load), 0);
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
	is(op(XENPERFCTR_OP_load, &load), -EINVAL);
	is(rdpmc(0) > before, 1);
	is(p->generation, 1);

	/* Counter 0 goes on, 1 is gone, 2 is new. */
	if (query.general & 4) {
		before = rdpmc(0);
		set(1, 2, insn);
		is(op(XENPERFCTR_OP_load, &load), 0);
		is(rdpmc(0) - before < 10000, 1);
		is(rdpmc(1), 0);
		is(rdpmc(2) < 10000, 1);
		is(p->generation, 2);
	}

	/* All counters there are */
	load.nr = 0;
	for (unsigned int i = 0; i < XENPERFCTR_MAX_GENERAL; i++)
		if (query.general >> i & 1)
			set(load.nr++, i, insn);
	for (unsigned int i = 0; i < XENPERFCTR_MAX_FIXED; i++)
		if (query.fixed >> i & 1)
			set(load.nr++, XENPERFCTR_INDEX_FIXED + i, XENPERFCTR_EVTSEL_USR);
	is(op(XENPERFCTR_OP_load, &load), 0);
	for (unsigned int i = 0; i < load.nr; i++) {
		uint32_t index = load.counter[i].index;

		if (index <= XENPERFCTR_INDEX_FIXED) {
			empty = cost(index, 1, 1);
			is(cost(index, 10001, 1) - empty, 20000);
		}
	}
}

static void test_efault_midway(const volatile struct xen_perfctr_page *p)
{
	uint64_t generation = p->generation;
	struct xen_perfctr_load *l = (void *)(two_pages + 4096 - 40);

	/* The second page goes away: the head and one counter are still there. */
	*(volatile uint32_t *)&l->nr = 2;
	l->flags = 0;
	l->counter[0] = (struct xen_perfctr_counter){ .index = 0, .evtsel = insn };
	is(hypercall(HYPERVISOR_update_va_mapping, two_pages + 4096, 0L, 2L), 0);
	is(op(XENPERFCTR_OP_load, l), -EFAULT);
	is(op(XENPERFCTR_OP_load, two_pages + 4096 - 4), -EFAULT);
	is(op(XENPERFCTR_OP_register_vcpu, two_pages + 4096 - 8), -EFAULT);
	is(op(XENPERFCTR_OP_query, two_pages + 4096 - 8), -EFAULT);
	is(p->generation - generation, 0);
	is(faults(0), 0);
}

static void test_stop(const volatile struct xen_perfctr_page *p)
{
	struct xen_perfctr_register r = { .gfn = mfn(page[0]) };
	uint64_t generation = p->generation, stolen;

	is(op(XENPERFCTR_OP_stop, &r), -EINVAL);
	is(op(XENPERFCTR_OP_stop, NULL), 0);
	is(p->generation - generation, 1);
	is(faults(0), 1);
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
	uint64_t shared = *(const uint64_t *)((const char *)start_info + 40);
	long rc;

	p2m = *(const uint64_t *const *)((const char *)start_info + 104);
	page_table = mfn(*(const void *const *)((const char *)start_info + 88));
	shared_info_frame = shared >> 12;
	hypercall(HYPERVISOR_set_trap_table, traps);
	is(hypercall(HYPERVISOR_update_va_mapping, shared_info, (long)(shared | 3), 2L), 0);

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
	test_bad_loads(p);
	test_counts(p);
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
