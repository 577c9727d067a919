# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 900
#
# perfex record and perfex report as a user meets them: how many samples, where
# they are, whose they are, and that a file stays readable whatever happens.

. /put/tap.sh
programs=/usr/lib/perfctr-tests
shares=$programs/shares
cd "$(mktemp -d)" || exit 1
chmod 755 .

# samples FILE, lost FILE, throttled FILE: as the report says
samples() {
	perfex report -i "$1" | sed -n 's/^# \([0-9]*\) samples of .*/\1/p'
}
lost() {
	perfex report -i "$1" | sed -n 's/^# lost: \([0-9]*\) .*/\1/p'
}
throttled() {
	perfex report -i "$1" | sed -n 's/^# throttled: \([0-9]*\) .*/\1/p'
}

# share FILE SYMBOL: of it, in hundredths of a per cent
share() {
	perfex report -i "$1" | awk -v symbol="$2" '$1 !~ /^#/ {
		for (i = 1; i <= NF; i++)
			if ($i == symbol) { sub(/\./, "", $1); print $1 + 0; exit }
	}'
}

diag "$(perfex -i)"
match "$(perfex -i)" '^sampling +yes: periods from [0-9]+ events' "perfex -i: this guest can sample"

# --- as many as there are, and where ---
try perfex record -c 100000 -o exact $shares 20000000
is "$STATUS" 0 "record: the command's status"
is "$ERR" "perfex: exact: 200 samples, 0 records lost, 0 overflows not sampled" \
	"200 samples of 10^5 over 2 x 10^7 instructions, and one line that says so"
is "$(samples exact) $(lost exact) $(throttled exact)" "200 0 0" "... the report has them all"
is "$(perfex report -i exact --format script | grep -c ' instructions: $')" 200 "... and so has the script"
is "$(perfex report -i exact --sort dso | grep -v '^#' | awk '{ print $3, $4 }')" "200 $shares" "... all of the program"
perfex record -c 4999 -o places $shares 100000 2>errors || diag "$(cat errors)"
perfex report -i places --format script | awk '/^\t/ { print $1 }' >sampled
$programs/steps 4999 $shares 100000 >stepped
is "$(cat sampled)" "$(cat stepped)" "each address is that of the instruction after the overflow ($(wc -l <stepped) of them)"

# --- known shares ---
try perfex record -g -c 9973 -o known $shares 100000000
is "$STATUS" 0 "a program that spends known shares in four functions"
diag "$ERR"
between "$(samples known)" 10000 10100 "... about 10,000 samples"
is "$(lost known) $(throttled known)" "0 0" "... none lost or throttled"
for percent in 50 30 15 5; do
	between "$(share known spends_$percent)" $((100 * percent - 100)) $((100 * percent + 100)) \
		"... $percent % are within 1 %: in hundredths"
done
perfex report -i known --format flamegraph -o graph.svg
perfex report -i known --format folded >folded 2>summary
for percent in 50 30 15 5; do
	check "the flame graph shows spends_$percent" grep -q "<title>spends_$percent (" graph.svg
	check "... folded with its callers" grep -q "^shares;_start;start;rounds;spends_$percent [0-9]*$" folded
done
check "the flame graph is an SVG to its end" grep -q '^</svg>$' graph.svg
match "$(cat summary)" '^perfex: lost: 0 records' "folded: the summary is on standard error"
match "$(perfex report -i known --sort line)" 'shares\.c:[0-9]+' "by source line"
match "$(perfex report -i known --sort thread)" '^ *100\.00 %.* shares$' "by thread"
perfex report -i known --format pprof -o profile.pb.gz 2>/dev/null
check "pprof: compressed by gzip" gzip -t profile.pb.gz
match "$(gzip -dc profile.pb.gz | tr -c '[:print:]' '\n')" 'spends_15' "... with names"

# --- threads and children ---
# 39 threads; those besides each process' first run a loop of 420,000 instructions, no more.
try perfex record -c 20011 -o family $programs/family 2 3 2 210000
is "$OUT" 39 "a family of threads and processes"
is "$(perfex report -i family --sort thread | grep -c ' family$')" 39 "... samples of all its threads"
perfex report -i family --format script | awk '/ instructions: $/ { print $2 }' | tr / ' ' >owners
is "$(awk '{ print $1 }' owners | sort -u | wc -l)" 13 "... and processes"
is "$(awk '$1 != $2 { n[$2]++ } END { for (t in n) print n[t] }' owners | sort -u)" 20 \
	"... of each thread that only runs the loop 20 of 20011"
match "$(perfex report -i family)" 'region_loop  .*family$' "... and in that loop"
try perfex record -c 20011 -o chained sh -c "$programs/known instructions 2000000; exec $shares 1000000"
match "$(perfex report -i chained --sort dso)" "known$" "a child, and what it executes"
match "$(perfex report -i chained)" "spends_50  $shares$" "... and the command itself, after an exec"

# --- the two contracts, as the manual page shows them ---
try $programs/example-signal
is "$STATUS" 0 "the example of signals"
match "$OUT" '^[1-9][0-9]+ samples, the last at 0x[0-9a-f]+$' "... gets samples, with an address"
try $programs/example-ring
is "$STATUS" 0 "the example of rings"
is "$(printf '%s\n' "$OUT" | tail -n 1)" "0 lost, 0 not sampled" "... reads all of them"
printf '%s\n' "$OUT" | awk '$1 == "thread" && $6 != 1000000 * ++n { print }' >wrong
is "$(cat wrong)" "" "... of each million, at that count"
between "$(printf '%s\n' "$OUT" | grep -c '^thread')" 10 1000 "... so many"

# --- a PIE with a shared library ---
head -c 300000 "$(command -v perfex)" >data
try perfex record -c 50021 -o library xz -1 -k -f data
[ "$STATUS" = 0 ] && pass "a program of the distribution" || fail "a program of the distribution" "$ERR"
match "$(perfex report -i library --sort dso)" '/liblzma\.so' "... its shared library"
match "$(perfex report -i library)" '/xz$|/libc\.so\.6$|/ld-linux-x86-64\.so\.2$' "... and itself"
perfex report -i library >report
grep -q 'no names for' report && fail "... all of them are the files that ran" "$(grep 'no names' report)" ||
	pass "... all of them are the files that ran"

# --- several events, the kernel ---
try perfex record -c 50021 -e instructions,branches -o two $shares 10000000
is "$STATUS" 0 "two events"
match "$(perfex report -i two)" 'also recorded: branches' "... the first one is shown"
match "$(perfex report -i two -e branches)" 'samples of branches' "... or the other"
if perfex -i | grep -q 'told apart'; then
	try perfex record -e instructions:k -c 10007 -o kernel dd if=/dev/zero of=/dev/null bs=4k count=5000
	is "$STATUS" 0 "the kernel"
	match "$(perfex report -i kernel)" '[a-z_]+  \[kernel\]$' "... has symbols"
fi

# --- statuses, and files that end early ---
try perfex record -o status sh -c 'exit 42';  is "$STATUS" 42 "the command's status"
try sh -c 'perfex record -o killed -c 20011 sh -c "$0 1000000; kill -KILL \$\$"; exit $?' $shares
is "$STATUS" 137 "a command that is killed"
perfex report -i killed >report
grep -q '^# cut' report && fail "... its recording is whole" "$(cat report)" || pass "... its recording is whole"
[ "$(samples killed)" -ge 49 ] && pass "... and has its samples" || fail "... and has its samples" "$(cat report)"
cp killed before
try perfex record -o before ./missing
is "$STATUS" 127 "127: no such command"
check "... and an older recording is still there" cmp killed before

perfex record -c 100003 -o cut $shares 100000000000 &
perfex=$!
sleep 5
kill -KILL $perfex
wait $perfex
command=$(pidof shares)
kill -KILL $command
perfex report -i cut >report
match "$(cat report)" '^# cut: ' "perfex is killed: the file says that it was cut"
[ "$(samples cut)" -ge 10 ] && pass "... and has what was written ($(samples cut) samples)" ||
	fail "... and has what was written" "$(cat report)"
head -c $(($(stat -c %s cut) - 5)) cut >shorter
match "$(perfex report -i shorter)" '^# cut: ' "cut within a chunk"

mkdir small
mount -t tmpfs -o size=48k none small
try perfex record -c 5003 -o small/file $shares 20000000
is "$STATUS" 125 "a full disk is a failure"
match "$ERR" 'small/file: No space left' "... and says so"
match "$(perfex report -i small/file)" '^# cut: ' "... what fitted is readable"
umount small

# --- a reader that is too slow ---
perfex record --pages 1 -c 20011 -o slow $shares 400000000 2>errors &
perfex=$!
tries=0
until [ -s slow ] || [ $tries -gt 300 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
kill -STOP $perfex
sleep 3
kill -CONT $perfex
wait $perfex
diag "$(cat errors)"
expected=$((400000000 / 20011))
between $(($(samples slow) + $(lost slow) + $(throttled slow))) $expected $((expected + 15)) \
	"samples that are there, lost and throttled are all that there were"
[ "$(lost slow)" -gt 0 ] && pass "... some were lost ($(lost slow))" || fail "... some were lost" "$(cat errors)"

# --- mistakes ---
try perfex record -c 10 -o left true
one_line_error 2 '-c 10: the period is too short: [0-9]+ events at least' "too short a period"
try perfex record -c 9000000000000000000 -o left true
one_line_error 2 'too long.*at most' "too long a period"
try perfex record -e no-such-event -o left true
one_line_error 2 'no-such-event' "an unknown event"
try perfex record -o /nonexistent/file true
one_line_error 2 '/nonexistent/file' "a file that can't be made"
try perfex report -i left
one_line_error 2 'left' "a file that is not there"
[ -e left ] && fail "nothing is left behind" || pass "nothing is left behind"

kernel_log_clean
done_testing
