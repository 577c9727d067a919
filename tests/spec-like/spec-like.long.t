#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# All programs on all machines: what has to be equal is; and a count that is not would
# be noticed.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../system/guest/tap.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

try "$here/spec-like" --raw "$work/raw" --to "$work/docs"
is "$STATUS" 0 "spec-like: what has to be equal is, what is not has a reason"
[ "$STATUS" = 0 ] || diag "$OUT" "$ERR"
while IFS=, read -r program cpu guest event native count; do
	case $event.$guest in
	# Xen executes CPUID for a guest with hardware virtualisation: reasons.txt.
	instructions.pvh)
		between $((native - count)) 1 200 "$program, $cpu, $guest: instructions but CPUID" ;;
	instructions.* | branches.* | loads.* | stores.*)
		is "$count" "$native" "$program, $cpu, $guest: $event" ;;
	esac
done <"$work/docs/spec-like.csv"
check "the picture is XML" python3 -c '
import sys, xml.dom.minidom
xml.dom.minidom.parse(sys.argv[1])' "$work/docs/spec-like.svg"

# One branch more, one program that failed, one that wrote something else
for change in 's/^\(bzip2 branches\) .*/\1 1/' 's/^perl status 0/perl status 1/' \
	's/^gcc output .*/gcc output 0/' 's/^\(gnugo dtlb-walks\) .*/\1 99999999/'; do
	cp -r "$work/raw" "$work/changed"
	sed -i "$change" "$work/changed/amd.pv"
	try "$here/spec-like" --reuse --raw "$work/changed" --to "$work/docs"
	is "$STATUS" 1 "spec-like notices $change"
	rm -rf "$work/changed"
done
done_testing
