// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The firmware of HVM domains: what hvmloader starts instead of SeaBIOS.
 *
 * A PC's firmware would unpack the kernel and fetch it through emulated devices,
 * byte by byte: a minute on the emulated machine. This one takes kernel and
 * initramfs from the window and starts the kernel by Linux's 64-bit boot protocol
 * (Documentation/x86/boot.rst, zero-page.rst). What hvmloader has prepared,
 * ACPI tables and memory map, is passed on: the guest still is an HVM guest.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

/* start.S; filled in by "mailbox firmware" */
extern const struct {
	char magic[8];
	u64 window;
	char command_line[4080];
} params;
void jump(u64 entry, void *boot_params) __attribute__((noreturn));
void die(void) __attribute__((noreturn));

/* guest/mailbox.c describes the window. */
struct header {
	u64 magic, root_off, root_len, in_off, in_len;
	u64 slot_off, slot_size, nslots;
	u64 kernel_off, kernel_len, initrd_off, initrd_len;
};

#define MAGIC		0x3062616c72746370ul
#define WINDOW_MAPPED	(2ul << 30)	/* by start.S */

/* What hvmloader tells SeaBIOS (tools/firmware/hvmloader/seabios.c) */
struct bios_info {
	char signature[14];
	u8 length, checksum;
	u32 tables, nr_tables, e820, nr_e820;
} __attribute__((packed));

#define BIOS_INFO	((const struct bios_info *)0x1000)

struct e820 {
	u64 start, size;
	u32 type;
} __attribute__((packed));

#define E820_RAM	1

struct elf {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum;
};

struct segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

#define PT_LOAD		1

/* Low memory that nobody else has, until Linux has copied what lies there */
#define BOOT_PARAMS	((u8 *)0x90000)

/* Linux looks for the root of the ACPI tables here, 16-byte aligned. */
static u8 rsdp[48] __attribute__((aligned(16)));

static void put_char(char c)
{
	asm volatile("outb %0, $0xe9" : : "a" (c));	/* Xen's log */
}

static void fail(const char *why)
{
	const char *line[] = { "firmware: ", why, "\n" };

	for (unsigned i = 0; i < 3; i++)
		for (const char *p = line[i]; *p; p++)
			put_char(*p);
	die();
}

static void copy(u64 to, u64 from, u64 len)
{
	u64 words = len / 8, rest = len % 8;

	asm volatile("rep movsq\n\tmov %3, %%rcx\n\trep movsb"
		     : "+&D" (to), "+&S" (from), "+&c" (words) : "r" (rest)
		     : "memory");
}

static void clear(u64 to, u64 len)
{
	asm volatile("rep stosb" : "+D" (to), "+c" (len) : "a" (0) : "memory");
}

static int starts_with(const void *at, const char *text)
{
	for (const char *p = at; *text; p++, text++)
		if (*p != *text)
			return 0;
	return 1;
}

/* What GCC may call of its own accord */
void *memcpy(void *to, const void *from, u64 len)
{
	copy((u64)to, (u64)from, len);
	return to;
}

void *memset(void *to, int c, u64 len)
{
	u64 at = (u64)to;

	asm volatile("rep stosb" : "+D" (at), "+c" (len) : "a" (c) : "memory");
	return to;
}

static void find_rsdp(void)
{
	const u32 *tables = (const u32 *)(u64)BIOS_INFO->tables;

	for (u32 i = 0; i < BIOS_INFO->nr_tables; i++) {
		if (!starts_with((void *)(u64)tables[i], "RSD PTR "))
			continue;
		copy((u64)rsdp, tables[i], 36);
		return;
	}
	fail("hvmloader made no ACPI tables");
}

/* Returns where the kernel is to be entered; *end is the end of it in memory. */
static u64 load_kernel(u64 file, u64 *end)
{
	const struct elf *elf = (const struct elf *)file;

	if (!starts_with(elf->ident, "\177ELF\2"))
		fail("the kernel is no 64-bit ELF file");
	*end = 0;
	for (unsigned i = 0; i < elf->phnum; i++) {
		const struct segment *s = (const struct segment *)
			(file + elf->phoff + i * elf->phentsize);

		if (s->type != PT_LOAD)
			continue;
		copy(s->paddr, file + s->offset, s->filesz);
		clear(s->paddr + s->filesz, s->memsz - s->filesz);
		if (s->paddr + s->memsz > *end)
			*end = s->paddr + s->memsz;
	}
	return elf->entry;
}

/* The end of the memory that the kernel's end lies in, below 4 GiB */
static u64 end_of_memory(u64 kernel_end)
{
	const struct e820 *e = (const struct e820 *)(u64)BIOS_INFO->e820;

	for (u32 i = 0; i < BIOS_INFO->nr_e820; i++)
		if (e[i].type == E820_RAM && e[i].start < kernel_end &&
		    e[i].start + e[i].size > kernel_end)
			return e[i].start + e[i].size;
	fail("there is too little memory");
	return 0;
}

void main(void)
{
	const struct header *header = (const struct header *)params.window;
	u8 *bp = BOOT_PARAMS;
	u64 entry, kernel_end, initrd;

	if (!starts_with(BIOS_INFO->signature, "XenHVMSeaBIOS"))
		fail("not started by hvmloader as a SeaBIOS");
	if (header->magic != MAGIC || !header->kernel_len)
		fail("there is no window with a kernel");
	if (header->initrd_off + header->initrd_len > WINDOW_MAPPED ||
	    header->kernel_off + header->kernel_len > WINDOW_MAPPED)
		fail("the kernel is too far inside the window");
	find_rsdp();
	entry = load_kernel(params.window + header->kernel_off, &kernel_end);
	initrd = (end_of_memory(kernel_end) - header->initrd_len) & ~0xffful;
	if (initrd < kernel_end)
		fail("there is too little memory for the initramfs");
	copy(initrd, params.window + header->initrd_off, header->initrd_len);

	clear((u64)bp, 4096);
	*(u64 *)(bp + 0x070) = (u64)rsdp;
	bp[0x1e8] = BIOS_INFO->nr_e820;
	copy((u64)bp + 0x2d0, BIOS_INFO->e820,
	     BIOS_INFO->nr_e820 * sizeof(struct e820));
	*(u16 *)(bp + 0x1fe) = 0xaa55;
	copy((u64)bp + 0x202, (u64)"HdrS", 4);
	*(u16 *)(bp + 0x206) = 0x20f;		/* version of the protocol */
	bp[0x210] = 0xff;			/* a boot loader without a number */
	bp[0x211] = 1;				/* the kernel is above 1 MiB */
	*(u32 *)(bp + 0x218) = initrd;
	*(u32 *)(bp + 0x21c) = header->initrd_len;
	*(u32 *)(bp + 0x228) = (u64)params.command_line;
	*(u32 *)(bp + 0x238) = sizeof(params.command_line) - 1;
	jump(entry, bp);
}
