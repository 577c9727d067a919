#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: mutants.sh SOURCES OBJECTS
#
# Can the fuzzer fail?  Makes each fault of mutants.txt, and wants it found within
# so many sequences at random, without the corpus; a line that changes nothing
# is an error.  SOURCES is where the hypervisor's files are; CC and MUTANT_CFLAGS
# come from make.

xen=$1
objects=$2
out=$objects/mutants
limit=${FUZZ_MUTANT_SEQUENCES:-200000}
rm -rf "$out"
mkdir -p "$out" || exit 1

grep -v '^#' mutants.txt | grep . >"$out/list"
echo "1..$(($(wc -l <"$out/list") + 1))"
n=1
"$objects/replay" -q -n 20000 -s 1 >"$out/log" 2>&1
status=$?
if [ $status -eq 0 ]; then
	echo "ok $n - without a fault it passes"
else
	echo "not ok $n - without a fault it passes"
	cut -c1-1000 "$out/log" | sed 's/^/# /'
fi

while read -r line; do
	n=$((n + 1))
	file=${line%%  *}
	rest=${line#*  }
	sed=${rest%  *}
	what=${rest##*  }
	sed "$sed" "$xen/$file" >"$out/$file"
	if cmp -s "$xen/$file" "$out/$file"; then
		echo "not ok $n - $file: $what"
		echo "# changes nothing: $sed"
		continue
	fi
	# shellcheck disable=SC2086
	if ! $CC $MUTANT_CFLAGS -iquote "$xen" -c -o "$out/mutant.o" "$out/$file" 2>"$out/log"; then
		echo "not ok $n - $file: $what"
		sed 's/^/# /' "$out/log"
		continue
	fi
	others=$(find "$objects/asan" -name '*.o' ! -path "*/xen/${file%.c}.o")
	# shellcheck disable=SC2086
	$CC -fsanitize=address,undefined -o "$out/replay" $others "$out/mutant.o" || exit 1
	"$out/replay" -q -n "$limit" -s 1 >"$out/log" 2>&1
	status=$?
	if [ $status -ne 0 ] && grep -q 'VIOLATION\|Sanitizer\|runtime error\|Assertion' "$out/log"; then
		echo "ok $n - $file: $what"
		found=$(grep -m1 'VIOLATION\|ERROR\|runtime error\|Assertion' "$out/log" | cut -c1-200)
		where=$(sed -n 's/^INPUT \([0-9]*\):.*/\1/p' "$out/log")
		echo "# sequence ${where:-?}: $found"
	else
		echo "not ok $n - $file: $what (status $status)"
	fi
	rm -f "$out/$file"
done <"$out/list"
