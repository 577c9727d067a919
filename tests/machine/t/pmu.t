#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The PMU of the patched QEMU, tested natively: ../qemu/test.

here=$(cd "$(dirname "$0")/.." && pwd)
qemu=$("$here/build" --print qemu) || exit 1
exec "$here/qemu/test/run" "$qemu/qemu-system-x86_64" -L /usr/share/seabios -L /usr/share/qemu
