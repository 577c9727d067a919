#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where counters are missing, perfex selftest says in one line what it is.  What
# it says where there are some: guest/perfex-options.sh.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/guest/tap.sh"

says() { # NAME PATTERN RUN-OPTIONS...
	name=$1 pattern=$2
	shift 2
	try "$here/../machine/run" "$@" --no-module -- sh -c '
		insmod /lib/perfctr.ko 2>/dev/null
		perfex selftest 2>&1
		echo "status $?"'
	match "$OUT" "^perfex: selftest: $pattern" "$name: perfex selftest says so"
	is "$(printf '%s\n' "$OUT" | wc -l)" 2 "$name: in one line"
	match "$OUT" '^status 2$' "$name: status 2"
	[ "$STATUS" = 0 ] || diag "run: status $STATUS: $ERR"
}

says "no Xen"       'not a Xen guest: '           --guest native
says "stock Xen"    'hypervisor without perfctr: ' --guest dom0 --xen stock
says "not allowed"  'denied by policy: '          --guest dom0 --xen-append perfctr=off
says "no PMU"       'no counters on this host: '  --guest dom0 --cpu-opts pmu=off,pmu-owner=off
done_testing
