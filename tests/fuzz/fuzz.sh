#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: fuzz.sh OBJECTS
#
# The quick test: the corpus, some sequences at random, and a short run of
# libFuzzer, all with sanitizers; and what of the hypervisor's files that reaches.

objects=$1
n=0
result() {
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		tail -5 "$objects/log" | cut -c1-1000 | sed 's/^/# /'
	fi
}

echo "1..13"
"$objects/replay" corpus.txt >"$objects/log" 2>&1
result $? "the corpus"

"$objects/replay" -n 20000 -s 1 corpus.txt >"$objects/log" 2>&1
result $? "sequences at random"
sed 's/^/# /' "$objects/log" >"$objects/log.shown"
grep 'sequences\|hypercalls\|overflows' "$objects/log.shown"
# Something of everything has happened.
! grep -q ' 0$' "$objects/log" && grep -q sequences "$objects/log"
result $? "something of everything"

"$objects/replay" -x -n 5000 -s 2 >"$objects/log" 2>&1
result $? "sequences at random, without faults of WRMSR"

sh corpus.sh "$objects/corpus"
"$objects/fuzz" -runs=3000 -seed=1 -max_len=600 -artifact_prefix="$objects/" \
	"$objects/corpus" >"$objects/log" 2>&1
result $? "libFuzzer"
grep -q '#3000.*cov: [1-9]' "$objects/log"
result $? "libFuzzer sees what is reached"

sh coverage.sh "$objects" $((n + 1)) -n 20000 -s 1 corpus.txt
