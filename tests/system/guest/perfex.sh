# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 900
#
# perfex as a user meets it: what it prints, what it returns, what it says when
# something is wrong, and that it leaves nothing behind.

. /put/tap.sh
guest=$1 cpu=$2
programs=/usr/lib/perfctr-tests
cd "$(mktemp -d)" || exit 1
chmod 755 .

# counted FILE NAME: the count of the event (or tsc, stolen) of that name
counted() {
	awk -v name="$2" '$1 ~ /^[~0-9]/ && $2 == name { print $1; exit }' "$1"
}

# user_counts EVENT COMMAND...: its count in user mode; without address space
# randomization, on which the C library's start depends
user_counts() {
	event=$1
	shift
	setarch -R perfex -e "$event" -o counts "$@" >/dev/null || echo failed
	counted counts "$event"
}

# --- the status is the command's ---
try perfex true;                       is "$STATUS" 0 "status of a command that succeeds"
try perfex false;                      is "$STATUS" 1 "status of a command that fails"
try perfex sh -c 'exit 42';            is "$STATUS" 42 "status 42"
match "$ERR" '^ *[0-9]+ +.*instructions' "... and the counts are printed all the same"
try sh -c 'perfex sh -c "kill -TERM \$\$"; exit $?'
is "$STATUS" 143 "status of a command that dies of SIGTERM is 128 + 15"
try perfex sh -c 'echo out; echo err >&2'
is "$OUT" out "the command's standard output is untouched"
match "$ERR" '^err$' "so is its standard error"

# --- the output ---
try perfex -e instructions -e branches -o counts true
is "$ERR" "" "with -o nothing goes to standard error"
is "$(grep -cE '^ *[0-9]+ ' counts)" 4 "-o FILE has one line with the number first for the TSC, the stolen time, and each event"
match "$(cat counts)" '^ *[0-9]+  tsc +[0-9.]+ seconds at [0-9.]+ MHz$' "the TSC in ticks and seconds"
match "$(cat counts)" '^ *[0-9]+  stolen +[0-9.]+ seconds' "the stolen time beside it"
[ "$cpu" = intel ] && name=INST_RETIRED:ANY_P hex=0x4100c0 || name=RETIRED_INSTRUCTIONS hex=0x4100c0
try perfex -e $name -e $hex -o counts true
is "$STATUS" 0 "a libpfm4 name and a hexadecimal code"
is "$(awk '$1 ~ /^[0-9]+$/ && ++n > 2 { print $1 }' counts | sort -u | wc -l)" 1 \
	"the same event by name and by code has the same count"
try perfex -i;                         match "$OUT" 'Xen' "-i says which hypervisor"
is "$STATUS" 0 "-i succeeds"
try perfex -l;                         match "$OUT" '(^| )instructions' "-l lists the aliases"
match "$OUT" "${name%%:*}" "-l lists libpfm4's events of this CPU"

# --- the whole command, over exec ---
# User mode alone: what one more iteration adds is known, and nothing else is
# different.
few=10000000 many=60000000
for event in instructions branches; do
	[ $event = branches ] && each=1 || each=2
	less=$(user_counts $event $programs/known branches $few)
	more=$(user_counts $event $programs/known branches $many)
	is $((more - less)) $((each * (many - few))) "$event of a loop, exactly"
	[ "$less" -ge $((each * few)) ] && [ "$less" -le $((each * few + 200000)) ] &&
		pass "... and little else ($less)" || fail "... and little else" "$less"
	chained=$(user_counts $event sh -c "exec $programs/known branches $few")
	again=$(user_counts $event sh -c "exec $programs/known branches $many")
	is $((again - chained)) $((each * (many - few))) "... and across an exec"
	[ "$chained" -gt "$less" ] && pass "... what was before the exec is counted, too" ||
		fail "... what was before the exec is counted, too" "$chained, without: $less"
done

# --- threads and children ---
few=100000 many=300000
for options in "2 3 2" "-x 2 3 2" "0 0 40"; do
	for event in instructions branches cond-branches; do
		[ $event = instructions ] && each=2 || each=1
		# Words of options: splitting is wanted.
		# shellcheck disable=SC2086
		less=$(user_counts $event $programs/family $options $few)
		# shellcheck disable=SC2086
		more=$(user_counts $event $programs/family $options $many)
		# shellcheck disable=SC2086
		members=$($programs/family $options 1)
		is $((more - less)) $((members * each * (many - few))) \
			"family $options: $event of $members threads, exactly"
	done
done
# The shell's own children, by whatever call it makes them.  How often the shell
# looks for them is not known.
perfex -e branches -o counts sh -c "$programs/known branches $few & $programs/known branches $few; wait" >/dev/null
both=$(counted counts branches)
[ "$both" -ge $((2 * few)) ] && [ "$both" -le $((2 * few + 400000)) ] &&
	pass "a shell and its two children ($both)" ||
	fail "a shell and its two children" "$both"
is "$(user_counts branches --no-inherit $programs/family 2 3 2 $many)" \
	"$(($(user_counts branches --no-inherit $programs/family 2 3 2 $few) + many - few))" \
	"--no-inherit: the first thread only"

setarch -R perfex --per-thread -e branches -o counts $programs/family 2 3 2 $few >/dev/null
# pid tid comm tsc branches
awk '$1 ~ /^[0-9]+$/ && $2 ~ /^[0-9]+$/ && $3 == "family"' counts >rows
is "$(awk '{ print $1, $2 }' rows | sort -u | wc -l)" 39 "--per-thread: a row for each of 39 threads"
is "$(awk '{ print $1 }' rows | sort -u | wc -l)" 13 "... of 13 processes"
is "$(awk '{ sum += $5 } END { printf "%.0f", sum }' rows)" "$(counted counts branches)" "... their counts make up the sum"
is "$(awk '{ sum += $4 } END { printf "%.0f", sum }' rows)" "$(counted counts tsc)" "... so do their ticks"
is "$(awk '$1 == "total" { print $3 }' counts)" "$(counted counts branches)" "... which is in the table, too"
is "$(awk '$1 != $2 { print $5 }' rows | sort -u | wc -l)" 1 "... all threads that only run the loop have the same count"
between "$(awk '$1 != $2 { print $5; exit }' rows)" $few $((few + 20)) "... which is the loop's"
is "$(awk '{ print length($0) }' rows | sort -u | wc -l)" 1 "... and the columns are aligned"

try perfex -o /dev/null perfex true
one_line_error 2 'counted already.*--no-inherit' "perfex in perfex: each thread has one set of counters"
try perfex --no-inherit -o /dev/null sh -c 'perfex -o /dev/null true; exit $?'
is "$STATUS" 0 "... unless the outer one does not follow"

# --- what still runs ---
try perfex sh -c 'sleep 100 </dev/null >/dev/null 2>&1 & echo $!'
kill "$OUT"
is "$STATUS" 0 "a command that leaves a process behind"
match "$ERR" '^ *1  thread still running when the command had ended: counted until then$' "... is told so"

# --- more events than counters ---
try perfex -m -e branches@0 -e loads@0 -e stores@0 -o counts $programs/known branches 100000000
is "$STATUS" 0 "-m: three events on one counter"
is "$(awk 'match($0, /\([0-9.]+ %\)/) {
	share = substr($0, RSTART + 1, RLENGTH - 4); sum += share; n++
	if (share < 20 || share > 47) bad++ } END { print n, bad + 0, (sum > 99.5 && sum < 100.5) }' counts)" \
	"3 0 1" "... each for about a third of the time, together all of it"
is "$(grep -c '~\|estimate' counts)" 0 "... nothing is scaled"
between "$(counted counts branches@0)" 20000000 47000000 "... a third of the branches is counted"
try perfex -m --scale --slice 2000 -e branches@0 -e loads@0 -e stores@0 -o counts $programs/known branches 100000000
match "$(cat counts)" '^ *~[0-9]+  branches@0 .*estimate; counted: [0-9]+$' "--scale marks what it prints"
between "$(counted counts branches@0 | tr -d '~')" 80000000 120000000 "... and estimates the whole"
try perfex -m -e instructions -e branches -o counts true
is "$(grep -c '(100.0 %)' counts)" 2 "-m with events that fit: all of the time"

# --- whose work ---
works='dd if=/dev/zero of=/dev/null bs=1 count=20000'
perfex -e branches:u,branches:k,branches:u:k -o counts $works 2>/dev/null
user=$(counted counts branches:u) kernel=$(counted counts branches:k) both=$(counted counts branches:u:k)
between "$user" 20000 60000000 ":u counts user mode"
between "$kernel" 200000 600000000 ":k counts the kernel"
between $((both - user - kernel)) $((both / -1000)) $((both / 1000)) ":u:k counts both"
match "$(cat counts)" 'branches:k +pmc[0-9]+ +kernel$' "... and it is printed which"
try perfex -e instructions:h -e instructions:u:k:h -e instructions:u:k -o counts $works
if [ "$guest" = dom0 ]; then
	is "$STATUS" 0 ":h in a privileged guest"
	between "$(counted counts instructions:h)" 10000 100000000000 "... counts Xen"
	[ "$(counted counts instructions:u:k:h)" -gt "$(counted counts instructions:u:k)" ] &&
		pass "... all is more than user and kernel" || fail "... all is more than user and kernel" "$(cat counts)"
	try perfex -e instructions:k:h true
	one_line_error 2 'alone or with both' ":h with :k only"
else
	match "$(cat counts)" '^ +-  instructions:h +not supported: .*level host' \
		":h in a guest that is not privileged: not supported, and why"
	between "$(counted counts instructions:u:k)" 20000 100000000000 "... the others are counted"
	try perfex -e instructions:h true
	one_line_error 2 'level host' "... if there is none, it is an error"
fi

# --- a program that raises its privileges ---
cp $programs/known raised
chmod 4755 raised
nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}
try nobody perfex -e branches sh -c './raised branches 1000000; exit 3'
is "$STATUS" 3 "a child that executes a set-user-ID program: the command's status"
is "$(printf '%s\n' "$ERR" | grep -cE '^ *1  thread not counted from an exec on that raised privileges')" 1 \
	"... and one line that says what is not counted"
match "$ERR" 'branches +.*\(incomplete\)$' "... the counts are marked"
printf '%s\n' "$ERR" >counts
between "$(counted counts branches)" 1 999999 "... and do not have it"
try nobody perfex -e branches ./raised branches 1000000
is "$STATUS" 125 "the command is a set-user-ID program: a failure"
is "$(printf '%s\n' "$ERR" | grep -c 'raised privileges')" 1 "... with one line that says why"
try perfex -e branches ./raised branches 1000000
is "$STATUS $(printf '%s\n' "$ERR" | grep -c 'raised')" "0 0" "root raises nothing by it"

# --- what can't be run, as env(1) ---
try perfex ./missing;                  is "$STATUS" 127 "127: no such command"
touch notexec; chmod 644 notexec
try perfex ./notexec;                  is "$STATUS" 126 "126: not executable"

# --- mistakes ---
try perfex -e no-such-event -o left true
one_line_error 2 'no-such-event' "an unknown event"
try perfex -e instructons -o left true
one_line_error 2 'instructions' "a misspelt event: the right one is suggested"
try perfex -e 0x4100c0zz -o left true
one_line_error 2 '0x4100c0zz' "not a hexadecimal code"
try perfex -e 0x4100c4 -e 0x4101c4 -e 0x4102c4 -e 0x4103c4 -e 0x4104c4 -e 0x4105c4 -e 0x4106c4 -e 0x4107c4 -o left true
one_line_error 2 '[0-9]+ general counters.*-m' "too many events: says how many there are, and what to do"
try perfex -e 0x80000041000000c0 -o left true
one_line_error 2 '.' "a code with bits that are not allowed"
try perfex --scale -o left true;      one_line_error 2 'scale.*-m' "--scale without -m"
try perfex --slice 1000 -o left true; one_line_error 2 'slice.*-m' "--slice without -m"
try perfex -m --slice 1 -o left true; one_line_error 2 '100 to 1000000' "a slice too short"
try perfex --per-thread --no-inherit -o left true
one_line_error 2 'one thread' "--per-thread of one thread"
try perfex -m -e branches@0 -e branches@63 -o left true
one_line_error 2 'does not have' "-m does not make counters"
try perfex;                            is "$STATUS" 2 "no command"
try perfex --no-such-option true;      is "$STATUS" 2 "an unknown option"
try perfex -o /nonexistent/file true;  one_line_error 2 '/nonexistent/file' "an output file that can't be made"
try perfex -o /dev/full true
[ "$STATUS" -ne 0 ] && [ -n "$ERR" ] && pass "a full disk is reported" ||
	fail "a full disk is reported" "status $STATUS, standard error: $ERR"
[ -e left ] && fail "no output file is left behind" || pass "no output file is left behind"

# --- no permission, no device ---
chmod 600 /dev/perfctr
try setpriv --reuid=65534 --regid=65534 --clear-groups perfex true
one_line_error 2 'ermission' "no permission for the device"
chmod 666 /dev/perfctr
try setpriv --reuid=65534 --regid=65534 --clear-groups perfex -o /dev/null true
is "$STATUS" 0 "an unprivileged user may count his own program"
check "module unloads" rmmod perfctr
try perfex -o left true
one_line_error 2 'perfctr.*(insmod|modprobe|load)' "no device: says what to load"
[ -e left ] && fail "... and leaves nothing behind" || pass "... and leaves nothing behind"

kernel_log_clean
done_testing
