#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where something is missing, insmod fails and the kernel log has one line that
# says what, and what to do.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/guest/tap.sh"

says() { # NAME PATTERN RUN-OPTIONS...
	name=$1 pattern=$2
	shift 2
	try "$here/../machine/run" "$@" --no-module -- sh -c '
		insmod /lib/perfctr.ko 2>/dev/null
		echo "status $?"
		dmesg | sed "s/^\[[^]]*\] //" | grep "^perfctr: " |
			grep -Ev "loading out-of-tree|module verification"
		ls /dev/perfctr 2>/dev/null'
	match "$OUT" '^status [1-9]' "$name: insmod fails"
	is "$(printf '%s\n' "$OUT" | tail -n +2 | wc -l)" 1 "$name: with one line"
	match "$OUT" "$pattern" "$name: that says why"
	[ "$STATUS" = 0 ] || diag "run: status $STATUS: $ERR"
}

says "no Xen"            'does not run on Xen'           --guest native
says "stock Xen"         'this Xen has no perfctr'       --guest dom0 --xen stock
says "not allowed"       "host's policy .*perfctr= on Xen"            --guest dom0 --xen-append perfctr=off
says "its vPMU counts"   'by way of vpmu='              --guest dom0 --xen-append vpmu=on --kernel-append nmi_watchdog=1
says "watchdog in use"   'watchdog'                      --guest dom0 --xen-append watchdog
says "no PMU"            'no PMU'                        --guest dom0 --cpu-opts pmu=off,pmu-owner=off
says "dom0 only, domU"   "host's policy .*xen-perfctr"            --guest pv --xen-append perfctr=dom0
done_testing
