# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --timeout 900
#
# Runs in dom0: two PV domains share one physical CPU and count different events
# for 60 s; a third domain there, without counters, tries to read them. The
# machine itself fails if a counter is ever read by a vCPU that did not load it
# (tests/machine/run, "owner fault").

. /put/tap.sh
programs=/usr/lib/perfctr-tests
seconds=60
tmp=$(mktemp -d)

/lab/domu a --cpus 1 -- $programs/forever-until $seconds -e instructions >"$tmp/a" 2>&1 &
a=$!
/lab/domu b --cpus 1 -- $programs/forever-until $seconds -e branches >"$tmp/b" 2>&1 &
b=$!

# The third: a read now and then, while the others count.
/lab/domu c --cpus 1 --no-module -- sh -c '
	i=0
	while [ $i -lt 150 ]; do
		for index in 0 1 3 0x40000000; do
			/usr/lib/perfctr-tests/rdpmc-probe $index 2>/dev/null
			echo "status $?"
		done
		sleep 0.2
		i=$((i + 1))
	done' >"$tmp/c" 2>&1 &
c=$!

wait $a; is $? 0 "domain a counted to the end"
wait $b; is $? 0 "domain b counted to the end"
wait $c
forever_exact "$tmp/a" "domain a, instructions" 100
forever_exact "$tmp/b" "domain b, branches" 100
is "$(sort "$tmp/c" | uniq -c | awk '{ $1 = $1; print }')" "600 status 139" \
	"a domain without counters gets SIGSEGV for every rdpmc"
match "$(xl dmesg)" 'perfctr' "Xen's log has what was found at boot"
xen_log_clean
rm -rf "$tmp"
done_testing
