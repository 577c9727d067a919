# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 5400
#
# Runs in dom0: two domains count while pCPU 1 is taken from them, while they are moved
# to a cpupool of it with another scheduler, and back, and while it goes offline
# and online. Third argument "long": ten times.
#
# With Xen's release build and its schedulers; null and RTDS as the host's are in
# ../schedulers.long.t. A pCPU that leaves a pool is more than Xen 4.17 has them for: under RTDS
# rt_deinit_pdata() looks for the pool that schedule_cpu_rm() has just forgotten, and an
# assertion of a debug build in csched2_context_saved() looks for the run queue of a pCPU that
# is no longer credit2's.

. /put/tap.sh
. /put/domains.sh
kind=$1
rounds=1
[ "$3" != long ] || rounds=10
tmp=$(mktemp -d)

# each COMMAND...: all of these must succeed; $wrong says what did not
each() {
	"$@" >"$tmp/said" 2>&1 || wrong="$wrong
$*: $(cat "$tmp/said")"
}

# both_run: both domains get time, and so count. Xen tells it in tenths of a second.
both_run() {
	before=
	until [ -n "$before" ] && [ "$time_a" != "$a" ] && [ "$time_b" != "$b" ]; do
		eval "$(xl list | awk 'NR > 2 { print "time_" $1 "=" $NF }')"
		[ -n "$before" ] || before=yes a=$time_a b=$time_b
		kill -0 "$pid_a" "$pid_b" || { wrong="$wrong
a domain is gone"; break; }
	done
}

begin a "--type $kind" instructions branches
begin b "--vcpus 2" instructions@2 branches

# It has much to do, and shares pCPU 0 with them; but they must get time, too.
check "dom0 goes first" xl sched-credit2 -d 0 -w 1024
for scheduler in credit credit2; do
	wrong=
	for round in $(seq $rounds); do
		each xl cpupool-cpu-remove Pool-0 1
		each xl cpupool-create name=\"pool\" sched=\"$scheduler\" 'cpus=["1"]'
		each xl cpupool-migrate a pool
		both_run
		each xl cpupool-migrate b pool
		both_run
		each xl cpupool-migrate b Pool-0
		each xl cpupool-migrate a Pool-0
		each xl cpupool-destroy pool
		each xl cpupool-cpu-add Pool-0 1
		both_run
	done
	is "$wrong" "" "$rounds times into a pool of scheduler $scheduler and back"
done

wrong=
for round in $(seq $rounds); do
	for how in offline online; do
		each xen-hptool cpu-$how 1
		both_run
	done
done
is "$wrong" "" "$rounds times pCPU 1 offline and online"
finish a 2
finish b 2
xen_log_clean
rm -rf "$tmp"
done_testing
