#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A report for pprof, read by pprof itself, as Go brings it (Debian: golang-go).

here=$(cd "$(dirname "$0")" && pwd)
. "$here/guest/tap.sh"
command -v go >/dev/null || {
	echo "1..0 # SKIP needs go tool pprof (package golang-go)"
	exit
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$here/../machine/run" --cpu amd --guest dom0 --icount --get "$work" -- sh -ec '
	cd /tmp
	perfex record -g -c 9973 -e instructions /usr/lib/perfctr-tests/shares 50000000
	perfex report --format pprof -o /get/profile' >"$work/out" 2>"$work/err"
is $? 0 "recorded in a guest"
[ -s "$work/profile" ] || diag "$(cat "$work/err")"

# pprof looks for the programs, which are in the guest, and for a browser's home.
pprof() {
	HOME=$work go tool pprof "$@" "$work/profile" 2>/dev/null
}

pprof -top -nodecount=20 >"$work/top"
is $? 0 "pprof reads it"
match "$(cat "$work/top")" 'Type: instructions' "the event is the type of its samples"
for share in 50 30 15 5; do
	found=$(awk -v name=spends_$share '$6 == name { print int($2 + 0.5) }' "$work/top")
	between "${found:-0}" $((share - 1)) $((share + 1)) "spends_$share: $share %"
done
is "$(awk '$6 == "rounds" { print int($5 + 0.5) }' "$work/top")" 100 "their caller has all of them"
pprof -traces >"$work/traces"
match "$(cat "$work/traces")" 'spends_50
 *rounds' "call chains, innermost first"
match "$(cat "$work/traces")" 'thread: *shares' "the thread is a label"
done_testing
