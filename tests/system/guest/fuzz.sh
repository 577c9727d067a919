# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 5400 --mem-domus 1536 --xen-append conring_size=1M
#
# Runs in dom0: a hostile domain whose vCPUs make random hypercalls (tests/fuzz/guest) while dom0
# pauses it, moves its vCPUs, changes its policy, saves and migrates it, and in the end destroys it
# in the midst of that. Another domain counts exactly all the time.
#
#	KIND CPU [long [SEED [SEQUENCES]]]

. /put/tap.sh
. /put/domains.sh
kind=$1 long=$3 seed=${4:-1}
tmp=$(mktemp -d)
sequences=${5:-3000} destroyed=1 in_ram=
if [ "$long" = long ]; then
	# To be saved
	[ "$kind" != pv ] || in_ram=--in-ram
	sequences=${5:-500000} destroyed=10
	# Of whose time the hostile domain would have half.
	export PAUSE=5
fi

state=$seed # of "random"

# What dom0 does to the domain once
act() {
	random 10
	case $random in
	0 | 1) xl pause fuzz && xl unpause fuzz ;;
	2 | 3) random 2; xl vcpu-pin fuzz all $random ;;
	# Not for long: nothing else would be tried then.
	4) xen-perfctr set fuzz denied && xen-perfctr set fuzz sample ;;
	5) xen-perfctr set fuzz count ;;
	6) xen-perfctr set fuzz sample ;;
	7) xen-perfctr set fuzz sample --deny 0xc2,0x76 ;;
	8) xen-perfctr set fuzz host ;;
	9)
		[ "$long" ] || return 0
		random 4
		case $random in
		0) /lab/reborn migrate fuzz ;;
		1) /lab/reborn restore fuzz ;;
		esac
		;;
	esac
	acts=$((acts + 1))
}

# fuzz SEED SEQUENCES: in a new domain, whose output goes to $tmp/fuzz, "result ..." at the end.
# Then it goes on for ever.
fuzz() {
	: >"$tmp/fuzz"
	# No word when it is empty.
	# shellcheck disable=SC2086
	/lab/domu fuzz --type "$kind" --vcpus 2 --no-module $in_ram -- sh -c '
		in=/sys/module/perfctr_fuzz/parameters
		insmod /lib/perfctr-fuzz.ko seed='"$1 sequences=$2"' || exit
		echo begun
		until [ "$(cat $in/running)" = 0 ]; do
			sleep 0.2
		done
		set -- $(cat $in/sequences_done $in/exact $in/violations)
		rmmod perfctr_fuzz
		dmesg | grep -E "perfctr-fuzz:|BUG|WARNING|Oops|Call Trace|general protection"
		echo "result $*"
		insmod /lib/perfctr-fuzz.ko seed='"$1"' sequences=1000000000 || exit
		echo "on and on"
		sleep 1000000' >"$tmp/fuzz" 2>&1 &
	pid_fuzz=$!
	said fuzz begun
}

# In the midst of it
destroy() {
	act >/dev/null 2>&1
	random 10
	sleep 0.0$random
	xl destroy fuzz
	wait $pid_fuzz
}

begin steady "" instructions
fuzz "$seed" "$sequences"
acts=0
until grep -q ^result "$tmp/fuzz" || ! kill -0 $pid_fuzz 2>/dev/null; do
	# It may be busy with another one.
	act >"$tmp/act" 2>&1 || diag "act $acts: $(cat "$tmp/act")"
	random 10
	sleep 0.0$random
done
set -- $(sed -n 's/^result //p' "$tmp/fuzz")
is "$1" $((2 * sequences)) "the hostile domain made all its sequences"
between "${2:-0}" 10 1000000000 "exact measurements among them"
is "$3" 0 "nothing was wrong"
[ "$3" = 0 ] || diag "$(tail -n 40 "$tmp/fuzz")"
diag "$(grep "vCPU . *: " "$tmp/fuzz")"
is "$(grep -E 'violation:|BUG|WARNING|Oops|Call Trace|general protection' "$tmp/fuzz")" "" "nor for its kernel"
between $acts 3 1000000000 "what dom0 did to it meanwhile"

check "it goes on" said fuzz "on and on"
destroy
for n in $(seq $((destroyed - 1))); do
	fuzz $((seed + n)) 1000000000
	destroy
done
is "$(xl list | awk 'NR > 1 { print $1 }' | sort | tr '\n' ' ')" "Domain-0 steady " "destroyed in the midst of it, $destroyed times"
finish steady 1
xen_log_clean
rm -rf "$tmp"
done_testing
