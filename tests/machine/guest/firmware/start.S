/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware of HVM domains, from where hvmloader leaves the CPU (real mode, as
 * after a reset) to 64-bit mode with the memory below 4 GiB, and the beginning of
 * the window, mapped to their own addresses. main.c goes on from there.
 */
#define CR0_PE_PG	0x80000001
#define CR4_PAE		0x20
#define EFER		0xc0000080
#define EFER_LME	0x100
#define PRESENT_WRITE	3
#define LARGE		0x80

/* Selectors of Linux's boot protocol; 0x08 only leads there. */
#define CODE32		0x08
#define CODE64		0x10
#define DATA		0x18

/* In low memory, above what hvmloader left there: a page for each */
#define PML4		0x20000
#define PDPT		0x21000
#define DIRECTORIES	0x22000
#define STACK_TOP	0x20000

	.section .params, "a"
	.globl	params
params:	.ascii	"lab-boot"
	.quad	0			/* address of the window, a multiple of 1 GiB */
	.skip	4096 - 16		/* command line */

	.section .reset, "ax"
	.code16
	jmp	start16

	.text
	.code16
start16:
	cli
	lgdtl	%cs:gdt_pointer - 0xf0000
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$CODE32, $start32

	.code32
start32:
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$STACK_TOP, %esp
	cld

	xor	%eax, %eax
	mov	$PML4, %edi
	mov	$2048, %ecx
	rep stosl
	movl	$PDPT + PRESENT_WRITE, PML4
	/* Four directories for the first 4 GiB, two for as many of the window */
	mov	$PDPT, %edi
	mov	$DIRECTORIES + PRESENT_WRITE, %eax
	xor	%ebx, %ebx
	mov	$4, %ecx
	call	map
	mov	params + 8, %ebx
	shr	$30, %ebx
	mov	params + 12, %edx
	shl	$2, %edx
	or	%edx, %ebx
	lea	PDPT(,%ebx,8), %edi
	mov	$2, %ecx
	call	map

	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$PML4, %eax
	mov	%eax, %cr3
	mov	$EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PE_PG, %eax
	mov	%eax, %cr0
	ljmp	$CODE64, $start64

/*
 * Makes ECX entries at EDI point to the directories from EAX on, and lets those
 * map as many GiB from the EBXth on, in pages of 2 MiB. Moves EAX, EBX, EDI on.
 */
map:	mov	%eax, (%edi)
	movl	$0, 4(%edi)
	push	%ecx
	push	%edi
	lea	-PRESENT_WRITE(%eax), %edi
	mov	%ebx, %edx
	shl	$30, %edx
	or	$PRESENT_WRITE + LARGE, %edx
	mov	%ebx, %esi
	shr	$2, %esi
	mov	$512, %ecx
1:	mov	%edx, (%edi)
	mov	%esi, 4(%edi)
	add	$0x200000, %edx
	add	$8, %edi
	loop	1b
	pop	%edi
	pop	%ecx
	add	$8, %edi
	add	$0x1000, %eax
	inc	%ebx
	loop	map
	ret

	.code64
start64:
	mov	$STACK_TOP, %esp	/* its upper half too */
	call	main

/* void jump(u64 entry, void *boot_params) */
	.globl	jump
jump:	jmp	*%rdi

/* The end by a triple fault, which destroys the domain */
	.globl	die
die:	lidt	no_idt
	int3

	.align	8
gdt:	.quad	0
	.quad	0x00cf9b000000ffff	/* CODE32 */
	.quad	0x00af9b000000ffff	/* CODE64 */
	.quad	0x00cf93000000ffff	/* DATA */
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
no_idt:	.word	0
	.quad	0
	.section .note.GNU-stack, "", @progbits
