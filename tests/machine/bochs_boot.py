# SPDX-License-Identifier: GPL-2.0-or-later
"""What Bochs boots: its configuration, a disk with bochs/boot.S in its first sector,
and the contents of memory, with Xen or Linux where they are linked to be."""

import os
import struct

MIB = 1 << 20
SECTOR, FIELDS, INFO = 512, 8, 24       # bochs/boot.S
LOADED = 0x7c00                         # where a BIOS puts a boot sector
MEMMAP = 0x8000
CYLINDER = 16 * 63 * SECTOR
MULTIBOOT, PVH = 0x2badb002, 0x336ec578
PHYS32_ENTRY = 18                       # Xen's ELF note of Linux's 32-bit entry


class BadImage(Exception):
    """A kernel that cannot be booted like this."""


def _elf(data):
    """The loaded segments of an ELF file as (address, offset, file size, memory size), its
    entry, and its notes as (offset, size)."""
    if data[:4] != b'\x7fELF':
        raise BadImage('not an ELF file')
    wide = data[4] == 2
    entry, phoff = struct.unpack_from('<2Q' if wide else '<2I', data, 24)
    phentsize, phnum = struct.unpack_from('<2H', data, 54 if wide else 42)
    loads, notes = [], []
    for n in range(phnum):
        at = phoff + n * phentsize
        if wide:
            kind, _, offset, _, paddr, filesz, memsz = struct.unpack_from('<2I5Q', data, at)
        else:
            kind, offset, _, paddr, filesz, memsz = struct.unpack_from('<6I', data, at)
        if kind == 1:
            loads.append((paddr, offset, filesz, memsz))
        elif kind == 4:
            notes.append((offset, filesz))
    return loads, entry, notes


def _pvh_entry(data, notes):
    for offset, size in notes:
        end = offset + size
        while offset < end:
            namesz, descsz, kind = struct.unpack_from('<3I', data, offset)
            name = data[offset + 12:offset + 12 + namesz]
            desc = offset + 12 + (namesz + 3 & ~3)
            if kind == PHYS32_ENTRY and name.rstrip(b'\0') == b'Xen':
                return int.from_bytes(data[desc:desc + min(descsz, 8)], 'little')
            offset = desc + (descsz + 3 & ~3)
    raise BadImage('the kernel has no PVH entry')


class Memory:
    """The image of memory that Bochs loads, from the kernel's first address on."""

    def __init__(self, path, kernel):
        with open(kernel, 'rb') as f:
            self.data = f.read()
        self.loads, self.entry, self.notes = _elf(self.data)
        self.start = min(paddr for paddr, _, _, _ in self.loads)
        self.end = 0
        self.file = open(path, 'w+b')
        for paddr, offset, filesz, memsz in self.loads:
            self.put(paddr, self.data[offset:offset + filesz])
            self.end = max(self.end, paddr + memsz)

    def put(self, address, data):
        self.file.seek(address - self.start)
        self.file.write(data)

    def add(self, data, align=4096):
        """Adds something behind all else and returns its address."""
        address = (self.end + align - 1) // align * align
        self.put(address, data)
        self.end = address + len(data)
        return address

    def add_file(self, path):
        with open(path, 'rb') as f:
            data = f.read()
        return self.add(data), len(data)

    def add_string(self, text):
        return self.add(text.encode() + b'\0', 8)


def _disk(path, sector, entry, eax, info):
    with open(sector, 'rb') as f:
        code = bytearray(f.read())
    struct.pack_into('<3I', code, FIELDS, entry, eax, LOADED + INFO)
    code[INFO:INFO + len(info)] = info
    with open(path, 'wb') as f:
        f.write(code)
        f.truncate(CYLINDER)   # Bochs wants whole cylinders


def multiboot(folder, sector, xen, line, modules):
    """Xen, with modules as (file, command line): writes ram and disk, returns the
    address of ram."""
    memory = Memory(os.path.join(folder, 'ram'), xen)
    table = b''
    for path, words in modules:
        at, size = memory.add_file(path)
        # The first word is the file's name to Xen, which drops it.
        words = os.path.basename(path) + ' ' + words
        table += struct.pack('<4I', at, at + size, memory.add_string(words), 0)
    # flags: the command line and the modules are valid; memory is the BIOS's to tell
    info = struct.pack('<7I', 0x0c, 0, 0, 0, memory.add_string('xen ' + line), len(modules),
                       memory.add(table, 8))
    _disk(os.path.join(folder, 'disk'), sector, memory.entry, MULTIBOOT, info)
    memory.file.close()
    return memory.start


def linux(folder, sector, vmlinux, line, initrd):
    """Linux by its PVH entry; as multiboot()."""
    memory = Memory(os.path.join(folder, 'ram'), vmlinux)
    at, size = memory.add_file(initrd)
    modules = memory.add(struct.pack('<4Q', at, size, 0, 0), 8)
    # version 1, one module, the map of memory; the sector fills in the map's length
    info = struct.pack('<4I5Q', PVH, 1, 0, 1, modules, memory.add_string(line), 0, MEMMAP, 0)
    _disk(os.path.join(folder, 'disk'), sector, _pvh_entry(memory.data, memory.notes), 0, info)
    memory.file.close()
    return memory.start


WINDOW = 'plugin_ctrl: ivshmem=1\nivshmem: file=window\n'


def configuration(folder, bochs, mib, ram_at, cpu='', more=''):
    """Writes Bochs's configuration file. cpu: more of the line "cpu"; more: more lines."""
    with open(os.path.join(folder, 'bochsrc'), 'w') as f:
        f.write('''\
display_library: nogui
cpu: model=corei7_skylake_x, count=1, ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=1%s
memory: guest=%d, host=%d
romimage: file="%s/bios.bin"
vgaromimage: file="%s/vgabios.bin"
vga: extension=none
pci: enabled=1, chipset=i440fx
plugin_ctrl: speaker=0, parallel=0
optramimage1: file=ram, address=0x%x
floppya: type=none
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=disk, mode=flat, cylinders=1, heads=16, spt=63
boot: disk
com1: enabled=1, mode=file, dev=console.log
clock: sync=none, time0=1735689600
log: /dev/stderr
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
%s''' % (', ' + cpu if cpu else '', mib, mib, bochs, bochs, ram_at, more))
