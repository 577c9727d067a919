/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot sector of the machine's disk. What it starts lies in memory already,
 * where Bochs put it (optramimage), so nothing is loaded here and no boot
 * loader is needed: it asks the BIOS for the map of memory, enters protected
 * mode and jumps. ../bochs_boot.py fills the fields at "fields", and knows this layout.
 */
	.code16
	.globl _start
_start:
	ljmp $0, $begin

	. = 8
fields:
entry:	.long 0			/* 32-bit, paging off, flat segments */
eax:	.long 0
ebx:	.long 0			/* address of info, in practice */
	.balign 8
	. = 24
info:	.space 120		/* multiboot information, or PVH start information */

	/* In the start information of PVH, where its map has its length */
	.set memmap_entries, info + 48
	.set memmap, 0x8000

begin:
	cli
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %sp

	in $0x92, %al		/* address line 20 */
	or $2, %al
	and $0xfe, %al
	out %al, $0x92

	mov $memmap, %di
	xor %ebx, %ebx
1:	mov $0xe820, %eax
	mov $20, %ecx
	mov $0x534d4150, %edx
	int $0x15
	jc 2f
	/* An entry of a PVH map is that of the BIOS and 4 bytes of padding. */
	movl $0, 20(%di)
	add $24, %di
	incl memmap_entries
	test %ebx, %ebx
	jnz 1b

2:	cli
	lgdt gdtr
	mov %cr0, %eax
	or $1, %al
	mov %eax, %cr0
	ljmp $8, $protected

	.code32
protected:
	mov $16, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	mov eax, %eax
	mov ebx, %ebx
	jmp *entry

	.balign 8
gdt:	.quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:	.word gdtr - gdt - 1
	.long gdt

	. = 510
	.word 0xaa55
