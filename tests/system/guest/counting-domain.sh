# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in a domain of domains.sh: a program counts for each EVENT of the arguments.
# Meanwhile dom0 says what to do by the domain's node data/go: "NUMBER COMMAND"; each is
# done once: "NUMBER begun", its output line by line after "NUMBER ", and "NUMBER end STATUS".
# $POLL: how often it looks, in seconds; $PAUSE: for how many milliseconds the programs
# sleep now and then (default: not at all). At "last finish" the programs end, if they have not before, and the domain.

cd /tmp || exit 1
programs=/usr/lib/perfctr-tests
pids=

# count EVENT...
count() {
	for event; do
		$programs/forever-until 1000000 "${PAUSE:-0}" -e "$event" &
		pids="$pids $!"
	done
}

# The programs end: each says what it counted.
stop_counting() {
	# One word each: splitting is wanted.
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill $pids
	for pid in $pids; do
		wait "$pid" || echo "status $? of a program"
	done
	pids=
}

# online CPU 0|1
online() {
	echo "$2" >"/sys/devices/system/cpu/cpu$1/online" || echo "vCPU $1 online: $2: failed"
}

# off_on TIMES CPU...: all of these vCPUs go offline, and come back
off_on() {
	for i in $(seq "$1"); do
		for state in 0 1; do
			for cpu in $(shift; echo "$@"); do
				online "$cpu" $state
				sleep 0.02
			done
		done
	done
}

# vCPUs that dom0 has taken away or given (xl vcpu-set). Those given are present then,
# and no udev is here to put them online.
vcpus() {
	until [ "$(ls -d /sys/devices/system/cpu/cpu[0-9]* 2>/dev/null | wc -l)" = "$1" ]; do
		sleep 0.05
	done
	for cpu in $(seq $(($1 - 1))); do
		online "$cpu" 1
	done
}

# modules TIMES CPU...: the module comes, counts and goes, while vCPUs come and go
modules() {
	times=$1
	shift
	touch going
	while [ -e going ]; do
		off_on 1 "$@"
	done &
	rmmod perfctr || echo "rmmod: failed"
	for i in $(seq "$times"); do
		insmod /lib/perfctr.ko || echo "insmod $i: failed"
		$programs/count -e branches loop 1000000 3 >counted || echo "count $i: $(cat counted)"
		rmmod perfctr || echo "rmmod $i: failed"
	done
	rm going
	wait $!
	insmod /lib/perfctr.ko
}

# The kernel log has nothing that a healthy kernel would not say.
kernel_log() {
	dmesg | grep -E 'perfctr:.*(error|bug|leak|Xen keeps)|BUG|WARNING|Oops|Call Trace|general protection|unchecked MSR|scheduling while'
}

count "$@"
echo counting
done=0
while :; do
	go=$(xenstore-read data/go 2>/dev/null)
	number=${go%% *}
	if [ -z "$go" ] || [ "$number" = "$done" ]; then
		sleep "${POLL:-0.05}"
		continue
	fi
	done=$number
	[ "$number" != last ] || break
	echo "$number begun"
	case $go in
	# These change what this shell knows.
	*" stop_counting" | *" count "*) ${go#* }; echo "$number end 0" ;;
	*)
		{
			eval "${go#* }" 2>&1
			echo "end $?"
		} | sed -u "s/^/$number /"
		;;
	esac
done
stop_counting
kernel_log
exit 0
