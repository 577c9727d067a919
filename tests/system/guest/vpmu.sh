# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 1200 --xen-append vpmu=on
#
# Runs in dom0: beside a domain that counts, one with upstream's vPMU that lets all counters count
# and has none that would (tests/xtf, let_count()). Xen has no reason to load its vPMU then; but on
# Intel's CPUs hardware lets all counters count with each entry, also those that the first domain has
# left. What this one executes must not be in the first one's counts.

. /put/tap.sh
. /put/domains.sh
kind=$1
tmp=$(mktemp -d)

begin steady "" instructions branches
cat >"$tmp/config" <<END
name = "vpmu"
type = "$kind"
kernel = "/usr/lib/perfctr-tests/xtf"
cmdline = "vpmu"
memory = 32
vcpus = 1
END
check "the domain is made" xl create -q "$tmp/config"
for text in "global control" "has executed much"; do
	until xl dmesg | grep -q "xtf: $text"; do
		xl domid vpmu >/dev/null 2>&1 || break
		sleep 0.5
	done
done
is "$(xl dmesg | sed -n 's/^.*xtf: \([gh]\)/\1/p')" "global control: all counters
has executed much" "it did what we want of it"
check "and is still there" xl destroy vpmu
finish steady 2
xen_log_clean
rm -rf "$tmp"
done_testing
