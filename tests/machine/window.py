# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's end of the window shared with the guest; see guest/mailbox.c,
which describes the layout and is kept in step with this."""

import io
import os
import struct
import tarfile

MAGIC = 0x3062616c72746370
MIB = 1 << 20
REQUEST, RECORDS = 4096, 65536
STDOUT, STDERR, GET, STATUS, FAILURE, DONE = range(1, 7)

SLOT_SIZE = 256 * MIB   # sparse: what nobody writes takes no disk space
SLOTS = 8


class Full(Exception):
    """Something does not fit into the window."""


def _normal(name):
    """The root file system has merged /usr; a directory must not replace a link."""
    first = name.split('/', 1)[0]
    return 'usr/' + name if first in ('bin', 'sbin', 'lib', 'lib64') else name


def _plain(info):
    """Whoever made the file on the host, in the guest root owns it."""
    info.uid = info.gid = 0
    info.uname = info.gname = 'root'
    info.mtime = int(info.mtime)
    return info


def add_tree(tar, top, prefix):
    """Adds what is in the directory top, in an order that never varies."""
    for folder, dirs, files in os.walk(top):
        dirs.sort()
        links = [d for d in dirs if os.path.islink(os.path.join(folder, d))]
        for name in sorted(files + links):
            path = os.path.join(folder, name)
            arcname = os.path.join(prefix, os.path.relpath(path, top))
            tar.add(path, _normal(arcname), recursive=False, filter=_plain)
        for name in dirs:
            if name not in links:
                path = os.path.join(folder, name)
                arcname = os.path.join(prefix, os.path.relpath(path, top))
                if _normal(arcname) == arcname or '/' in arcname:
                    tar.add(path, _normal(arcname), recursive=False, filter=_plain)


class Window:
    """Lays the window out in a sparse file, then reads what the guest wrote."""

    def __init__(self, path, root, fill_tar, request, boot=(), slots_at=0):
        """fill_tar(tar) adds the run's files; request is a list of bytes; boot are the
        names of kernel and initramfs if there can be HVM domains; slots_at is where the slots
        begin, if not right behind the rest."""
        wanted = b''.join(arg + b'\0' for arg in request)
        if len(wanted) > RECORDS - REQUEST:
            raise Full('the command is too long: %d bytes' % len(wanted))
        self.file = open(path, 'w+b')
        root_off = MIB
        root_len = self._copy(root, root_off)
        root_len = self._round(root_len, 4096)
        in_off = self._round(root_off + root_len, MIB)
        self.file.seek(in_off)
        with tarfile.open(fileobj=self.file, mode='w|', format=tarfile.GNU_FORMAT) as tar:
            fill_tar(tar)
        in_len = self.file.tell() - in_off
        end = in_off + in_len
        pieces = []
        for name in boot:
            at = self._round(end, MIB)
            pieces += [at, self._copy(name, at)]
            end = sum(pieces[-2:])
        self.slot_off = slots_at or self._round(end, MIB)
        if self.slot_off < end:
            raise Full('the slots can begin at %d MiB' % (self._round(end, MIB) // MIB))
        slots_end = self.slot_off + SLOTS * SLOT_SIZE
        self.size = 1 << (slots_end - 1).bit_length()
        self.file.truncate(self.size)
        self._put(0, struct.pack('<12Q', MAGIC, root_off, root_len, in_off, in_len, self.slot_off,
                                 SLOT_SIZE, SLOTS, *(pieces or [0] * 4)))
        self._put(self.slot_off, struct.pack('<2Q', 0, len(wanted)))
        self._put(self.slot_off + REQUEST, wanted)
        self.file.flush()
        self.fd = self.file.fileno()
        self.seen = 0

    @staticmethod
    def _round(number, unit):
        return (number + unit - 1) // unit * unit

    def _put(self, offset, data):
        self.file.seek(offset)
        self.file.write(data)

    def _copy(self, name, offset):
        self.file.flush()
        with open(name, 'rb') as source:
            size = os.fstat(source.fileno()).st_size
            done = 0
            while done < size:
                done += os.copy_file_range(source.fileno(), self.file.fileno(), size - done,
                                           done, offset + done)
        return size

    def records(self):
        """Yields (type, bytes) for each record that came since the last call."""
        (out_len,) = struct.unpack('<Q', os.pread(self.fd, 8, self.slot_off))
        while self.seen < out_len:
            at = self.slot_off + RECORDS + self.seen
            kind, length = struct.unpack('<2I', os.pread(self.fd, 8, at))
            data = b''
            while len(data) < length:
                data += os.pread(self.fd, length - len(data), at + 8 + len(data))
            self.seen += 8 + length
            yield kind, data

    def close(self):
        self.file.close()
