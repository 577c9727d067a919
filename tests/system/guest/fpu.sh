# SPDX-License-Identifier: GPL-2.0-or-later
# run: --xen-append spec-ctrl=no,eager-fpu=no --timeout 1200
#
# The machine itself: where Xen switches the FPU's registers lazily, domains keep
# their own. (QEMU's XSAVE ignored CR0.TS; one process in ten crashed.)

. /put/tap.sh
bad=0
i=0
while [ $i -lt 300 ]; do
	sum=$(awk 'BEGIN { for (i = 1; i <= 300; i++) s += 1 / i; printf "%.10f", s }' | sort | head -n 1)
	[ "$sum" = 6.2826638803 ] || { bad=$((bad + 1)); diag "run $i: $sum"; }
	i=$((i + 1))
done
is $bad 0 "300 pipelines of processes that use floating point"
is "$(dmesg | grep -cE 'segfault|trap ')" 0 "nothing crashed"
done_testing
