# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 9000
#
# Runs in dom0: what happens to a VM while its threads count. A domain with two
# vCPUs and three counting programs, in a long test eight, is saved and restored,
# saved and goes on (a suspend that is cancelled), migrated to the same host while it
# runs, paused, and loses and regains a vCPU, all of it while the programs compare every
# measurement with what they did. Third argument "long": 100 restores, 20 of those that go on, 20
# migrations, 50 pauses and 50 rounds of vCPU 1 off and on; of PV and HVM domains, which take
# longer, a fifth of the first three.

. /put/tap.sh
kind=$1
restores=1 migrations=1 cancelled=1 others=1
events="instructions branches stores"
[ "$3" != long ] || {
	restores=20 migrations=4 cancelled=4 others=50
	[ "$kind" != pvh ] || restores=100 migrations=20 cancelled=20
	events="$events cond-branches $events cond-branches"
}
in_ram=
[ "$kind" != pv ] || in_ram=--in-ram
tmp=$(mktemp -d)

/lab/domu life --type $kind --vcpus 2 $in_ram -- sh -c '
	pids=
	for event; do
		/usr/lib/perfctr-tests/forever-until 100000 -e $event &
		pids="$pids $!"
	done
	until rounds=$(xenstore-read data/rounds 2>/dev/null); do
		sleep 0.2
	done
	for i in $(seq "$rounds"); do
		for online in 0 1; do
			echo $online >/sys/devices/system/cpu/cpu1/online || echo "vCPU 1 online: $online: failed"
			sleep 0.1
		done
	done
	echo "rounds $rounds"
	until [ "$(xenstore-read data/stop 2>/dev/null)" = 1 ]; do
		sleep 0.5
	done
	kill $pids
	for pid in $pids; do
		wait $pid || echo "status $? of a program"
	done
	dmesg | grep "perfctr:.*error"
	true' programs $events >"$tmp/out" 2>"$tmp/err" &
domu=$!
until id=$(xl domid life 2>/dev/null); do
	kill -0 $domu 2>/dev/null || break
	sleep 0.2
done
xenstore-write "/local/domain/$id/data/rounds" $others
until grep -q "^rounds" "$tmp/out"; do
	kill -0 $domu 2>/dev/null || break
	sleep 0.5
done
diag "vCPU 1 went offline and online $others times"

for i in $(seq $others); do
	xl pause life && sleep 0.05 && xl unpause life || fail "pause $i"
done
# Its kernel prepares for being saved, and hears then that it goes on.
good=0
for i in $(seq $cancelled); do
	xl save -c life "$tmp/saved" >"$tmp/said" 2>&1 && [ "$(xl domid life)" = "$id" ] && good=$((good + 1)) ||
		diag "saved, goes on, $i: $(cat "$tmp/said")"
	rm -f "$tmp/saved"
	sleep 0.2
done
is $good $cancelled "saved, and went on, $cancelled times"

# reborn HOW TIMES NAME
reborn() {
	good=0
	for i in $(seq "$2"); do
		/lab/reborn "$1" life 2>"$tmp/said" && good=$((good + 1)) || diag "$1 $i: $(cat "$tmp/said")"
		sleep 0.2
	done
	is $good "$2" "$3 $2 times"
}
reborn restore $restores "saved and restored"
reborn migrate $migrations migrated

xenstore-write "/local/domain/$(xl domid life)/data/stop" 1
wait $domu
is $? 0 "the domain ended well"
is "$(grep -v '^total\|^rounds' "$tmp/out" "$tmp/err")" "" "no error on the way"
wrong=$(awk '$1 == "total" && ($2 != $4 || $6 != $8 || $10 != 0)' "$tmp/out")
is "$(grep -c ^total "$tmp/out")" "$(echo $events | wc -w)" "each program counted to the end"
is "$wrong" "" "each program counted what it did, difference 0 in each measurement"
set -- $(awk '$1 == "total" { n += $6; e += $2 } END { printf "%d %.0f", n, e }' "$tmp/out")
diag "$1 measurements, $2 events"
between "$1" 1000 1000000000000 "measurements"
xen_log_clean
rm -rf "$tmp"
done_testing
