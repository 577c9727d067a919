#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where something is missing, insmod fails and the kernel log has one line that
# says what, and what to do; and perfex selftest says in one line what it is.  What
# that says where there are counters: guest/perfex-options.sh.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/guest/tap.sh"

# says NAME PATTERN SELFTEST RUN-OPTIONS...: SELFTEST is what perfex begins with; empty:
# not looked at
says() {
	name=$1 pattern=$2 selftest=$3
	shift 3
	try "$here/../machine/run" "$@" --no-module -- sh -c '
		insmod /lib/perfctr.ko 2>/dev/null
		echo "status $?"
		dmesg | sed "s/^\[[^]]*\] //" | grep "^perfctr: " |
			grep -Ev "loading out-of-tree|module verification"
		ls /dev/perfctr 2>/dev/null
		echo "-- selftest"
		perfex selftest 2>&1
		echo "status $?"'
	said=$(printf '%s\n' "$OUT" | sed '/^-- selftest$/,$d')
	match "$said" '^status [1-9]' "$name: insmod fails"
	is "$(printf '%s\n' "$said" | tail -n +2 | wc -l)" 1 "$name: with one line"
	match "$said" "$pattern" "$name: that says why"
	if [ -n "$selftest" ]; then
		said=$(printf '%s\n' "$OUT" | sed '1,/^-- selftest$/d')
		match "$said" "^perfex: selftest: $selftest" "$name: perfex selftest says so"
		is "$(printf '%s\n' "$said" | wc -l)" 2 "$name: in one line"
		match "$said" '^status 2$' "$name: status 2"
	fi
	[ "$STATUS" = 0 ] || diag "run: status $STATUS: $ERR"
}

says "no Xen" 'does not run on Xen' 'not a Xen guest: ' --guest native
says "stock Xen" 'this Xen has no perfctr' 'hypervisor without perfctr: ' --guest dom0 --xen stock
says "not allowed" "host's policy .*perfctr= on Xen" 'denied by policy: ' --guest dom0 --xen-append perfctr=off
says "its vPMU counts" 'by way of vpmu=' '' --guest dom0 --xen-append vpmu=on --kernel-append nmi_watchdog=1
says "watchdog in use" 'watchdog' '' --guest dom0 --xen-append watchdog
says "no PMU" 'no PMU' 'no counters on this host: ' --guest dom0 --cpu-opts pmu=off,pmu-owner=off
says "dom0 only, domU" "host's policy .*xen-perfctr" '' --guest pv --xen-append perfctr=dom0
done_testing
