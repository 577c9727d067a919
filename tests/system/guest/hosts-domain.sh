# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in a domain that is saved on one host and restored on another (hosts.sh): two programs
# count. What the other host's dom0 says by the node data/go: "same", it has the same PMU,
# or "other".

programs=/usr/lib/perfctr-tests
cd /tmp || exit 1
: >revoked
$programs/forever-until 100000 -e instructions >steady 2>&1 &
steady=$!
$programs/revoked -e branches >revoked 2>&1 &
revoked=$!
until grep -q counting revoked; do
	sleep 0.1
done
echo counting
until go=$(xenstore-read data/go 2>/dev/null); do
	sleep 0.5
done
if [ "$go" = same ]; then
	sleep 1
	kill $steady $revoked
	wait $steady
	echo "steady $?"
	wait $revoked
	echo "revoked $?"
else
	wait $steady
	echo "steady $?"
	until grep -q "refused\|wrong" revoked; do
		sleep 0.1
	done
	kill $revoked
	wait $revoked
	echo "revoked $?"
	# A vCPU that comes online now has no counters, either.
	for state in 0 1; do
		echo $state >/sys/devices/system/cpu/cpu1/online
	done
	taskset -c 1 $programs/count -e branches loop 1000 1 >/dev/null 2>&1
	echo "hotplug $?"
	rmmod perfctr && insmod /lib/perfctr.ko && echo "module 0"
fi
cat steady revoked
$programs/count -e branches loop 1000000 3
echo "count $?"
dmesg | grep -E 'perfctr:.*(another|error)|BUG|WARNING|Oops|Call Trace'
true
