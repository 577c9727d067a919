# SPDX-License-Identifier: GPL-2.0-or-later
#
# For in-guest, in-dom0 and hosts, which have set $here: takes a link's name NAME.KIND.CPU[.alone][.long].t
# apart, into $name, $kind, $cpu and $long ("long" or nothing). $script is guest/NAME.sh, $options are
# those of its line "# run: OPTIONS". Skips the test where its machine can't be had.

test=$(basename "$0" .t)
long=
[ "$test" = "${test%.long}" ] || long=long
test=${test%.long}
test=${test%.alone}
cpu=${test##*.}
test=${test%.*}
kind=${test##*.}
name=${test%.*}
script=$here/guest/$name.sh

[ -f "$script" ] || {
	echo "Bail out! $0: there is no $script; call this by a link NAME.KIND.CPU.t"
	exit 1
}
options=$(sed -n 's/^# run: //p' "$script")

case $kind.$cpu in
pvh.intel | hvm.intel)
	bochs=$("$here/../machine/bochs/have") || {
		echo "$bochs"
		exit 0
	}
	# It has one CPU, and its time is the number of instructions in any case.
	options="--machine bochs $(echo "$options" | sed 's/--icount//; s/--smp [0-9]*//')" ;;
esac
