# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 1200 --xen-append conring_size=1M
#
# Runs in dom0: the tiny guest that tests the hypercall (tests/xtf), as a domain of the
# kind that is given, without any privilege. It prints TAP on Xen's console. Another domain
# counts exactly all the time.

. /put/tap.sh
. /put/domains.sh
kind=$1
tmp=$(mktemp -d)

begin steady "" instructions
cat >"$tmp/config" <<END
name = "xtf"
type = "$kind"
kernel = "/usr/lib/perfctr-tests/xtf"
memory = 32
vcpus = 2
on_crash = "preserve"
END
check "the domain is made" xl create -q "$tmp/config"
# Which ends: it has crashed, or is gone.
while xl domid xtf >/dev/null 2>&1; do
	case $(xl list xtf 2>/dev/null | awk 'NR == 2 { print $5 }') in
	*c*) break ;;
	esac
	sleep 0.2
done
xl destroy xtf 2>/dev/null
xl dmesg | sed -n 's/^.*xtf: //p' >"$tmp/tap"
# Its tests become ours; by one program, as dom0 is slow to start many.
awk -v n="$TAP_N" '
	/^(not )?ok / { sub(/ok [0-9]+/, "ok " ++n) }
	/^1\.\./ { next }
	{ print }' "$tmp/tap"
ran=$(grep -Ec '^(not )?ok ' "$tmp/tap")
TAP_N=$((TAP_N + ran))
is "$ran" "$(sed -n 's/^1\.\.//p' "$tmp/tap")" "all of its $ran tests ran"
finish steady 1
is "$(xl list | wc -l)" 2 "nothing is left of it"
# But what it said itself
is "$(xl dmesg | grep -v 'xtf: ' | grep -E 'GPF|Assert|Xen BUG|Xen WARN|Triple fault' || true)" "" "Xen's log is clean"
rm -rf "$tmp"
done_testing
