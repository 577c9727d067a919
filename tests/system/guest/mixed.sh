# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 3 --timeout 4000 --xen-append vpmu=on
#
# Runs in dom0: who may have the PMU, decided per vCPU. Two pCPUs carry a PV and
# a PVH domain that count with perfctr, an HVM domain whose kernel counts with
# the vPMU (perf_event), and a PVH domain with neither, which tries to read the
# others' counters. dom0 has pCPU 0. Third argument "long": for 5 minutes.
#
# All count until the last has tried often enough, however slow this machine is.
#
# The machine itself fails when a vCPU reads a counter that it did not load
# (tests/machine/run, "owner fault").

. /put/tap.sh
. /put/domains.sh
seconds=20 tries=10
[ "$3" != long ] || seconds=300 tries=100
tmp=$(mktemp -d)

/lab/toolstack || exit 125
xl vcpu-pin 0 all 0

# The vPMU guest: what its kernel counts, again and again until it is told to stop.
vpmu_guest='
	n=0
	until [ $n -gt 0 ] && [ "$(xenstore-read data/stop 2>/dev/null || echo "$1")" = 1 ]; do
		/usr/lib/perfctr-tests/native-perf >/tmp/perf || grep "^not ok" /tmp/perf
		n=$((n + 1))
		echo "round $n: $(grep -c "^ok" /tmp/perf) ok, $(grep -c "^not ok" /tmp/perf) not"
	done'
/lab/domu alone --type hvm --cpus 1 --no-module -- sh -c "$vpmu_guest" alone 1 >"$tmp/alone" 2>&1
is $? 0 "the vPMU guest alone ran"
diag "$(cat "$tmp/alone")"
alone=$(sed -n 's/^round [0-9]*: //p' "$tmp/alone" | sort -u)
is "$(echo "$alone" | sed 's/.* ok, //')" "0 not" "the vPMU guest alone: its kernel's perf counts exactly"

/lab/domu vpmu --type hvm --cpus 1-2 --no-module -- sh -c "$vpmu_guest" mixed 0 >"$tmp/vpmu" 2>&1 &
pid_vpmu=$!
begin pv "--cpus 1-2" instructions
begin pvh "--type pvh --cpus 1-2" branches
/lab/domu nobody --type pvh --cpus 1-2 --no-module --append "initcall_blacklist=init_hw_perf_events" -- sh -c '
	for i in $(seq "$1"); do
		for index in 0 1 3 5; do
			/usr/lib/perfctr-tests/rdpmc-probe $index 2>/dev/null
			echo "status $?"
		done
		sleep 0.2
	done' probe "$tries" >"$tmp/nobody" 2>&1 &
nobody=$!

sleep $seconds
wait $nobody; is $? 0 "the domain with nothing ran to the end"
check "the vPMU guest counts, too" said vpmu round
xenstore-write "/local/domain/$(xl domid vpmu)/data/stop" 1
finish pv 1
finish pvh 1
wait $pid_vpmu; is $? 0 "the vPMU guest ran to the end"
diag "$(tail -n 3 "$tmp/vpmu")"
is "$(grep -v '^round' "$tmp/vpmu")" "" "the vPMU guest counted exactly"
is "$(sed -n 's/^round [0-9]*: //p' "$tmp/vpmu" | sort -u)" "$alone" "the vPMU guest: as good as alone"
is "$(sort "$tmp/nobody" | uniq -c | awk '{ $1 = $1; print }')" "$((tries * 4)) status 139" \
	"the domain with nothing gets SIGSEGV for every rdpmc"
xen_log_clean
rm -rf "$tmp"
done_testing
