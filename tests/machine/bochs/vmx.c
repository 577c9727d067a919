// SPDX-License-Identifier: GPL-2.0-only
/*
 * Part of ../qemu/test/main.c: a VMX guest, and whose events are whose. On
 * hardware and here:
 *
 * - The instruction that enters belongs to root, one that exits does not retire.
 * - IA32_PERF_GLOBAL_CTRL changes with the entry and the exit, so a counter
 *   that only one side enables sees nothing of the other.
 * - The areas of MSRs are loaded and stored by the entry and the exit, too.
 *
 * Numbers: SDM volume 3, appendices "Field Encoding in VMCS" and "VMX Basic Exit
 * Reasons", and the chapter "Virtual Machine Control Structures".
 */

#define VMCS_MSR_BITMAP		0x2004
#define VMCS_EXIT_STORE		0x2006
#define VMCS_EXIT_LOAD		0x2008
#define VMCS_ENTRY_LOAD		0x200a
#define VMCS_LINK		0x2800
#define VMCS_GUEST_DEBUGCTL	0x2802
#define VMCS_GUEST_GLOBAL_CTRL	0x2808
#define VMCS_HOST_GLOBAL_CTRL	0x2c04
#define VMCS_PIN		0x4000
#define VMCS_PROC		0x4002
#define VMCS_EXIT		0x400c
#define VMCS_EXIT_STORE_COUNT	0x400e
#define VMCS_EXIT_LOAD_COUNT	0x4010
#define VMCS_ENTRY		0x4012
#define VMCS_ENTRY_LOAD_COUNT	0x4014
#define VMCS_ERROR		0x4400
#define VMCS_REASON		0x4402
#define VMCS_GUEST_RSP		0x681c
#define VMCS_GUEST_RIP		0x681e
#define VMCS_HOST_RSP		0x6c14
#define VMCS_HOST_RIP		0x6c16

#define PIN_INTERRUPTS		BIT(0)
#define PIN_NMI			BIT(3)
#define PROC_RDPMC		BIT(11)
#define PROC_MSR_BITMAP		BIT(28)
#define EXIT_64			BIT(9)
#define EXIT_LOAD_GLOBAL_CTRL	BIT(12)
#define EXIT_SAVE_GLOBAL_CTRL	BIT(30)
#define ENTRY_DEBUGCTL		BIT(2)
#define ENTRY_64		BIT(9)
#define ENTRY_LOAD_GLOBAL_CTRL	BIT(13)

#define REASON_NMI		0
#define REASON_INTERRUPT	1
#define REASON_RDPMC		15
#define REASON_VMCALL		18
#define REASON_RDMSR		31
#define REASON_WRMSR		32
#define REASON_GUEST_STATE	(BIT(31) | 33)

#define ERROR_HOST_STATE	8

/* 201 instructions before the VMCALL */
#define GUEST_INSNS		201

static unsigned char vmxon_region[4096] __attribute__((aligned(4096)));
static unsigned char vmcs_region[4096] __attribute__((aligned(4096)));
static unsigned char msr_bitmap[4096] __attribute__((aligned(4096)));
static unsigned char vmx_stack[4096] __attribute__((aligned(16)));
static struct msr_entry {
	u64 msr, value;
} entry_load[2], exit_store[2], exit_load[2];

/* Returns 0 after an exit, 1 if the entry was refused. */
u64 vmx_enter(u64 resume);
extern char vmx_guest[], vmx_guest_nops[], vmx_guest_rdpmc[], vmx_guest_wrmsr[];

asm(
".text\n"
"vmx_enter:\n"
"	push	%rbx\n"
"	push	%rbp\n"
"	mov	$0x6c14, %eax\n"
"	vmwrite	%rsp, %rax\n"
"	lea	3f(%rip), %rdx\n"
"	mov	$0x6c16, %eax\n"
"	vmwrite	%rdx, %rax\n"
"	test	%rdi, %rdi\n"
"	jnz	1f\n"
"	vmlaunch\n"
"	jmp	2f\n"
"1:	vmresume\n"
"2:	mov	$1, %eax\n"
"	jmp	4f\n"
"3:	xor	%eax, %eax\n"
"4:	pop	%rbp\n"
"	pop	%rbx\n"
"	ret\n"
"vmx_guest:\n"
"	mov	$100, %ecx\n"
"1:	dec	%ecx\n"
"	jnz	1b\n"
"	vmcall\n"
"vmx_guest_nops:\n"
"	.fill	100, 1, 0x90\n"
"	vmcall\n"
"vmx_guest_rdpmc:\n"
"	xor	%ecx, %ecx\n"
"	rdpmc\n"
"	vmcall\n"
"vmx_guest_wrmsr:\n"
"	xor	%eax, %eax\n"
"	xor	%edx, %edx\n"
"	mov	$0x38f, %ecx\n"
"	wrmsr\n"
"	vmcall\n");

static void vmwrite(u64 field, u64 v)
{
	asm volatile("vmwrite %1, %0" : : "r" (field), "r" (v) : "cc");
}

static u64 vmread(u64 field)
{
	u64 v;

	asm volatile("vmread %1, %0" : "=r" (v) : "r" (field) : "cc");
	return v;
}

/* The bits that a capability MSR demands, and those wanted; all must be there. */
static void set_controls(u64 field, u32 msr, u64 wanted)
{
	u64 cap = rdmsr(msr);

	check("VMX controls", field, wanted & ~(cap >> 32), 0);
	vmwrite(field, (cap & 0xffffffff) | wanted);
}

static void set_guest_segment(unsigned n, u64 selector, u64 limit, u64 rights)
{
	vmwrite(0x800 + 2 * n, selector);
	vmwrite(0x4800 + 2 * n, limit);
	vmwrite(0x4814 + 2 * n, rights);
	vmwrite(0x6806 + 2 * n, 0);
}

/* ES, CS, SS, DS, FS, GS, LDTR, TR, as the fields are ordered */
static void set_segments(void)
{
	for (unsigned n = 0; n < 6; n++) {
		set_guest_segment(n, n == 1 ? 0x08 : 0x10, 0xffffffff,
				  n == 1 ? 0xa09b : 0xc093);
		vmwrite(0xc00 + 2 * n, n == 1 ? 0x08 : 0x10);
	}
	set_guest_segment(6, 0, 0, 0x10000);
	set_guest_segment(7, 0x28, sizeof(tss) - 1, 0x8b);
	vmwrite(0x6814, (u64)tss);
	vmwrite(0xc0c, 0x28);
	vmwrite(0x6c06, 0);
	vmwrite(0x6c08, 0);
	vmwrite(0x6c0a, (u64)tss);
	for (unsigned host = 0; host < 2; host++) {
		vmwrite(host ? 0x6c0c : 0x6816, (u64)gdt);
		vmwrite(host ? 0x6c0e : 0x6818, (u64)idt);
	}
	vmwrite(0x4810, 0xffff);
	vmwrite(0x4812, sizeof(idt) - 1);
}

static void vmx_on(void)
{
	u64 cr0, cr4, ptr = (u64)vmxon_region;
	u32 revision = rdmsr(0x480) & 0x7fffffff;
	unsigned char failed;

	asm("mov %%cr0, %0" : "=r" (cr0));
	asm volatile("mov %0, %%cr0" : : "r" (cr0 | BIT(5)));
	asm("mov %%cr4, %0" : "=r" (cr4));
	asm volatile("mov %0, %%cr4" : : "r" (cr4 | BIT(13)));
	if (!(rdmsr(0x3a) & 1))
		wrmsr(0x3a, 5);
	*(u32 *)vmxon_region = revision;
	asm volatile("vmxon %1; setbe %0" : "=q" (failed) : "m" (ptr) : "cc");
	check("VMXON", 0, failed, 0);
}

static void vmx_off(void)
{
	u64 cr4;

	asm volatile("vmxoff" : : : "cc");
	asm("mov %%cr4, %0" : "=r" (cr4));
	asm volatile("mov %0, %%cr4" : : "r" (cr4 & ~BIT(13)));
}

/* A new VMCS for a guest that begins at rip */
static void prepare_vmx(const void *rip, u64 pin, u64 proc, u64 exit, u64 entry)
{
	u64 ptr = (u64)vmcs_region, cr;
	unsigned char failed;

	*(u32 *)vmcs_region = rdmsr(0x480) & 0x7fffffff;
	asm volatile("vmclear %1; setbe %0" : "=q" (failed) : "m" (ptr) : "cc");
	check("VMCLEAR", 0, failed, 0);
	asm volatile("vmptrld %1; setbe %0" : "=q" (failed) : "m" (ptr) : "cc");
	check("VMPTRLD", 0, failed, 0);

	set_controls(VMCS_PIN, 0x481, pin);
	set_controls(VMCS_PROC, 0x482, proc | PROC_MSR_BITMAP);
	set_controls(VMCS_EXIT, 0x483, exit | EXIT_64);
	set_controls(VMCS_ENTRY, 0x484, entry | ENTRY_64);
	for (u64 field = 0x4004; field <= 0x401a; field += 2)
		if (field != VMCS_EXIT && field != VMCS_ENTRY)
			vmwrite(field, 0);
	vmwrite(VMCS_MSR_BITMAP, (u64)msr_bitmap);
	vmwrite(VMCS_EXIT_STORE, (u64)exit_store);
	vmwrite(VMCS_EXIT_LOAD, (u64)exit_load);
	vmwrite(VMCS_ENTRY_LOAD, (u64)entry_load);
	vmwrite(VMCS_LINK, ~0ull);
	vmwrite(VMCS_GUEST_DEBUGCTL, 0);

	set_segments();
	asm("mov %%cr0, %0" : "=r" (cr));
	vmwrite(0x6800, cr);
	vmwrite(0x6c00, cr);
	asm("mov %%cr3, %0" : "=r" (cr));
	vmwrite(0x6802, cr);
	vmwrite(0x6c02, cr);
	asm("mov %%cr4, %0" : "=r" (cr));
	vmwrite(0x6804, cr);
	vmwrite(0x6c04, cr);
	for (u64 field = 0x6000; field <= 0x6006; field += 2)
		vmwrite(field, 0);
	vmwrite(0x4824, 0);			/* interruptibility, activity */
	vmwrite(0x4826, 0);
	vmwrite(0x482a, 0);			/* SYSENTER of both */
	vmwrite(0x6824, 0);
	vmwrite(0x6826, 0);
	vmwrite(0x4c00, 0);
	vmwrite(0x6c10, 0);
	vmwrite(0x6c12, 0);
	vmwrite(0x681a, 0x400);			/* DR7, RFLAGS, pending debug */
	vmwrite(0x6820, 2);
	vmwrite(0x6822, 0);
	vmwrite(VMCS_GUEST_RIP, (u64)rip);
	vmwrite(VMCS_GUEST_RSP, (u64)vmx_stack + sizeof(vmx_stack));
}

static void intercept_vmx_msr(u32 msr, bool write, bool on)
{
	unsigned char *byte = msr_bitmap + (write ? 2048 : 0) + msr / 8;

	*byte = (*byte & ~(1 << msr % 8)) | on << msr % 8;
}

static u64 guest_insns(void)
{
	return ruler_read(RULER_EV(RULER_INSN, RULER_GUEST_KERNEL));
}

static void enter(u64 reason)
{
	check("entered", 0, vmx_enter(0), 0);
	check("exit reason", 0, vmread(VMCS_REASON), reason);
}

static void enter_again(bool launched, const void *rip)
{
	vmwrite(VMCS_GUEST_RIP, (u64)rip);
	check("entered", launched, vmx_enter(launched), 0);
	check("exit reason", launched, vmread(VMCS_REASON), REASON_VMCALL);
}

#define KERNEL_INSNS	(event_select(INSN) | SEL_EN | SEL_OS)

/* Root and non-root, told apart by the ruler and by the global control */
static void test_vmx_counts(void)
{
	u64 before, host_before, host, pmc, exits, difference[3];

	vmx_on();
	stop_all();
	prepare_vmx(vmx_guest, 0, 0, 0, 0);
	before = guest_insns();
	exits = ruler_read(RULER_VMEXITS);
	enter(REASON_VMCALL);
	check("ruler", 0, guest_insns() - before, GUEST_INSNS);
	check("exits", 0, ruler_read(RULER_VMEXITS) - exits, 1);

	/* guest only */
	wrmsr(select_msr(0), KERNEL_INSNS);
	prepare_vmx(vmx_guest, 0, 0, EXIT_LOAD_GLOBAL_CTRL, ENTRY_LOAD_GLOBAL_CTRL);
	vmwrite(VMCS_GUEST_GLOBAL_CTRL, 1);
	vmwrite(VMCS_HOST_GLOBAL_CTRL, 0);
	enter(REASON_VMCALL);
	check("guest only", 0, rdmsr(counter_msr(0)), GUEST_INSNS);
	check("control of root", 0, rdmsr(GLOBAL_CTRL), 0);
	/* VMRESUME and what it resumes */
	enter_again(true, vmx_guest);
	check("guest only", 1, rdmsr(counter_msr(0)), 2 * GUEST_INSNS);

	/*
	 * What the ruler counts more than the counter is the same without an
	 * entry, with one that stops the counter, and with one that does not.
	 */
	for (unsigned i = 0; i < 3; i++) {
		stop_all();
		prepare_vmx(vmx_guest, 0, 0, EXIT_LOAD_GLOBAL_CTRL,
			    ENTRY_LOAD_GLOBAL_CTRL);
		vmwrite(VMCS_GUEST_GLOBAL_CTRL, i == 2);
		vmwrite(VMCS_HOST_GLOBAL_CTRL, 1);
		start_general(0, KERNEL_INSNS);
		host_before = ruler_read(RULER_EV(RULER_INSN, RULER_HOST_KERNEL));
		pmc = rdpmc(0);
		if (i)
			enter(REASON_VMCALL);
		pmc = rdpmc(0) - pmc;
		host = ruler_read(RULER_EV(RULER_INSN, RULER_HOST_KERNEL)) -
		       host_before;
		difference[i] = host + (i == 2 ? GUEST_INSNS : 0) - pmc;
		if (i && pmc < 20)
			fail("nothing of the host", i, pmc, 20);
	}
	check("root only", 0, difference[1], difference[0]);
	check("both", 0, difference[2], difference[0]);
	vmx_off();
}

static void test_vmx_msrs(void)
{
	vmx_on();
	stop_all();
	wrmsr(select_msr(0), KERNEL_INSNS);
	prepare_vmx(vmx_guest, 0, 0, 0, 0);
	entry_load[0] = (struct msr_entry){ GLOBAL_CTRL, 1 };
	exit_store[0] = (struct msr_entry){ counter_msr(0), 0 };
	exit_store[1] = (struct msr_entry){ GLOBAL_CTRL, 0 };
	exit_load[0] = (struct msr_entry){ GLOBAL_CTRL, 0 };
	vmwrite(VMCS_ENTRY_LOAD_COUNT, 1);
	vmwrite(VMCS_EXIT_STORE_COUNT, 2);
	vmwrite(VMCS_EXIT_LOAD_COUNT, 1);
	enter(REASON_VMCALL);
	check("stored counter", 0, exit_store[0].value, GUEST_INSNS);
	check("stored control", 0, exit_store[1].value, 1);
	check("counter", 0, rdmsr(counter_msr(0)), GUEST_INSNS);
	check("loaded control", 0, rdmsr(GLOBAL_CTRL), 0);

	/* The guest's own write reaches the register, and the VMCS at the exit. */
	stop_all();
	wrmsr(select_msr(0), KERNEL_INSNS);
	prepare_vmx(vmx_guest_wrmsr, 0, 0,
		    EXIT_LOAD_GLOBAL_CTRL | EXIT_SAVE_GLOBAL_CTRL,
		    ENTRY_LOAD_GLOBAL_CTRL);
	vmwrite(VMCS_GUEST_GLOBAL_CTRL, 1);
	vmwrite(VMCS_HOST_GLOBAL_CTRL, 2);
	enter(REASON_VMCALL);
	check("stopped by the guest", 0, rdmsr(counter_msr(0)), 3);
	check("saved control", 0, vmread(VMCS_GUEST_GLOBAL_CTRL), 0);
	check("control of root", 0, rdmsr(GLOBAL_CTRL), 2);

	/* or not, by the bitmap */
	stop_all();
	intercept_vmx_msr(GLOBAL_CTRL, true, true);
	prepare_vmx(vmx_guest_wrmsr, 0, 0, 0, 0);
	wrmsr(GLOBAL_CTRL, 1);
	enter(REASON_WRMSR);
	check("intercepted", 0, rdmsr(GLOBAL_CTRL), 1);
	intercept_vmx_msr(GLOBAL_CTRL, true, false);

	/* Reserved bits */
	prepare_vmx(vmx_guest, 0, 0, 0, ENTRY_LOAD_GLOBAL_CTRL);
	vmwrite(VMCS_GUEST_GLOBAL_CTRL, BIT(conf.general));
	enter(REASON_GUEST_STATE);
	prepare_vmx(vmx_guest, 0, 0, EXIT_LOAD_GLOBAL_CTRL, 0);
	vmwrite(VMCS_HOST_GLOBAL_CTRL, BIT(conf.general));
	check("refused", 0, vmx_enter(0), 1);
	check("error", 0, vmread(VMCS_ERROR), ERROR_HOST_STATE);

	/* IA32_DEBUGCTL */
	stop_all();
	prepare_vmx(vmx_guest, 0, 0, 0, ENTRY_DEBUGCTL);
	vmwrite(VMCS_GUEST_DEBUGCTL, BIT(12));
	wrmsr(DEBUGCTL, BIT(11));
	enter(REASON_VMCALL);
	check("saved DEBUGCTL", 0, vmread(VMCS_GUEST_DEBUGCTL), BIT(12));
	check("DEBUGCTL of root", 0, rdmsr(DEBUGCTL), 0);
	prepare_vmx(vmx_guest, 0, 0, 0, ENTRY_DEBUGCTL);
	vmwrite(VMCS_GUEST_DEBUGCTL, BIT(40));
	enter(REASON_GUEST_STATE);
	vmx_off();
}

static void test_vmx_rdpmc(void)
{
	u64 before, done = ruler_read(RULER_RDPMC);

	vmx_on();
	stop_all();
	prepare_vmx(vmx_guest_rdpmc, 0, PROC_RDPMC, 0, 0);
	before = guest_insns();
	enter(REASON_RDPMC);
	check("at the RDPMC", 0, vmread(VMCS_GUEST_RIP), (u64)vmx_guest_rdpmc + 2);
	check("before it", 0, guest_insns() - before, 1);
	check("RDPMC done", 0, ruler_read(RULER_RDPMC) - done, 0);
	prepare_vmx(vmx_guest_rdpmc, 0, 0, 0, 0);
	before = guest_insns();
	enter(REASON_VMCALL);
	check("not intercepted", 0, guest_insns() - before, 2);
	check("RDPMC done", 1, ruler_read(RULER_RDPMC) - done, 1);
	vmx_off();
}

/* An overflow in the guest: the interrupt exits before the next instruction. */
static void test_vmx_overflow(void)
{
	vmx_on();
	for (unsigned nmi = 0; nmi < 2; nmi++)
	for (unsigned k = 1; k < 100; k += 7) {
		stop_all();
		*apic(0x340) = nmi ? 0x400 : VECTOR_PMI;
		wrmsr(select_msr(0), KERNEL_INSNS | SEL_INT);
		wrmsr(counter_msr(0), -(u64)k);
		prepare_vmx(vmx_guest_nops, PIN_INTERRUPTS | PIN_NMI, 0,
			    EXIT_LOAD_GLOBAL_CTRL, ENTRY_LOAD_GLOBAL_CTRL);
		vmwrite(VMCS_GUEST_GLOBAL_CTRL, 1);
		vmwrite(VMCS_HOST_GLOBAL_CTRL, 0);
		enter(nmi ? REASON_NMI : REASON_INTERRUPT);
		check("RIP", k, vmread(VMCS_GUEST_RIP),
		      (u64)vmx_guest_nops + k);
		check("counter", k, rdmsr(counter_msr(0)), 0);
		check("status", k, rdmsr(GLOBAL_STATUS), 1);
		check("mask bit of LVTPC", k, *apic(0x340) >> 16 & 1, 1);
		/* An exit takes the NMI, but leaves the interrupt for root. */
		check("in root", k, pmis, 0);
		asm volatile("sti; nop; nop; cli");
		check("taken in root", k, pmis, !nmi);
		/* which an exit for NMI blocks */
		asm volatile("push %%rax; mov %%rsp, %%rax; push $0x10;"
			     "push %%rax; pushfq; push $0x08; lea 1f(%%rip), %%rax;"
			     "push %%rax; iretq; 1: pop %%rax" : : : "memory");
	}
	vmx_off();
}

static void test_owner_vmx(void)
{
	vmx_on();
	start_as(VCPU_A);
	write_counter(0, 1000);
	for (unsigned other = 0; other < 2; other++) {
		u64 f = ruler_read(RULER_OWNER_FAULTS);

		xen_stack.current = other ? VCPU_B : VCPU_A;
		prepare_vmx(vmx_guest_rdpmc, 0, 0, 0, 0);
		enter(REASON_VMCALL);
		check(other ? "read by B" : "read by A", 0,
		      ruler_read(RULER_OWNER_FAULTS) - f, other);
	}
	/* The area that an entry loads is of the vCPU that is current then. */
	prepare_vmx(vmx_guest_rdpmc, 0, 0, 0, 0);
	entry_load[0] = (struct msr_entry){ counter_msr(0), 500 };
	vmwrite(VMCS_ENTRY_LOAD_COUNT, 1);
	for (unsigned other = 0; other < 2; other++) {
		u64 f = ruler_read(RULER_OWNER_FAULTS);

		enter_again(other, vmx_guest_rdpmc);
		check("loaded by the entry", other,
		      ruler_read(RULER_OWNER_FAULTS) - f, 0);
	}
	vmx_off();
}
