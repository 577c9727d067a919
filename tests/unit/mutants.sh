#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: mutants.sh SOURCES OBJECTS
#
# Can test_switches fail?  Makes each fault of mutants.txt, builds and runs it,
# and wants it found; and first without a fault, that it passes.  A line that
# changes nothing is an error: the text it was made for has changed.  SOURCES is
# where the hypervisor's are; CC and MUTANT_CFLAGS come from make.

xen=$1
out=$2
steps=${PERFCTR_STEPS:-20000}
steps_long=$((steps * 40))
rm -rf "$out"
mkdir -p "$out/include" || exit 1

# compile SOURCE OBJECT: from where the mutated ones are, if it is there.
compile() {
	dir=$xen
	[ ! -f "$1" ] || dir=.
	[ ! -f "$out/$1" ] || dir=$out
	# shellcheck disable=SC2086
	$CC -I"$out/include" $MUTANT_CFLAGS -I. -iquote "$xen" -c -o "$2" "$dir/$1"
}

link() {
	$CC -o "$out/test" "$@" -lcmocka
}

run() {
	PERFCTR_STEPS=$1 CMOCKA_MESSAGE_OUTPUT=STDOUT timeout 120 "$out/test" >"$out/log" 2>&1
}

grep -v '^#' mutants.txt | grep . >"$out/list"
echo "1..$(($(wc -l <"$out/list") + 1))"

n=1
objects=
for file in hypercall.c vcpu.c pmu.c policy.c xen_host.c xen_boot.c test_switches.c; do
	compile $file "$out/$file.o" || exit 1
	objects="$objects $out/$file.o"
done
# shellcheck disable=SC2086
if link $objects && run "$steps"; then
	echo "ok $n - without a fault it passes"
else
	echo "not ok $n - without a fault it passes"
	sed 's/^/# /' "$out/log"
fi

while read -r line; do
	n=$((n + 1))
	file=${line%%  *}
	rest=${line#*  }
	sed=${rest%  *}
	what=${rest##*  }
	source=$file
	mutated=$out/$file
	case $file in
	perfctr_arith.h)
		original=../../guest-module/include/$file
		mutated=$out/include/$file
		source=test_switches.c
		;;
	test_switches.c) original=$file ;;
	*) original=$xen/$file ;;
	esac
	sed "$sed" "$original" >"$mutated"
	if cmp -s "$original" "$mutated"; then
		echo "not ok $n - $file: $what"
		echo "# changes nothing: $sed"
	elif ! compile "$source" "$out/mutant.o" 2>"$out/log"; then
		echo "not ok $n - $file: $what"
		sed 's/^/# /' "$out/log"
	else
		rest=
		for o in $objects; do
			[ "$o" = "$out/$source.o" ] || rest="$rest $o"
		done
		# shellcheck disable=SC2086
		link $rest "$out/mutant.o" || exit 1
		# Some take much longer to show.
		run "$steps" && run "$steps_long"
		status=$?
		# Failed tests, or an assertion of Xen's own; and not only by
		# what did not happen.
		if [ $status -ne 0 ] && [ $status -ne 124 ] &&
			grep -q 'PERFCTR_SEED=\|Assertion' "$out/log"; then
			echo "ok $n - $file: $what"
			sed -n '/^# .*: /{s/^# /# found: /p;q}; /Assertion/{s/.*Assertion/# found: Assertion/p;q}' "$out/log"
		else
			echo "not ok $n - $file: $what (status $status)"
		fi
	fi
	rm -f "$mutated"
done <"$out/list"
