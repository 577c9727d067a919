# SPDX-License-Identifier: GPL-2.0-or-later
#
# TAP for shell scripts.  Source it; end with "done_testing".

TAP_N=0

# diag TEXT...: a line for the reader of the log
diag() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

# pass NAME, fail NAME [WHY...]
pass() {
	TAP_N=$((TAP_N + 1))
	echo "ok $TAP_N - $1"
}

fail() {
	TAP_N=$((TAP_N + 1))
	echo "not ok $TAP_N - $1"
	shift
	[ $# -eq 0 ] || diag "$@"
}

# check NAME COMMAND...: passes if the command succeeds
check() {
	tap_name=$1
	shift
	if tap_out=$("$@" 2>&1); then
		pass "$tap_name"
	else
		fail "$tap_name" "$* -> $?: $tap_out"
	fi
}

# is GOT WANTED NAME
is() {
	if [ "$1" = "$2" ]; then
		pass "$3"
	else
		fail "$3" "got: $1" && diag "wanted: $2"
	fi
}

# match TEXT PATTERN NAME: PATTERN is an extended regular expression
match() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		pass "$3"
	else
		fail "$3" "got: $1" && diag "wanted a match of: $2"
	fi
}

# between GOT LOW HIGH NAME: LOW <= GOT <= HIGH, whole numbers
between() {
	if [ -n "$1" ] && [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; then
		pass "$4 ($1)"
	else
		fail "$4" "got ${1:-nothing}, wanted $2 to $3"
	fi
}

done_testing() {
	echo "1..$TAP_N"
}

# try COMMAND...: run it; leaves OUT, ERR (texts) and STATUS
try() {
	tap_tmp=$(mktemp -d)
	STATUS=0
	"$@" >"$tap_tmp/out" 2>"$tap_tmp/err" </dev/null || STATUS=$?
	OUT=$(cat "$tap_tmp/out")
	ERR=$(cat "$tap_tmp/err")
	rm -rf "$tap_tmp"
}

# one_line_error STATUS PATTERN NAME: after "try", what a user's mistake must
# look like: this exit status and exactly one line on standard error.
one_line_error() {
	if [ "$STATUS" = "$1" ] && [ "$(printf '%s\n' "$ERR" | wc -l)" -eq 1 ] &&
		printf '%s\n' "$ERR" | grep -Eq -- "$2"; then
		pass "$3"
	else
		fail "$3" "status $STATUS (wanted $1), standard error: $ERR"
		diag "wanted one line that matches: $2"
	fi
}

# The kernel log has nothing that a healthy kernel would not say.
kernel_log_clean() {
	tap_bad=$(dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|general protection|unchecked MSR|scheduling while|perfctr: .*(bug|leak)' || true)
	is "$tap_bad" "" "the kernel log is clean"
}

# With kmemleak: no memory has leaked since leaks_forget. It ignores what is younger than 5 s,
# and what it finds once only may be a pointer that a CPU had in a register.
LEAKS=/sys/kernel/debug/kmemleak

leaks_forget() {
	echo clear >$LEAKS
}

leaks() {
	sleep 6
	echo scan >$LEAKS
	echo scan >$LEAKS
	cat $LEAKS
}

# in dom0
xen_log_clean() {
	is "$(xl dmesg | grep -E 'GPF|Assert|Xen BUG|Xen WARN|fault' | grep -iv default || true)" "" "Xen's log is clean"
}

# forever_exact FILE NAME AT_LEAST: what programs/forever-until printed to FILE
forever_exact() {
	set -- "$1" "$2" "$3" $(sed -n 's/^total \([0-9]*\) expected \([0-9]*\) chunks \([0-9]*\) exact \([0-9]*\) short.*$/\1 \2 \3 \4/p' "$1")
	if [ $# -ne 7 ]; then
		fail "$2: counted" "$(cat "$1")"
		return
	fi
	diag "$2: $(cat "$1")"
	is "$4" "$5" "$2: counted what it did, difference 0"
	is "$7" "$6" "$2: and so in each measurement"
	between "$6" "$3" 1000000000 "$2: measurements"
}

# subtests COMMAND...: a command that prints TAP itself; its tests become ours.
subtests() {
	tap_tmp=$(mktemp)
	tap_status=0
	"$@" >"$tap_tmp" </dev/null || tap_status=$?
	tap_ran=$(grep -cE '^(not )?ok ' "$tap_tmp")
	while IFS= read -r tap_line; do
		case $tap_line in
		ok\ *|not\ ok\ *)
			TAP_N=$((TAP_N + 1))
			# Without a process: there are hundreds of lines.
			tap_verdict=${tap_line%%ok *}ok
			tap_line=${tap_line#"$tap_verdict "}
			printf '%s\n' "$tap_verdict $TAP_N${tap_line#"${tap_line%%[!0-9]*}"}"
			;;
		1..*)
			tap_plan=${tap_line#1..}
			tap_plan=${tap_plan%% *}
			[ "$tap_plan" = "$tap_ran" ] || fail "$*: plan" "planned $tap_plan, ran $tap_ran"
			;;
		*)
			diag "$tap_line"
			;;
		esac
	done <"$tap_tmp"
	grep -q '^1\.\.' "$tap_tmp" || fail "$*: ran to its end" "no plan, status $tap_status"
	[ "$tap_status" = 0 ] || grep -q '^not ok ' "$tap_tmp" || fail "$*: status" "$tap_status"
	rm -f "$tap_tmp"
}
