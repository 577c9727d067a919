# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --smp 2 --timeout 900
#
# The host sleeps (ACPI S3) and wakes up while threads count: in dom0, whose second
# vCPU goes and comes back on the way, and in a domain, PV on Intel and PVH with two
# vCPUs on AMD. Each of their measurements stays exact. Not with icount: the clock that wakes the host up would stand still
# while it sleeps.

. /put/tap.sh
. /put/domains.sh
rounds=3
programs=/usr/lib/perfctr-tests
tmp=$(mktemp -d)

# How often Xen has come back.
woken() {
	xl dmesg | grep -c 'Finishing wakeup from ACPI S3'
}

/lab/toolstack || exit 125
match "$(cat /sys/power/state)" mem "the host can sleep"

case $2 in
amd) domain="--type pvh --vcpus 2" ;;
*) domain="--type pv --vcpus 1" ;;
esac
begin sleeper "$domain" instructions
pids=
for event in instructions branches cond-branches; do
	$programs/forever-until 100000 -e $event >"$tmp/$event" 2>&1 &
	pids="$pids $!"
done
sleep 1

before=$(woken)
for i in $(seq $rounds); do
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	# By the real time, in which a busy host may need long to get the guest to sleep.
	echo +10 >/sys/class/rtc/rtc0/wakealarm
	echo mem >/sys/power/state || diag "round $i: status $?"
	sleep 1
done
is $(($(woken) - before)) $rounds "the host slept and woke up, $rounds times"
is "$(cat /sys/devices/system/cpu/online)" 0-1 "both vCPUs are back"

kill $pids
for pid in $pids; do
	wait $pid
	is $? 0 "a program in dom0 ended well"
done
finish sleeper 1
between "$(awk '$1 == "total" { print $6 }' "$tmp/sleeper")" 100 1000000000 "domain: measurements"
for what in instructions branches cond-branches; do
	forever_exact "$tmp/$what" "$what" 100
done
xen_log_clean
rm -rf "$tmp"
done_testing
