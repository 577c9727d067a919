# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in the domain of policy.sh.  dom0 says what to do by the domain's node
# data/go: "NUMBER COMMAND ARGUMENT..."; each is done once, its output goes to dom0
# line by line after "NUMBER ", and "NUMBER end STATUS" ends it.

cd /tmp || exit 1
done=0

# Is the module there, and what does it say if not?
module() {
	rmmod perfctr 2>/dev/null
	dmesg -C
	insmod /lib/perfctr.ko 2>/dev/null
	echo "insmod $?"
	dmesg | sed -n 's/^\[[^]]*\] perfctr: /says /p' | grep -v 'out-of-tree\|module verification'
}

# What is refused, and why; or that what is counted is right.
count() { # EVENT [EACH]
	for n in 100000 300000; do
		setarch -R perfex -e "$1" -o counts /usr/lib/perfctr-tests/known branches $n 2>errors >/dev/null
		status=$?
		[ $status = 0 ] || break
		set -- "$@" "$(awk -v e="$1" '$1 ~ /^[0-9]+$/ && $2 == e { print $1 }' counts)"
	done
	echo "status $status"
	sed 's/^/says /' errors
	# The least number that is not the loop's own cancels out.
	[ $status != 0 ] || [ -z "$2" ] || echo "off $(($4 - $3 - $2 * 200000))"
}

# perfex counts a program that takes its time, and has begun to.
endless() {
	perfex -e instructions:u /usr/lib/perfctr-tests/known branches 2000000000 &
	until pidof known >/dev/null || ! kill -0 $!; do sleep 0.1; done
	echo counting
	wait $!
}

while :; do
	go=$(xenstore-read data/go 2>/dev/null)
	number=${go%% *}
	if [ -z "$go" ] || [ "$number" = "$done" ]; then
		sleep 0.2
		continue
	fi
	done=$number
	command=${go#* }
	[ "$command" != finish ] || break
	# Words of a command: splitting is wanted.
	# shellcheck disable=SC2086
	{
		$command 2>&1
		echo "end $?"
	} | sed -u "s/^/$number /"
done
dmesg -C
rmmod perfctr 2>/dev/null
exit 0
