#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: coverage.sh OBJECTS FIRST REPLAY-ARGUMENT...
#
# Which lines of the hypervisor's files does the replay reach?  TAP, without plan,
# numbered from FIRST: one line per file (at least 95 %), and one for the rest being
# what uncovered.txt lists.  OBJECTS: where replay.gcov is.

objects=$1
n=$2
shift 2
here=$PWD
find "$objects/gcov" -name '*.gcda' -exec rm -f {} +
"$objects/replay.gcov" -q "$@" >"$objects/coverage.log" 2>&1 ||
	sed 's/^/# /' "$objects/coverage.log"
cd "$objects" || exit 1
: >uncovered.found
for file in hypercall vcpu pmu policy intel amd; do
	rm -f $file.c.gcov
	${GCOV:-gcov} -o gcov/xen gcov/xen/$file.o >/dev/null 2>&1
	# Executable lines have a number, or marks for none.
	counts=$(awk -F: '{ gsub(/[ *]/, "", $1) }
		$1 == "-" || $1 == "" { next }
		{ all++ } $1 ~ /[#=]/ { missed++ }
		END { print all + 0, missed + 0 }' $file.c.gcov)
	all=${counts% *}
	missed=${counts#* }
	if [ "$all" -gt 0 ] && [ $((missed * 100)) -le $((all * 5)) ]; then
		echo "ok $n - $file.c: $((all - missed)) of $all lines"
	else
		echo "not ok $n - $file.c: $((all - missed)) of $all lines"
	fi
	n=$((n + 1))
	awk -F: -v file=$file.c '$1 ~ /[#=]/ {
		sub(/^[^:]*:[^:]*:[ \t]*/, ""); print file "  " $0 }' \
		$file.c.gcov >>uncovered.found
done
grep -v '^#' "$here/uncovered.txt" | grep . | sed 's/^\([^ ]*  .*[^ ]\)   *.*$/\1/' |
	sort >uncovered.listed
sort uncovered.found >uncovered.sorted
if [ -z "$(comm -23 uncovered.sorted uncovered.listed)" ]; then
	echo "ok $n - the rest is in uncovered.txt"
else
	echo "not ok $n - the rest is in uncovered.txt"
	comm -23 uncovered.sorted uncovered.listed | sed 's/^/# not reached: /'
fi
comm -13 uncovered.sorted uncovered.listed | sed 's/^/# listed for nothing: /'
