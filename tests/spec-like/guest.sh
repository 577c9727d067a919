# SPDX-License-Identifier: GPL-2.0-or-later
#
# guest.sh EVENT=CODE[,EVENT=CODE]...[;...]: runs the programs in /put/plan one after the other,
# each once for every set of events, counted by perfex, or without Xen by Linux's own perf.
# Prints lines "PROGRAM EVENT COUNT", "PROGRAM status STATUS" and "PROGRAM output CHECKSUM".
#
# /put/plan/PROGRAM are shell assignments: input, environment, prepare, command.

tests=/usr/lib/perfctr-tests
root=/put/root
sets=$1

count() {
	if [ -e /dev/perfctr ]; then
		perfex --csv -o /run/counts -e "$codes" "$@"
	else
		$tests/native-count /run/counts $(echo "$codes" | tr , ' ') -- "$@"
	fi
}

# Lines "CODE COUNT", also of perfex's csv: name, value, status are columns 5 to 7.
counts() {
	if [ -e /dev/perfctr ]; then
		awk -F , '$7 == "counted" && $5 ~ /^0x/ { print $5, $6 }' /run/counts
	else
		cat /run/counts
	fi
}

for plan in /put/plan/*; do
	program=${plan##*/}
	. "$plan"
	for set in $(echo "$sets" | tr ';' ' '); do
		codes=$(echo "$set" | tr , '\n' | sed 's/.*=//' | tr '\n' , | sed 's/,$//')
		# The same files in the same state each time.
		rm -rf $root/work
		cp -a "/put/work/$program" $root/work
		: >$root/work/empty
		echo "$prepare" | while read -r line; do
			[ -z "$line" ] || $tests/sealed $root empty prepared $environment $line
		done
		rm -f /run/counts
		count $tests/sealed $root "$input" output $environment $command
		echo "$program status $?"
		counts | while read -r code number; do
			name=$(echo "$set" | tr , '\n' | sed -n "s/=$code\$//p")
			echo "$program $name $number"
		done
		sum=$(cd $root/work && find . -type f | sort | xargs cat | sha256sum | cut -c 1-16)
		echo "$program output $sum"
	done
done
