#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In a guest of the emulated machine: install the packages in /put, and count with
# what is in them.  deb.long.t calls it; the argument is the srcversion of the module
# that DKMS has built.  TAP.

. /put/tap.sh
cd "$(mktemp -d)" || exit 1
# What the machine's users have there is the clone's.
rm -f /usr/bin/perfex /usr/lib/x86_64-linux-gnu/libperfctr*
check "the packages install in a guest" dpkg -i /put/libperfctr5.deb /put/perfex.deb
is "$(dpkg --verify perfex libperfctr5 | grep -v -e /share/doc/ -e /share/man/)" "" "... perfex and the library are theirs"
is "$(cat /sys/module/perfctr/srcversion)" "$1" "the module is the one that DKMS has built"
try perfex -e instructions,cycles -o counts bzip2 -kc /put/tap.sh
is "$STATUS$ERR" 0 "perfex counts bzip2"
between "$(awk '$1 ~ /^[0-9]+$/ && $2 == "instructions" { print $1 }' counts)" 100000 1000000000 "... instructions"
try /put/use
is "$STATUS$ERR" 0 "a program that was built with the packages runs"
# Its loop: i++, a compare and a jump, with i in memory, 10^6 times.
between "${OUT%% *}" 3000000 8000100 "... and counts"
check "purged" dpkg --purge perfex libperfctr5
kernel_log_clean
done_testing
