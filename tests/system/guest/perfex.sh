# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 400
#
# perfex as a user meets it: what it prints, what it returns, what it says when
# something is wrong, and that it leaves nothing behind.

. /put/tap.sh
cpu=$2
programs=/usr/lib/perfctr-tests
cd "$(mktemp -d)" || exit 1

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
is "$(grep -cE '^ *[0-9]+ ' counts)" 3 "-o FILE has one line with the number first for the TSC and each event"
[ "$cpu" = intel ] && name=INST_RETIRED:ANY_P hex=0x4100c0 || name=RETIRED_INSTRUCTIONS hex=0x4100c0
try perfex -e $name -e $hex -o counts true
is "$STATUS" 0 "a libpfm4 name and a hexadecimal code"
is "$(awk '$1 ~ /^[0-9]+$/ && ++n > 1 { print $1 }' counts | sort -u | wc -l)" 1 \
	"the same event by name and by code has the same count"
try perfex -i;                         match "$OUT" 'Xen' "-i says which hypervisor"
is "$STATUS" 0 "-i succeeds"
try perfex -l;                         match "$OUT" '(^| )instructions' "-l lists the aliases"
match "$OUT" "${name%%:*}" "-l lists libpfm4's events of this CPU"

# --- the whole command, over exec ---
# Above it comes what the guest's kernel does for the program: exec, page faults,
# ticks.
loop=60000000
perfex -e branches -o counts $programs/known branches $loop >/dev/null
direct=$(awk '/branches/ { print $1; exit }' counts)
perfex -e branches -o counts sh -c "exec $programs/known branches $loop" >/dev/null
chained=$(awk '/branches/ { print $1; exit }' counts)
between "$direct" $loop $((loop * 1005 / 1000 + 200000)) "branches of a loop of $loop"
between "$chained" "$loop" $((loop * 1005 / 1000 + 800000)) "... and across an exec"

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
many=; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do many="$many -e 0x41${i}c4"; done
try perfex -e 0x4100c4 -e 0x4101c4 -e 0x4102c4 -e 0x4103c4 -e 0x4104c4 -e 0x4105c4 -e 0x4106c4 -e 0x4107c4 -o left true
one_line_error 2 '[0-9]+' "too many events: says how many there are"
try perfex -e 0x80000041000000c0 -o left true
one_line_error 2 '.' "a code with bits that are not allowed"
try perfex -e instructions:k -o left true
one_line_error 2 'user|kernel' "kernel only, which a 64-bit PV guest can't have"
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
