/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of code of known counts: void region_NAME(uint64_t n, void *memory).
 * What each instruction adds is written beside it; regions.c has the sums.
 * The CALL to a region and its RET are in none of them, because every region
 * has those two, region_empty too.
 */
	.text

	.macro	region name
	.globl	region_\name
	.type	region_\name, @function
	.balign	64
region_\name:
	.endm

	.macro	end name
	ret
	.size	region_\name, . - region_\name
	.endm

	region	empty
	end	empty

	/* n >= 1; n iterations */
	region	loop
	mov	%rdi, %rcx
1:	dec	%rcx
	jnz	1b			/* conditional, taken n - 1 times */
	end	loop

	region	branches
	mov	%rdi, %rcx
1:	jmp	2f			/* taken */
2:	test	%rcx, %rcx
	jz	3f			/* conditional, never taken */
	dec	%rcx
	jnz	1b			/* conditional, taken n - 1 times */
3:	end	branches

	region	loads
	mov	%rdi, %rcx
1:	mov	(%rsi), %rax		/* load */
	add	8(%rsi), %rax		/* load */
	cmp	%rax, 16(%rsi)		/* load */
	movzbl	24(%rsi), %edx		/* load */
	dec	%rcx
	jnz	1b
	end	loads

	region	stores
	mov	%rdi, %rcx
1:	mov	%rcx, (%rsi)		/* store */
	movl	$1, 8(%rsi)		/* store */
	movb	$2, 16(%rsi)		/* store */
	mov	%cx, 24(%rsi)		/* store */
	dec	%rcx
	jnz	1b
	end	stores

	region	updates
	mov	%rdi, %rcx
1:	incq	(%rsi)			/* load and store */
	push	%rcx			/* store */
	pop	%rax			/* load */
	dec	%rcx
	jnz	1b
	end	updates

	region	calls
	mov	%rdi, %rcx
1:	call	2f			/* branch, store */
	dec	%rcx
	jnz	1b
	ret
2:	ret				/* branch, load */
	.size	region_calls, . - region_calls

	/* n iterations of each of two REP instructions, over one byte */
	region	rep
	mov	%rsi, %rdx
	mov	%rdi, %rcx
	mov	%rdi, %r8
	mov	%rdx, %rdi
	xor	%eax, %eax
	rep stosb			/* one instruction, n stores */
	mov	%r8, %rcx
	mov	%rdx, %rdi
	mov	%rdx, %rsi
	rep movsb			/* one instruction, n loads and stores */
	end	rep

	/* one store to each of n pages */
	region	touch
	mov	%rdi, %rcx
1:	movb	$1, (%rsi)		/* store; a page fault if the page is new */
	add	$4096, %rsi
	dec	%rcx
	jnz	1b
	end	touch

	/* n system calls; the flags of the kernel's own work are its business */
	region	syscalls
	mov	%rdi, %r8
1:	mov	$39, %eax		/* getpid */
	syscall
	dec	%r8
	jnz	1b
	end	syscalls

	/*
	 * Not in the table: n >= 1 steps of struct step, one after the other.  A step
	 * costs 7 instructions, one of them a conditional branch, 4 loads, 1
	 * store, besides what its region is known to do; once there are 6, 2 and 2.
	 */
	.globl	region_sequence
	.type	region_sequence, @function
	.balign	64
region_sequence:
	push	%rbx			/* store */
	push	%rbp			/* store */
	mov	%rdi, %rbx
	mov	%rsi, %rbp
1:	mov	(%rbp), %rdi		/* load */
	mov	8(%rbp), %rsi		/* load */
	call	*16(%rbp)		/* branch, load, store; its RET: branch, load */
	add	$24, %rbp
	dec	%rbx
	jnz	1b			/* conditional */
	pop	%rbp			/* load */
	pop	%rbx			/* load */
	end	sequence

	.section .note.GNU-stack, "", @progbits
