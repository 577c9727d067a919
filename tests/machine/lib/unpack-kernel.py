# SPDX-License-Identifier: GPL-2.0-or-later
"""unpack-kernel.py VMLINUZ VMLINUX: takes the kernel proper out of a bzImage."""

import lzma
import struct
import sys


def main(bzimage, vmlinux):
    with open(bzimage, 'rb') as f:
        data = f.read()
    # Documentation/x86/boot.rst: setup_sects, payload_offset, payload_length
    if data[0x202:0x206] != b'HdrS':
        sys.exit('build: %s is not a bzImage' % bzimage)
    sectors = data[0x1f1] or 4
    offset, length = struct.unpack_from('<2I', data, 0x248)
    payload = data[(sectors + 1) * 512 + offset:][:length]
    if payload[:6] != b'\xfd7zXZ\0':
        sys.exit('build: %s is not compressed with xz' % bzimage)
    kernel = lzma.LZMADecompressor().decompress(payload)
    if kernel[:4] != b'\x7fELF':
        sys.exit('build: %s does not contain an ELF file' % bzimage)
    with open(vmlinux, 'wb') as f:
        f.write(kernel)


main(*sys.argv[1:])
