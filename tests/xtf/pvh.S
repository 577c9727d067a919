/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The same kernel as a PVH guest: from the 32-bit entry to main(), which it finds
 * at the virtual addresses that a PV guest has, and its exceptions and user mode.
 * The addresses below 2^47 are empty: pointers there are bad ones, as in PV.
 */

#define VIRT	0xffffffff80000000
#define PHYS(x)	((x) - VIRT)
#define TABLE	0x67			/* present, writable, user, accessed, dirty */

#define CODE	0x08
#define DATA	0x10
#define USER_DATA 0x1b
#define USER_CODE 0x23
#define TSS	0x28

	.code32
	.text
	.globl pvh_start
pvh_start:
	cld
	mov	%ebx, %esi		/* struct hvm_start_info */
	lgdt	PHYS(gdt_pointer_low)
	mov	%cr4, %eax
	or	$0x20, %eax		/* PAE */
	mov	%eax, %cr4
	mov	$PHYS(pvh_l4), %eax
	mov	%eax, %cr3
	mov	$0xc0000080, %ecx	/* EFER: LME, SCE */
	rdmsr
	or	$0x101, %eax
	wrmsr
	mov	%cr0, %eax
	or	$0x80010001, %eax	/* PG, WP, PE */
	mov	%eax, %cr0
	ljmp	$CODE, $PHYS(1f)

	.code64
1:	mov	$2f, %rax
	jmp	*%rax
2:	lea	stack_top(%rip), %rsp
	xor	%eax, %eax
	mov	%eax, %ss
	mov	%eax, %ds
	mov	%eax, %es
	/* Nothing is where it was at the beginning. */
	mov	%rax, pvh_l4(%rip)
	mov	%rax, pvh_l3(%rip)
	mov	%cr3, %rax
	mov	%rax, %cr3

	lgdt	gdt_pointer(%rip)
	/* The TSS's address is in pieces. */
	lea	tss(%rip), %rax
	mov	%ax, gdt + TSS + 2(%rip)
	shr	$16, %rax
	mov	%al, gdt + TSS + 4(%rip)
	mov	%ah, gdt + TSS + 7(%rip)
	shr	$16, %rax
	mov	%eax, gdt + TSS + 8(%rip)
	mov	$TSS, %eax
	ltr	%ax

	/* So are those of the exceptions. */
	lea	idt(%rip), %rdi
	lea	pvh_unexpected(%rip), %rax
	xor	%ecx, %ecx
1:	call	set_gate
	inc	%ecx
	cmp	$32, %ecx
	jne	1b
	lea	pvh_gp_fault(%rip), %rax
	mov	$13, %ecx
	call	set_gate
	lea	pvh_page_fault(%rip), %rax
	mov	$14, %ecx
	call	set_gate
	lidt	idt_pointer(%rip)

	mov	$0xc0000081, %ecx	/* STAR */
	xor	%eax, %eax
	mov	$CODE, %edx
	wrmsr
	mov	$0xc0000082, %ecx	/* LSTAR */
	lea	system_call(%rip), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
	mov	$0xc0000084, %ecx	/* SFMASK */
	mov	$-1, %eax
	xor	%edx, %edx
	wrmsr

	/* Xen writes the hypercall page. */
	mov	$0x40000002, %eax
	cpuid
	mov	%ebx, %ecx
	lea	hypercall_page(%rip), %rax
	mov	$VIRT, %rdx
	sub	%rdx, %rax
	xor	%edx, %edx
	wrmsr

	movb	$1, pvh(%rip)
	mov	%esi, %edi
	mov	$VIRT, %rax
	add	%rax, %rdi
	xor	%ebp, %ebp
	call	main
	ud2

/* Of exception ecx: the handler rax */
set_gate:
	mov	%ecx, %edx
	shl	$4, %edx
	mov	%ax, (%rdi, %rdx)
	movl	$CODE, 2(%rdi, %rdx)
	movl	$0x8e00, 4(%rdi, %rdx)
	mov	%rax, %r8
	shr	$16, %r8
	mov	%r8w, 6(%rdi, %rdx)
	shr	$16, %r8
	mov	%r8d, 8(%rdi, %rdx)
	ret

/* The processor pushes: error code, rip, cs, rflags, rsp, ss. */
pvh_gp_fault:
	mov	8(%rsp), %rdx
	call	may_fault
	jne	pvh_page_fault
	lea	fixed_up(%rip), %r9
	mov	%r9, 8(%rsp)
	add	$8, %rsp
	mov	$13, %r9d
	iretq
pvh_page_fault:
	add	$8, %rsp
pvh_unexpected:
	mov	(%rsp), %rdi
	call	unexpected_fault
	ud2

/* As in_user_mode(), which see. */
	.globl pvh_in_user_mode
pvh_in_user_mode:
	push	%rbx
	push	%rbp
	mov	%rsp, kernel_stack(%rip)
	mov	%rdi, %rbx
	lea	user(%rip), %rax
	pushq	$USER_DATA
	pushq	$0
	pushq	$0x2
	pushq	$USER_CODE
	push	%rax
	iretq

/* void outb(uint16_t port, uint8_t value) */
	.globl outb
outb:
	mov	%edi, %edx
	mov	%esi, %eax
	out	%al, %dx
	ret

	.data
	.balign 8
gdt:	.quad	0
	.quad	0x00af9b000000ffff	/* CODE */
	.quad	0x00cf93000000ffff	/* DATA */
	.quad	0x00cff3000000ffff	/* USER_DATA */
	.quad	0x00affb000000ffff	/* USER_CODE */
	.quad	0x0000890000000067, 0	/* TSS */
gdt_end:
gdt_pointer_low:
	.word	gdt_end - gdt - 1
	.quad	PHYS(gdt)
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt
idt_pointer:
	.word	32 * 16 - 1
	.quad	idt

	.balign 8
tss:	.long	0
	.quad	exception_stack		/* rsp0 */
	.skip	0x68 - 12

	/* The first 2 MiB in pages of their own, so that one can be taken away */
	.balign 4096
pvh_l4:	.quad	PHYS(pvh_l3) + TABLE
	.skip	510 * 8
	.quad	PHYS(pvh_l3) + TABLE
pvh_l3:	.quad	PHYS(pvh_l2) + TABLE
	.skip	509 * 8
	.quad	PHYS(pvh_l2) + TABLE
	.quad	0
pvh_l2:	.quad	PHYS(pvh_l1) + TABLE
	.skip	511 * 8
	.globl pvh_l1
pvh_l1:
	.set	entry, TABLE
	.rept	512
	.quad	entry
	.set	entry, entry + 4096
	.endr

	.bss
	.balign 16
idt:	.skip	32 * 16

	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	PHYS(pvh_start)
	.section .note.GNU-stack, "", @progbits
