#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: long.sh OBJECTS
#
# FUZZ_SEQUENCES (10^7) sequences of libFuzzer, in runs, from the corpus on, and what they
# reach.  An input that shows a fault is left in OBJECTS and shown as a line that
# replay reads.  The inputs in OBJECTS/long are the corpus that has grown.

objects=$1
sequences=${FUZZ_SEQUENCES:-10000000}
runs=40
each=$(((sequences + runs - 1) / runs))
sh corpus.sh "$objects/long"

echo "1..$((runs + 8))"
n=0
all=0
while [ $n -lt $runs ]; do
	n=$((n + 1))
	# Some with short inputs, which are faster.
	length=$((n % 4 == 0 ? 150 : 600))
	if "$objects/fuzz" -runs=$each -seed=$n -max_len=$length -print_final_stats=1 \
		-artifact_prefix="$objects/" "$objects/long" >"$objects/log" 2>&1; then
		echo "ok $n - run $n"
	else
		echo "not ok $n - run $n"
		grep -m3 'VIOLATION\|ERROR\|runtime error\|Assertion' "$objects/log" | sed 's/^/# /'
		input=$(sed -n 's/.*Test unit written to //p' "$objects/log" | head -1)
		[ -z "$input" ] || perl -e 'undef $/; print "# INPUT ", unpack("H*", <STDIN>), "\n"' <"$input"
	fi
	done=$(sed -n 's/^stat::number_of_executed_units: *//p' "$objects/log")
	all=$((all + ${done:-0}))
	sed -n 's/^#.*DONE *\(cov: .*\) lim.*/# \1/p' "$objects/log"
	echo "# $all sequences"
done
[ $all -ge "$sequences" ] && echo "ok $((n + 1)) - $all sequences" ||
	echo "not ok $((n + 1)) - $all sequences, of $sequences"
n=$((n + 1))

# With those that are always the same, for what hardly any input has.
perl -e 'for my $name (@ARGV) { open my $f, "<", $name or next; undef $/; print unpack("H*", <$f>), "\n" }' \
	"$objects"/long/* >"$objects/long.txt"
sh coverage.sh "$objects" $((n + 1)) -n 20000 -s 1 "$objects/long.txt"
