# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 3 --timeout 1500 --xen-append vpmu=on
#
# Runs in dom0: who may have the PMU, decided per vCPU. Two pCPUs carry a PV and
# a PVH domain that count with perfctr, an HVM domain whose kernel counts with
# the vPMU (perf_event), and a PVH domain with neither, which tries to read the
# others' counters. dom0 has pCPU 0. Third argument "long": for 5 minutes.
#
# The machine itself fails when a vCPU reads a counter that it did not load
# (tests/machine/run, "owner fault").

. /put/tap.sh
programs=/usr/lib/perfctr-tests
seconds=30
[ "$3" != long ] || seconds=300
tmp=$(mktemp -d)

/lab/toolstack || exit 125
xl vcpu-pin 0 all 0

# The vPMU guest: what its kernel counts, again and again until there is a file.
vpmu_guest='
	n=0
	while :; do
		/usr/lib/perfctr-tests/native-perf >/tmp/perf || grep "^not ok" /tmp/perf
		n=$((n + 1))
		echo "round $n: $(grep -c "^ok" /tmp/perf) ok, $(grep -c "^not ok" /tmp/perf) not"
		[ "$(cut -d . -f 1 /proc/uptime)" -lt "$1" ] || break
	done'
/lab/domu alone --type hvm --cpus 1 --no-module -- sh -c "$vpmu_guest" alone 0 >"$tmp/alone" 2>&1
is $? 0 "the vPMU guest alone ran"
diag "$(cat "$tmp/alone")"
alone=$(sed -n 's/^round [0-9]*: //p' "$tmp/alone" | sort -u)
is "$(echo "$alone" | sed 's/.* ok, //')" "0 not" "the vPMU guest alone: its kernel's perf counts exactly"

/lab/domu a --cpus 1-2 -- $programs/forever-until $seconds -e instructions >"$tmp/a" 2>&1 &
a=$!
/lab/domu b --type pvh --cpus 1-2 -- $programs/forever-until $seconds -e branches >"$tmp/b" 2>&1 &
b=$!
/lab/domu vpmu --type hvm --cpus 1-2 --no-module -- sh -c "$vpmu_guest" mixed $((seconds + 20)) >"$tmp/vpmu" 2>&1 &
vpmu=$!
/lab/domu nobody --type pvh --cpus 1-2 --no-module --append "initcall_blacklist=init_hw_perf_events" -- sh -c '
	while [ "$(cut -d . -f 1 /proc/uptime)" -lt "$1" ]; do
		for index in 0 1 3 5; do
			/usr/lib/perfctr-tests/rdpmc-probe $index 2>/dev/null
			echo "status $?"
		done
		sleep 0.2
	done' probe "$seconds" >"$tmp/nobody" 2>&1 &
nobody=$!

wait $a; is $? 0 "the PV domain counted to the end"
wait $b; is $? 0 "the PVH domain counted to the end"
wait $vpmu; is $? 0 "the vPMU guest ran to the end"
wait $nobody; is $? 0 "the domain with nothing ran to the end"
forever_exact "$tmp/a" "PV domain, instructions" 50
forever_exact "$tmp/b" "PVH domain, branches" 50
diag "$(tail -n 3 "$tmp/vpmu")"
is "$(grep -v '^round' "$tmp/vpmu")" "" "the vPMU guest counted exactly"
is "$(sed -n 's/^round [0-9]*: //p' "$tmp/vpmu" | sort -u)" "$alone" "the vPMU guest: as good as alone"
is "$(sed 's/status //' "$tmp/nobody" | sort -u)" "139" "the domain with nothing gets SIGSEGV for every rdpmc"
between "$(wc -l <"$tmp/nobody")" 40 1000000000 "the domain with nothing: tries"
xen_log_clean
rm -rf "$tmp"
done_testing
