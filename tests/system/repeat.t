#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under --icount the same seed gives the same bytes: what a PV guest prints (times,
# interrupts, randomness, counts) and what Xen, dom0 and the guest log.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/guest/tap.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for cpu in intel amd; do
	for i in 1 2; do
		PERFCTR_LOGS=$work/$cpu$i "$here/../machine/run" --cpu $cpu --guest pv --icount --seed 7 -- sh -c '
			perfex -o /dev/stdout gzip -c /bin/bash | tail -c 500 | tail -n 8
			cat /proc/uptime /proc/interrupts
			head -c 16 /dev/urandom | od -An -tx1' >"$work/out-$cpu$i" 2>&1
		is $? 0 "$cpu: run $i"
		cat "$work/$cpu$i"/*/console.log >"$work/log-$cpu$i"
	done
	match "$(cat "$work/out-${cpu}1")" '[0-9] +instructions' "$cpu: something was counted"
	check "$cpu: the same output twice" cmp "$work/out-${cpu}1" "$work/out-${cpu}2"
	check "$cpu: the same logs twice" cmp "$work/log-${cpu}1" "$work/log-${cpu}2"
done
done_testing
