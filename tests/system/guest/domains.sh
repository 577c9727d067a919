# SPDX-License-Identifier: GPL-2.0-or-later
#
# For scripts in dom0, after tap.sh: domains whose programs count all the time
# (counting-domain.sh, which also says what $POLL and $PAUSE are). Needs $tmp, a folder. Nothing here waits for a time that
# a slow machine would need more of: what is awaited comes, or its domain ends.

# begin NAME "OPTIONS of /lab/domu" [EVENT...]: a domain with a program for each EVENT;
# returns when they count. $id_NAME is its number.
begin() {
	begun=$1 options=$2
	shift 2
	: >"$tmp/$begun"
	# One word each: splitting is wanted.
	# shellcheck disable=SC2086
	/lab/domu "$begun" $options -- env POLL="${POLL:-0.05}" PAUSE="${PAUSE:-0}" sh /put/counting-domain.sh "$@" >"$tmp/$begun" 2>&1 &
	eval "pid_$begun=\$! number_$begun=0"
	said "$begun" "counting" || {
		fail "domain $begun begins" "$(cat "$tmp/$begun")"
		done_testing
		exit 1
	}
	eval "id_$begun=$(xl domid "$begun")"
}

# said NAME PATTERN: wait until a line of NAME's begins with it; false if NAME is gone first
said() {
	until grep -q "^$2" "$tmp/$1"; do
		eval "kill -0 \$pid_$1" 2>/dev/null || { grep -q "^$2" "$tmp/$1"; return; }
		sleep "${POLL:-0.05}"
	done
}

# go NAME COMMAND: it begins in NAME; more than words only within quotes.  Returns when it has
# begun, or the domain is gone: what nobody has read is lost where it gets another number.
go() {
	eval "number=\$((number_$1 + 1)) number_$1=\$((number_$1 + 1)) id=\$id_$1"
	xenstore-write "/local/domain/$id/data/go" "$number $2"
	said "$1" "$number begun\$" || :
}

# gone NAME: what the last "go" began has ended; leaves its output in OUT, its status
# in STATUS
gone() {
	eval "number=\$number_$1"
	said "$1" "$number end " || fail "domain $1 goes on" "$(tail -n 20 "$tmp/$1")"
	STATUS=$(sed -n "s/^$number end //p" "$tmp/$1")
	OUT=$(sed -n "/^$number begun\$/d; /^$number end /d; s/^$number //p" "$tmp/$1")
}

# tell NAME COMMAND: both
tell() {
	go "$1" "$2"
	gone "$1"
}

# finish NAME PROGRAMS: its programs end. Each must have counted to the end what it
# did, in each single measurement, of which there must be some.
finish() {
	eval "id=\$id_$1 pid=\$pid_$1"
	xenstore-write "/local/domain/$id/data/go" "last finish"
	wait "$pid"
	is $? 0 "domain $1 ended well"
	is "$(grep -Ev '^(total |counting$|[0-9]+ )' "$tmp/$1")" "" "domain $1: no error"
	wrong=$(awk '$1 == "total" && ($2 != $4 || $6 != $8 || $10 != 0 || $6 < 10)' "$tmp/$1")
	is "$(grep -c '^total' "$tmp/$1")$wrong" "$2" "domain $1: $2 programs counted what they did, difference 0 in each measurement"
	diag "$1: $(awk '$1 == "total" { n += $6; e += $2 } END { printf "%d measurements, %.0f events", n, e }' "$tmp/$1")"
}

# random N: 0 to N - 1 in $random; the same numbers after the same $state
random() {
	state=$(((state * 1103515245 + 12345) % 2147483648))
	random=$((state / 65536 % $1))
}
