# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 1200 --xen-append perfctr=dom0=host,domu=count
#
# The host's policy for a domain of the kind that is given, in dom0: what each
# policy lets the domain do, and what becomes of what counts when it changes.  What
# the hypercall itself answers to each of them is in tests/xtf.

. /put/tap.sh
kind=$1 cpu=$2
tmp=$(mktemp -d)
[ "$cpu" = intel ] && instructions=0xc0 branches=0xc4 || instructions=0xc0 branches=0xc2

# --- the tool, before there is a toolstack ---
try xen-perfctr list
match "$OUT" '^- +0 +host +none$' "list without xenstored has numbers, not names"
try xen-perfctr set nobody count
one_line_error 1 'xenstored.*number of domain nobody' "... and a name is an error that says so"
try xen-perfctr info
match "$OUT" '^command line +perfctr=dom0=host,domu=count$' "info: what the command line says"
match "$OUT" '^general counters +[1-9]' "... and what the PMU has"

/lab/toolstack || exit 125
lab_kind=
[ "$kind" = pv ] || lab_kind="--type $kind"
# One word each, or nothing: splitting is wanted.
# shellcheck disable=SC2086
/lab/domu guest $lab_kind -- sh /put/policy-domain.sh >$tmp/guest 2>&1 &
domain=$!
until id=$(xl domid guest 2>/dev/null); do
	sleep 0.2
	kill -0 $domain 2>/dev/null || { cat $tmp/guest; exit 125; }
done

# --- from the beginning ---
try xen-perfctr get guest
is "$OUT" "level   count
filter  none" "get: a new domain has what the command line says"
is "$(xen-perfctr list | awk 'NR > 1 { print $1, $2, $3, $4 }')" "Domain-0 0 host none
guest $id count none" "list: names, levels, filters"

# Domains that have not run yet
cat >$tmp/asleep <<END
name = "asleep"
type = "pv"
kernel = "/boot/vmlinux"
ramdisk = "/boot/initrd"
memory = 192
END
try xl create -q -p $tmp/asleep
is "$STATUS$ERR" 0 "a domain that has not run yet"
try xen-perfctr set asleep denied --deny $branches:0,0x3c:1/0x1,0x24
is "$STATUS$ERR" 0 "... its policy can be set"
is "$(xen-perfctr get asleep)" "level   denied
filter  deny $branches:0x00,0x3c:0x01/0x01,0x24" "... and read"
try xen-perfctr set asleep sample
is "$(xen-perfctr get asleep)" "level   sample
filter  deny $branches:0x00,0x3c:0x01/0x01,0x24" "a new level leaves the filter"
try xen-perfctr set asleep sample --no-filter
is "$(xen-perfctr get asleep)" "level   sample
filter  none" "... until it is taken away"
xl destroy asleep

# --- mistakes ---
policy_before=$(xen-perfctr get guest)
try xen-perfctr set guest much
one_line_error 2 'much.*denied, count, sample and host' "an unknown level: says which there are"
try xen-perfctr set guest count --deny 0xc0:0x100
one_line_error 2 '0xc0:0x100.*EVENT' "a unit mask too large: says what an event looks like"
try xen-perfctr set guest count --allow 0xc0,,0xc4
one_line_error 2 'is no event' "an empty event"
try xen-perfctr set guest count --allow instructions
one_line_error 2 '"instructions" is no event' "a name is no event"
try xen-perfctr set guest count --allow 0xc0:3/1
one_line_error 2 '0xc0:3/1.*matches nothing' "an event that matches nothing"
try xen-perfctr set guest count --allow "$(seq -s , 1 65)"
one_line_error 2 '64' "too many events"
try xen-perfctr set guest count --allow 0xc0 --deny 0xc4
one_line_error 2 'only one of' "two lists"
try xen-perfctr set guest
one_line_error 2 'LEVEL' "no level"
try xen-perfctr set nobody count
one_line_error 1 'no domain nobody' "no such name"
try xen-perfctr get 4000
one_line_error 1 'no domain 4000' "no such number"
try xen-perfctr get 99999
one_line_error 1 'no domain 99999' "a number that no domain can have"
[ "$cpu" = amd ] || {
	try xen-perfctr set guest count --deny 0x1c0
	one_line_error 1 'none above 0xff' "an event code that this processor does not have"
}
try xen-perfctr
is "$STATUS" 2 "no command"
is "$(xen-perfctr get guest)" "$policy_before" "none of this has changed anything"

# --- what the domain can do ---
number=0

# begin COMMAND...: in the domain
begin() {
	number=$((number + 1)) command=$*
	xenstore-write "/local/domain/$id/data/go" "$number $command"
}

# until_says PATTERN: a line of what was begun last begins with it
until_says() {
	until grep -q "^$number $1" $tmp/guest; do
		kill -0 $domain 2>/dev/null || { fail "$command: the domain is gone" "$(tail -n 20 $tmp/guest)"; exit 1; }
		sleep 0.1
	done
}

# go COMMAND...: in the domain; leaves its output in OUT
go() {
	begin "$@"
	until_says "end "
	OUT=$(sed -n "/^$number end /d; s/^$number //p" $tmp/guest)
}

# counts EVENT EACH: it can be counted, and is right
counts() {
	go count "$1" "$2"
	is "$OUT" "status 0
off 0" "$policy: $1 count exactly"
}

# refuses EVENT PATTERN: it can't, and perfex says why in one line
refuses() {
	go count "$1"
	match "$OUT" '^status 2$' "$policy: $1: refused"
	match "$OUT" "^says perfex: .*$2" "... and perfex says why"
	is "$(printf '%s\n' "$OUT" | grep -c ^says)" 1 "... in one line"
}

policy() {
	policy=$*
	try xen-perfctr set guest "$@"
	is "$STATUS$OUT$ERR" 0 "policy: $policy"
}

named=/usr/lib/perfctr-tests/named
no_host="does not let this guest .*level host"
filtered='does not let this guest count it .*perfctr_allow'

policy count
go module
match "$OUT" '^insmod 0$' "$policy: the module can be loaded"
counts instructions:u 2
counts branches:u 1
refuses instructions:h "$no_host"

policy denied
# The module is still there: what it says is of now.
refuses instructions:u "the host's policy does not give this guest counters.*xen-perfctr.*perfctr="
go perfex -i
match "$OUT" "host's policy does not give" "... perfex -i says so, too"
go $named instructions:u
match "$OUT" "^EPERM .*host's policy does not give.*xen-perfctr" "... so does libperfctr-events"
go module
match "$OUT" '^insmod 1$' "$policy: the module can be unloaded, but not loaded again"
match "$OUT" "^says the host's policy does not give this domain counters.*xen-perfctr.*xl\\.cfg.*command line" \
	"... and the kernel says why"
is "$(printf '%s\n' "$OUT" | grep -c ^says)" 1 "... in one line"

policy sample
go module
match "$OUT" '^insmod 0$' "$policy: the module can be loaded"
counts instructions:u 2
refuses branches:h "$no_host"
go perfex -i
match "$OUT" '^event filter +no$' "perfex -i: no filter"

for policy in "count --allow $instructions:0" "sample --deny $branches" "host --allow $instructions"; do
	# Words of a command: splitting is wanted.
	# shellcheck disable=SC2086
	policy $policy
	counts instructions:u 2
	counts instructions:u@0 2
	refuses branches:u "event branches:u: .*$filtered"
	go perfex -e instructions:u,branches:u true
	match "$OUT" "event branches:u: .*$filtered" "... of two events the one is named that is filtered"
	go $named branches:u,instructions:u
	match "$OUT" "^EACCES event branches:u: .*$filtered" "... by libperfctr-events, too"
	go $named instructions:u
	match "$OUT" '^yes$' "... which counts the other"
	go perfex -i
	match "$OUT" '^event filter +yes' "perfex -i: there is a filter"
done
# Fixed counters are no way around it.
[ "$cpu" = amd ] || {
	policy count --deny $instructions
	refuses instructions:u "event instructions:u: .*$filtered"
	refuses instructions:u@fixed0 "event instructions:u@fixed0: .*$filtered"
	counts branches:u 1
}

policy host --no-filter
go count instructions:h
match "$OUT" '^status 0$' "$policy: Xen's share can be counted"
go perfex -i
match "$OUT" "Xen's own work .* yes$" "... and perfex -i says so"

# --- while it is stopped ---
begin $named again instructions:u,branches:u
until_says "\(counting\|end\)"
policy count --deny $branches
until_says end
OUT=$(sed -n "s/^$number //p" $tmp/guest)
match "$OUT" "^EACCES event branches:u: .*$filtered" "events that were stopped can't go on: which one it is"
match "$OUT" '^kept$' "... and their counts stay"

# --- while it counts ---
# takes_away ERROR POLICY...: a program that counts is told ERROR, and counts again
# when it may.
takes_away() {
	error=$1
	shift
	begin /usr/lib/perfctr-tests/revoked
	until_says counting
	policy "$@"
	until_says "\(refused\|wrong\|end\)"
	policy host --no-filter
	until_says end
	OUT=$(sed -n "s/^$number //p" $tmp/guest)
	match "$OUT" "^lost (SIGSEGV )?$error\$" "$*: a program that counts is told that it is over"
	match "$OUT" "^refused $error\$" "... and why it can't count any more"
	match "$OUT" '^again$' "... and counts right when the policy allows it again"
	match "$OUT" '^end 0$' "... having seen no wrong number"
	diag "$(printf '%s\n' "$OUT" | grep ^lost)"
}
takes_away EPERM denied
takes_away EACCES host --deny $instructions
takes_away EACCES count --allow $branches
takes_away EPERM denied

# perfex marks what it lost.
begin endless
until_says counting
policy denied
until_says end
OUT=$(sed -n "s/^$number //p" $tmp/guest)
match "$OUT" "counted until an error only: .*host's policy does not allow it any more" \
	"perfex says that the host's policy ended it"
match "$OUT" 'instructions:u .*\(incomplete\)' "... and marks the count"

# A policy that is not stricter disturbs nobody: changed a hundred times.
policy host --no-filter
begin count instructions:u 2
for i in $(seq 50); do
	xen-perfctr set guest count --allow $instructions
	xen-perfctr set guest sample --deny $branches
done
until_says end
is "$(sed -n "/^$number end/d; s/^$number //p" $tmp/guest)" "status 0
off 0" "policies that allow what is counted change no count"

xenstore-write "/local/domain/$id/data/go" "end finish"
wait $domain
is $? 0 "the domain ends well"

# --- dom0, from within ---
xen-perfctr set 0 denied
try perfex -e instructions true
one_line_error 2 "host's policy does not give" "dom0 may take its own counters away"
try xen-perfctr info
one_line_error 1 'xen-perfctr set 0 count' "... is told how to get them back"
try xen-perfctr set Domain-0 host
is "$STATUS" 0 "... and can"
try perfex -e instructions true
is "$STATUS" 0 "... and counts again"
kernel_log_clean
xen_log_clean
rm -rf $tmp
done_testing
