/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From multiboot to 64-bit C, the traps, and the code whose events are known.
 */
#define KERNEL_CS	0x08
#define KERNEL_DS	0x10
#define USER_DS		0x1b
#define USER_CS		0x23

	.section .multiboot, "a"
	.align	4
	.long	0x1badb002, 0, -0x1badb002

	.code32
	.section .text
	.globl	_start
_start:
	cli
	mov	$stack_top, %esp
	mov	%ebx, multiboot_info

	/* identity map of 4 GB in 2 MB pages, also for user mode */
	mov	$page_directories, %edi
	mov	$0x87, %eax
	mov	$2048, %ecx
1:	mov	%eax, (%edi)
	movl	$0, 4(%edi)
	add	$0x200000, %eax
	add	$8, %edi
	loop	1b
	mov	$pdpt, %edi
	mov	$page_directories + 7, %eax
	mov	$4, %ecx
1:	mov	%eax, (%edi)
	add	$0x1000, %eax
	add	$8, %edi
	loop	1b
	/* above it, one table of 4 KB pages for the tests */
	movl	$test_directory + 7, (%edi)
	movl	$test_table + 7, test_directory
	movl	$pdpt + 7, pml4
	/* and all of it once more where a hypervisor would be */
	movl	$pdpt + 7, pml4 + 256 * 8

	mov	$pml4, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$0x6a0, %eax		/* PAE, PGE, OSFXSR, OSXMMEXCPT */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x101, %eax		/* LME, SCE */
	wrmsr
	mov	%cr0, %eax
	or	$0x80010002, %eax	/* PG, WP, MP */
	and	$~4, %eax
	mov	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$KERNEL_CS, $1f

	.code64
1:	mov	$KERNEL_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	$stack_top, %rsp
	call	main
	hlt

/*
 * Traps
 */
	.macro	trap vector
	.align	16
	.if	\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17
	nop
	nop
	.else
	push	$0
	.endif
	push	$\vector
	jmp	trap_common
	.endm

	.align	16
	.globl	trap_stubs
trap_stubs:
	.set	i, 0
	.rept	256
	trap	i
	.set	i, i + 1
	.endr

trap_common:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	call	handle_trap
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

	.globl	bare_iret
bare_iret:
	iretq

	/* Call a function in user mode. */
	.globl	user_call
user_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	pushfq
	mov	%rsp, kernel_rsp
	pushq	$USER_DS
	pushq	$user_stack_top - 8
	pushq	$0x202
	pushq	$USER_CS
	push	%rdi
	movq	$user_return, user_stack_top - 8
	iretq
user_return:
	int	$0x80
	.globl	user_done
user_done:			/* handle_trap() comes back here */
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/*
 * void measure(void): what the counter with the index measure_index counts
 * in measure_block(), with the same fixed overhead for every block.
 */
	.globl	measure
measure:
	push	%rbx
	push	%rbp
	mov	measure_index, %ecx
	rdpmc
	mov	%eax, %ebx
	shl	$32, %rdx
	or	%rdx, %rbx
	push	%rbx
	call	*measure_block
	pop	%rbx
	mov	measure_index, %ecx
	rdpmc
	shl	$32, %rdx
	or	%rdx, %rax
	sub	%rbx, %rax
	mov	%rax, measure_result
	pop	%rbp
	pop	%rbx
	ret

	/* The same with the ruler */
	.globl	measure_ruler
measure_ruler:
	push	%rbx
	push	%rbp
	mov	measure_index, %ecx
	xgetbv
	mov	%eax, %ebx
	shl	$32, %rdx
	or	%rdx, %rbx
	push	%rbx
	call	*measure_block
	pop	%rbx
	mov	measure_index, %ecx
	xgetbv
	shl	$32, %rdx
	or	%rdx, %rax
	sub	%rbx, %rax
	mov	%rax, measure_result
	pop	%rbp
	pop	%rbx
	ret

/*
 * Blocks: their events are in the table in main.c.  They may change all
 * registers but RSP.
 */
	.macro	block name
	.align	64
	.globl	block_\name
block_\name:
	.endm

block empty
	ret
block nops
	.rept	10
	nop
	.endr
	ret
block count_down
	mov	$1000, %ecx
1:	dec	%ecx
	jnz	1b
	ret
block loop
	mov	$100, %ecx
1:	loop	1b
	ret
block jrcxz
	xor	%ecx, %ecx
	jrcxz	1f
	nop
1:	mov	$1, %ecx
	jrcxz	1b
	ret
block jumps
	jmp	1f
	nop
1:	mov	$2f, %eax
	jmp	*%rax
	nop
2:	jmp	*block_jumps_target
3:	ret
	.globl	block_jumps_target
	.section .data
block_jumps_target:
	.quad	3b
	.section .text
block calls
	call	1f
	mov	$1f, %eax
	call	*%rax
	ret
1:	ret
block push_pop
	push	%rax
	pop	%rcx
	push	buffer
	pop	buffer
	ret
block modify
	add	%eax, buffer
	lock add %eax, buffer
	xchg	%eax, buffer
	lock cmpxchg %ecx, buffer
	lock cmpxchg8b buffer
	btsl	$3, buffer
	ret
block moves
	mov	buffer, %eax
	mov	%eax, buffer
	cmp	%eax, buffer
	lea	buffer, %rax
	fldt	buffer
	fstpt	buffer
	movups	buffer, %xmm0
	movups	%xmm0, buffer
	ret
block enter_leave
	enter	$16, $0
	leave
	ret
block movs
	mov	$buffer, %edi
	mov	$buffer, %esi
	mov	$1000000, %ecx
	rep movsb
	ret
block stos
	mov	$buffer, %edi
	mov	$1000000, %ecx
	rep stosb
	ret
block lods
	mov	$buffer, %esi
	mov	$100000, %ecx
	rep lodsb
	ret
block rep_zero
	xor	%ecx, %ecx
	rep movsb
	rep stosb
	repe cmpsb
	ret
block scas			/* the 11th byte differs */
	mov	$text, %edi
	mov	$'a', %eax
	mov	$100, %ecx
	repe scasb
	ret
block cmps			/* all equal */
	mov	$text, %edi
	mov	$text, %esi
	mov	$8, %ecx
	repe cmpsb
	ret
block string_once
	mov	$buffer, %edi
	mov	$buffer, %esi
	movsb
	stosb
	lodsb
	ret
block software_int		/* the handler is an IRETQ */
	int	$0x81
	int	$0x81
	ret
block conditional_move
	cmovc	buffer, %eax
	setc	buffer
	ret
block page_cross
	jmp	1f
	.align	4096
	.skip	4096 - 3
1:	movabs	$0x1122334455667788, %rax
	ret
block self_modify
	movb	$0x90, 1f
	incb	2f + 1
	nop
1:	nop
2:	mov	$1, %al
	ret
block many			/* more than fits into one block */
	.rept	3000
	nop
	.endr
	ret
block branchy
	mov	$333, %ecx
1:	test	$1, %cl
	jz	2f
	test	$2, %cl
	jnz	2f
	nop
2:	sub	$1, %ecx
	jae	1b
	ret

/* For user mode: the handler makes the instruction pass, or skips it. */
block invalid			/* skipped by the handler */
	movq	$1f, fault_resume
	ud2
1:	movq	$1f, fault_resume
	cli
1:	ret
block fault_load
	mov	fault_address, %rsi
	mov	(%rsi), %al
	mov	%al, 4096(%rsi)
	add	%al, 8192(%rsi)
	ret
block fault_call
	mov	%rsp, %rbx
	mov	fault_address, %rsp
	add	$4096, %rsp
	call	1f
	mov	%rbx, %rsp
	ret
1:	ret
block fault_push
	mov	%rsp, %rbx
	mov	fault_address, %rsp
	add	$4096, %rsp
	push	%rax
	nop
	pop	%rax
	mov	%rbx, %rsp
	ret
block fault_movs
	mov	fault_address, %rdi
	mov	$buffer, %esi
	mov	$32768, %ecx
	rep movsb
	ret
block spin			/* long enough for many timer interrupts */
	mov	$3000000, %ecx
1:	dec	%ecx
	jnz	1b
	ret
block stepped			/* sets TF for itself */
	pushfq
	orl	$0x100, (%rsp)
	popfq
	nop
	nop
	pushfq
	andl	$~0x100, (%rsp)
	popfq
	ret

/*
 * Overflows: WRMSR with what is in EAX, ECX, EDX starts counting; the code
 * behind it is one instruction with one event after the other.
 */
	.macro	sequence name, insn:vararg
	.align	64
	.globl	sequence_\name
sequence_\name:
	wrmsr
	.globl	sequence_\name\()_code
sequence_\name\()_code:
	.rept	40
	\insn
	.endr
	mov	%r8d, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	ret
	.endm

sequence nop, nop
sequence jmp, jmp .+2
sequence not_taken, jc .+2
sequence taken, jnc .+2
sequence load, mov (%rsi), %bl
sequence store, mov %bl, (%rsi)

	/* one load per page */
	.align	64
	.globl	sequence_walk, sequence_walk_code
sequence_walk:
	wrmsr
sequence_walk_code:
	.rept	16
	mov	(%rsi), %bl		/* 2 bytes */
	add	$4096, %rsi		/* 7 bytes */
	.endr
	mov	%r8d, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	ret

	/* Overflow with the instruction that leaves user mode */
	.globl	user_int82
user_int82:
	nop
	nop
	int	$0x82
	nop
	ret

/*
 * SVM: run a guest until it exits.  RDI is the address of its VMCB.
 */
	.globl	run_guest
run_guest:
	push	%rbx
	push	%rbp
	mov	%rdi, %rax
	vmload
	vmrun
	vmsave
	stgi
	pop	%rbp
	pop	%rbx
	ret
	.globl	guest_code
guest_code:
	mov	$100, %ecx
1:	dec	%ecx
	jnz	1b
	vmmcall
	.globl	guest_rdtscp
guest_rdtscp:
	rdtscp
	vmmcall
	.globl	guest_xsetbv, guest_after_xsetbv
guest_xsetbv:
	xor	%ecx, %ecx
	xor	%edx, %edx
	mov	$1, %eax
	xsetbv
guest_after_xsetbv:
	vmmcall
	.globl	guest_rdpmc, guest_after_rdpmc
guest_rdpmc:
	xor	%ecx, %ecx
	rdpmc
guest_after_rdpmc:
	vmmcall
	.globl	guest_rdmsr, guest_wrmsr
guest_rdmsr:
	mov	guest_msr, %ecx
	rdmsr
	vmmcall
guest_wrmsr:
	mov	guest_msr, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	vmmcall

	.section .data
	.align	16
	.globl	gdt
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 08: kernel code */
	.quad	0x00cf93000000ffff	/* 10: kernel data */
	.quad	0x00cff3000000ffff	/* 18: user data */
	.quad	0x00affb000000ffff	/* 20: user code */
	.quad	0, 0			/* 28: TSS */
	.globl	gdt_pointer
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.quad	gdt
text:
	.ascii	"aaaaaaaaaabaaaaaaa"

	.section .bss
	.align	4096
	.globl	pml4, test_table
pml4:	.skip	4096
pdpt:	.skip	4096
page_directories:
	.skip	4 * 4096
test_directory:
	.skip	4096
test_table:
	.skip	4096
	.skip	65536
	.globl	stack_top
stack_top:
	.skip	65536
	.globl	user_stack_top
user_stack_top:
	.skip	16
	.section .note.GNU-stack, "", @progbits
