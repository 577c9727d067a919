#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tiny kernel as PV and as PVH dom0 of the patched Xen, on each vendor's PMU:
# TAP of all boots.

set -u
here=$(cd "$(dirname "$0")" && pwd)
make -s -C "$here" >&2 || exit 1
qemu=$("$here/../machine/build" --print qemu)/qemu-system-x86_64 || exit 1
xen=$("$here/../machine/build" --print xen-patched)/xen.gz || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gzip -dcf "$xen" >"$work/xen"
number=0

boot() { # pv|pvh NAME CPU [OPTION of QEMU...]
	kind=$1 name=$2 cpu=$3
	shift 3
	: >"$work/console"
	timeout 120 "$qemu" -L /usr/share/seabios -L /usr/share/qemu -accel tcg -nodefaults -display none \
		-serial "file:$work/console" -no-reboot -m 512 "$@" -cpu "$cpu" -kernel "$work/xen" \
		-append 'com1=115200,8n1 console=com1 loglvl=all dom0_mem=64M dom0_max_vcpus=2 perfctr=on dom0='"$kind" \
		-initrd "$here/../../build/xtf/perfctr" >"$work/qemu" 2>&1 </dev/null &
	pid=$!
	# Where there is no ACPI, Xen can only halt.
	until grep -qE 'halting machine|Panic on CPU' "$work/console" || ! kill -0 $pid 2>/dev/null; do
		sleep 0.2
	done
	kill $pid 2>/dev/null
	wait $pid
	status=$?
	tr -d '\r' <"$work/console" | sed -n 's/^.*xtf: //p' >"$work/tap"
	ran=$(grep -cE '^(not )?ok ' "$work/tap")
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$work/tap")
	while IFS= read -r line; do
		case $line in
		ok\ * | not\ ok\ *)
			number=$((number + 1))
			printf '%s\n' "$line" | sed -E "s/^((not )?ok)( [0-9]+)?( -)?/\1 $number - $name:/"
			;;
		1..*) ;;
		*) printf '# %s\n' "$line" ;;
		esac
	done <"$work/tap"
	number=$((number + 1))
	if [ "$ran" -gt 0 ] && [ "$ran" = "$planned" ] && ! grep -q 'owner fault' "$work/qemu"; then
		echo "ok $number - $name: all $planned ran"
	else
		echo "not ok $number - $name: all ran"
		echo "# ran $ran of ${planned:-?}, QEMU's status $status"
		tail -n 15 "$work/console" "$work/qemu" | sed 's/^/# /'
	fi
}

boot pv "Intel" Skylake-Client-v3,-hle,-rtm,-smap,pmu=on,pmu-ruler=on,pmu-owner=xen
boot pv "Intel version 5, 8 + 4 counters of 40 bits" \
	Skylake-Client-v3,-hle,-rtm,-smap,pmu=on,pmu-owner=xen,pmu-version=5,pmu-general=8,pmu-fixed=4,pmu-width=40,pmu-fixed-width=40
boot pv "AMD, 6 counters" EPYC,-smap,-monitor,+invtsc,pmu=on,pmu-ruler=on,pmu-owner=xen
boot pv "AMD, PerfMonV2" EPYC,-smap,-monitor,+invtsc,pmu=on,pmu-owner=xen,pmu-perfmonv2=on
boot pv "AMD, 4 counters" phenom,-monitor,pmu=on,pmu-owner=xen
pvh() { # NAME CPU
	# A PVH dom0 wants an IOMMU.
	boot pvh "PVH, $1" "$2" -machine q35 -device amd-iommu
}
pvh "AMD, 6 counters" EPYC,-smap,-monitor,+invtsc,pmu=on,pmu-ruler=on,pmu-owner=xen
pvh "AMD, PerfMonV2" EPYC,-smap,-monitor,+invtsc,pmu=on,pmu-owner=xen,pmu-perfmonv2=on
echo "1..$number"
