#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in the guest: where are we, and what does bzip2 cost?

set -eu

# A real file of some megabytes: the largest shared library that is here.
file=$(find /usr/lib -xdev -type f -name '*.so*' -size +2000k -size -9000k -exec ls -l {} + |
	sort -k5,5n | tail -n 1 | awk '{ print $NF }')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$file" "$work/file"
size=$(wc -c <"$work/file")

perfex -i
echo
echo "\$ perfex -e instructions,cycles,branches bzip2 -k $(basename "$file")     ($size bytes)"
echo
perfex -e instructions,cycles,branches -o "$work/counts" bzip2 -k "$work/file"
cat "$work/counts"
echo
echo "bzip2 made $(wc -c <"$work/file.bz2") bytes of it; unpacked again they are the same:" \
	"$(bzip2 -dc "$work/file.bz2" | cmp - "$work/file" && echo yes)"
