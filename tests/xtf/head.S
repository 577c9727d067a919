/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 64-bit PV kernel: where Xen starts it, what it tells Xen about itself, and
 * the two exceptions that it expects.  pvh.S has the same for PVH.
 */

	.section .text.head, "ax", @progbits
	.globl _start
_start:
	lea	stack_top(%rip), %rsp
	mov	%rsi, %rdi		/* struct start_info */
	xor	%ebp, %ebp
	call	main
	ud2

	.balign 4096
	.globl hypercall_page
hypercall_page:
	.skip	4096

	.text
/*
 * long hypercall(unsigned nr, long a, long b, long c, long d)
 * nr, a, b, c, d in rdi, rsi, rdx, rcx, r8; Xen wants rax, rdi, rsi, rdx, r10.
 */
	.globl hypercall
hypercall:
	mov	%edi, %eax
	shl	$5, %eax
	lea	hypercall_page(%rip), %r11
	add	%rax, %r11
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	jmp	*%r11

/*
 * int try_rdpmc(uint32_t index, uint64_t *value): 0, or the vector of the
 * exception that it raised
 */
	.globl try_rdpmc
try_rdpmc:
	mov	%edi, %ecx
	mov	%rsi, %r8
	xor	%r9d, %r9d
	.globl rdpmc_here, fixed_up
rdpmc_here:
	rdpmc
store:	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, (%r8)
fixed_up:
	mov	%r9d, %eax
	ret

/* int try_rdmsr(uint32_t msr, uint64_t *value): the same */
	.globl try_rdmsr, rdmsr_here
try_rdmsr:
	mov	%edi, %ecx
	mov	%rsi, %r8
	xor	%r9d, %r9d
rdmsr_here:
	rdmsr
	jmp	store

/* int try_wrmsr(uint32_t msr, uint64_t value): the same */
	.globl try_wrmsr, wrmsr_here
try_wrmsr:
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
	xor	%r9d, %r9d
wrmsr_here:
	wrmsr
	jmp	fixed_up

/* Zero flag: the instruction at rdx may fault, as those above.  Changes r9. */
	.globl may_fault
may_fault:
	lea	rdpmc_here(%rip), %r9
	cmp	%r9, %rdx
	je	1f
	lea	rdmsr_here(%rip), %r9
	cmp	%r9, %rdx
	je	1f
	lea	wrmsr_here(%rip), %r9
	cmp	%r9, %rdx
1:	ret

/*
 * void in_user_mode(unsigned long n): 2 * n + 1 instructions of user mode, of
 * which n + 1 are branches (the system call is one), between one IRET of this
 * kernel and its system call entry.  Xen pops flags, rip, cs, rflags, rsp, ss,
 * after what the hypercall page pushes.  User mode has no stack; it shares the kernel's page tables.
 */
	.globl in_user_mode
in_user_mode:
	push	%rbx
	push	%rbp
	mov	%rsp, kernel_stack(%rip)
	mov	%rdi, %rbx
	lea	user(%rip), %rax
	pushq	$0xe02b			/* FLAT_USER_SS64 */
	pushq	$0
	pushq	$0x2			/* events stay masked */
	pushq	$0xe033			/* FLAT_USER_CS64 */
	push	%rax
	pushq	$0			/* by IRET, not SYSRET */
	jmp	hypercall_page + 23 * 32	/* HYPERVISOR_iret */
	.globl user
user:
1:	dec	%rbx
	jnz	1b
	syscall
	ud2

	.globl system_call
system_call:
	mov	kernel_stack(%rip), %rsp
	pop	%rbp
	pop	%rbx
	ret

/*
 * Xen pushes: rcx, r11, error code, rip, cs, rflags, rsp, ss.  Only RDPMC, RDMSR
 * and WRMSR may fault; the vector then comes back in r9.
 */
	.globl gp_fault
gp_fault:
	pop	%rcx
	pop	%r11
	add	$8, %rsp
	mov	(%rsp), %rdx
	call	may_fault
	jne	unexpected
	lea	fixed_up(%rip), %r9
	mov	%r9, (%rsp)
	mov	$13, %r9d
	pushq	$0
	jmp	hypercall_page + 23 * 32	/* HYPERVISOR_iret */

	.globl page_fault
page_fault:
	add	$24, %rsp
unexpected:
	mov	(%rsp), %rdi
	call	unexpected_fault
	ud2

	.bss
	.balign 4096
	.skip	16384
	.globl stack_top, exception_stack, kernel_stack
stack_top:
	.skip	4096
exception_stack:
kernel_stack:
	.quad	0

/* Types of <xen/elfnote.h>: what the ELF has to say to Xen. */
	.macro	NOTE type, value:vararg
	.balign	4
	.long	4, 2f - 1f, \type
	.asciz	"Xen"
1:	\value
2:	.balign	4
	.endm

	.section .note.Xen, "a", @note
	NOTE	6, .asciz "perfctr-test"	/* GUEST_OS */
	NOTE	5, .asciz "xen-3.0"		/* XEN_VERSION */
	NOTE	8, .asciz "generic"		/* LOADER */
	NOTE	9, .asciz "yes"			/* PAE_MODE */
	NOTE	3, .quad VIRT_BASE		/* VIRT_BASE */
	NOTE	4, .quad 0			/* PADDR_OFFSET */
	NOTE	1, .quad _start			/* ENTRY */
	NOTE	2, .quad hypercall_page		/* HYPERCALL_PAGE */
	.section .note.GNU-stack, "", @progbits
