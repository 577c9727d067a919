# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 900 --vcpus 2 --icount
#
# No memory, wherever the module wants some: each allocation fails once, and, from each on,
# all that follow.  What was asked for then fails with ENOMEM or is right, nothing stays
# behind, and counts are exact afterwards.

. /put/tap.sh
programs=/usr/lib/perfctr-tests
parameters=/sys/module/perfctr/parameters
cd "$(mktemp -d)" || exit 1

check "rmmod" rmmod perfctr
dmesg -C

# --- insmod ---
n=1 bad=
until insmod /lib/perfctr-fault.ko fail_at=$n 2>error; do
	grep -q 'Cannot allocate memory' error || bad="$bad $n: $(cat error)"
	[ ! -e /dev/perfctr ] || bad="$bad $n: there is a device"
	n=$((n + 1))
	[ $n -lt 100 ] || break
done
is "$bad" "" "insmod: each of $((n - 1)) allocations fails it, and says so"
[ $n -gt 5 ] && pass "... there are some" || fail "... there are some"
echo 0 >$parameters/fail_at
is "$(cat $parameters/failed)" 0 "insmod: without a failure it succeeds"
kernel_log_clean

# left: what is allocated; it is freed by and by
settled() {
	for i in $(seq 50); do
		[ "$(cat $parameters/left)" != "$1" ] || return 0
		sleep 0.1
	done
	return 1
}
base=$(cat $parameters/left)
try $programs/oom
is "$STATUS$OUT$ERR" 0 "with memory: nothing fails"
check "... and nothing is left" settled "$base"

# rounds FOR STEP: from each STEPth allocation on, as many fail
rounds() {
	n=$((1 - $2)) wrong=0 leaks=0 seen=
	: >failures
	while :; do
		n=$((n + $2))
		before=$(cat $parameters/failed)
		echo "$1" >$parameters/fail_for
		echo $n >$parameters/fail_at
		timeout 60 $programs/oom >out 2>&1 || { wrong=$((wrong + 1)); diag "allocation $n: status $?: $(cat out)"; }
		echo 0 >$parameters/fail_at
		cat out >>failures
		settled "$base" || { leaks=$((leaks + 1)); diag "allocation $n: left $(cat $parameters/left), not $base"; base=$(cat $parameters/left); }
		[ "$(cat $parameters/failed)" != "$before" ] || break
		[ $n -lt 300 ] || break
	done
	seen=$(sed 's/:.*//; s/ [0-9]*$//' failures | sort | uniq -c | awk '{ printf "%s%s %d", s, substr($0, 9), $1; s = ", " }')
	diag "$((n - 1)) allocations: $seen"
}
rounds 1 1
between "$((n - 1))" 25 299 "one allocation fails, whichever it is"
is "$wrong" 0 "... with ENOMEM, or not at all"
is "$leaks" 0 "... and nothing is left behind"
for step in open rings control create attach "whole CPUs\|control of a CPU" lost unlisted; do
	check "... seen: $step" grep -q "^\($step\)\>" failures
done
rounds 1000 3
is "$wrong$leaks" 00 "from each third of $((n - 1)) on all fail: with ENOMEM, and nothing is left"
kernel_log_clean

# --- and then ---
try $programs/oom
is "$STATUS$OUT$ERR" 0 "with memory again nothing fails"
counts=
for n in 100000 300000; do
	setarch -R perfex -e instructions:u -o counts $programs/known branches $n
	counts="$counts $(awk '$2 == "instructions:u" { print $1 }' counts)"
done
# shellcheck disable=SC2086 # two words
set -- $counts
between "$(($2 - $1))" 400000 500000 "... and counts are right"
check "rmmod" rmmod perfctr
kernel_log_clean
done_testing
