// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of addresses in files, by elfutils' libdw: from the symbol tables, from
 * separate debugging files where they are, and lines from DWARF.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <gelf.h>

#include "profile.h"

struct symbols {
	Dwfl *dwfl;
	Dwfl_Module *module;
	Elf *elf;
	GElf_Addr bias; /* from the file's addresses to libdwfl's */
};

size_t symbols_build_id(int fd, unsigned char id[BUILD_ID_MAX])
{
	const void *bits;
	ssize_t size = 0;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf)
		return 0;
	if (elf_kind(elf) == ELF_K_ELF)
		size = dwelf_elf_gnu_build_id(elf, &bits);
	if (size > BUILD_ID_MAX)
		size = BUILD_ID_MAX;
	if (size > 0)
		memcpy(id, bits, (size_t)size);
	elf_end(elf);
	return size > 0 ? (size_t)size : 0;
}

/* Debugging files where distributions put them. */
static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_build_id_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
	.section_address = dwfl_offline_section_address,
};

struct symbols *symbols_open(const char *name, int fd)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols) {
		close(fd);
		return NULL;
	}
	symbols->dwfl = dwfl_begin(&callbacks);
	if (!symbols->dwfl) {
		close(fd);
		goto err;
	}
	symbols->module = dwfl_report_offline(symbols->dwfl, name, name, fd);
	if (!symbols->module) {
		close(fd);
		goto err;
	}
	dwfl_report_end(symbols->dwfl, NULL, NULL);
	symbols->elf = dwfl_module_getelf(symbols->module, &symbols->bias);
	if (!symbols->elf)
		goto err;
	return symbols;

err:
	symbols_close(symbols);
	return NULL;
}

void symbols_close(struct symbols *symbols)
{
	if (!symbols)
		return;
	if (symbols->dwfl)
		dwfl_end(symbols->dwfl);
	free(symbols);
}

bool symbols_address(const struct symbols *symbols, uint64_t offset,
		     uint64_t *address)
{
	size_t nr, i;

	if (elf_getphdrnum(symbols->elf, &nr) < 0)
		return false;
	for (i = 0; i < nr; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(symbols->elf, (int)i, &header) ||
		    header.p_type != PT_LOAD || !(header.p_flags & PF_X))
			continue;
		/* Mapped is in whole pages; the segment's own are meant. */
		if (offset >= header.p_offset &&
		    offset - header.p_offset < header.p_filesz) {
			*address = offset - header.p_offset + header.p_vaddr;
			return true;
		}
	}
	return false;
}

bool symbols_find(struct symbols *symbols, uint64_t address, const char **name,
		  uint64_t *start)
{
	GElf_Off offset;
	GElf_Sym symbol;

	*name = dwfl_module_addrinfo(symbols->module, address + symbols->bias,
				     &offset, &symbol, NULL, NULL, NULL);
	if (!*name || !**name)
		return false;
	*start = address - offset;
	return true;
}

bool symbols_line(struct symbols *symbols, uint64_t address, const char **file,
		  int *line)
{
	Dwfl_Line *source =
		dwfl_module_getsrc(symbols->module, address + symbols->bias);

	*file = source ? dwfl_lineinfo(source, NULL, line, NULL, NULL, NULL)
		       : NULL;
	return *file != NULL;
}
