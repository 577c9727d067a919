# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in dom0, for ../../soak/soak: domains of all kinds that count, and what can happen to them,
# at random. Each round begins with new domains, does a dozen things to them and to the host,
# and ends with what everything has counted. What it does it says beforehand, with
# the virtual time, as comments.
#
#	SEED MINUTES "KIND..." "SCHEDULER..."
#
# Rounds begin until so many minutes of the machine's time have passed, at least one.

. /put/tap.sh
. /put/domains.sh
seed=$1 minutes=$2 kinds=$3 schedulers=$4
programs=/usr/lib/perfctr-tests
tmp=$(mktemp -d)
# Time is the number of instructions: of 8 hours most must be idle. Each look costs as much as 0.1 s.
export POLL=5 PAUSE=4000
state=$seed
done_of="" # what was done, a word each

now() {
	cut -d. -f1 /proc/uptime
}

# one_of WORD...: one of them in $one
one_of() {
	random $#
	shift "$random"
	one=$1
}

# want WHAT COMMAND...: the test fails if the command does
want() {
	wanted=$1
	shift
	said=$("$@" 2>&1) || fail "round $round: $wanted" "$said" "log: $(tail -n 5 "$tmp/$domain" 2>/dev/null)"
}

# ------------------------------------ domains -------------------------------------

# born NAME: of a random kind, with random programs
born() {
	# Kinds are words: splitting is wanted.
	# shellcheck disable=SC2086
	one_of $kinds
	kind=$one
	random 3
	vcpus=$((random + 1))
	events=
	random 3
	for i in $(seq $((random + 1))); do
		one_of instructions branches cond-branches stores loads instructions@2 branches@3 cond-branches@1
		events="$events $one"
	done
	in_ram=
	[ "$kind" != pv ] || in_ram=--in-ram
	diag "$(now) s: domain $1: $kind, $vcpus vCPUs, counts$events"
	# One word each.
	# shellcheck disable=SC2086
	begin "$1" "--type $kind --vcpus $vcpus $in_ram" $events
	eval "kind_$1=$kind vcpus_$1=$vcpus work_$1= events_$1='$events' expects_$1=$(echo $events | wc -w)"
	domains="$domains $1"
}

# dead NAME: it is gone, and nothing is expected of it
dead() {
	eval "wait \$pid_$1"
	domains=$(echo " $domains " | sed "s/ $1 / /")
}

# work DOMAIN COMMAND...: goes on in the domain meanwhile
work() {
	settle "$1"
	eval "work_$1=\$2"
	diag "$(now) s: $1: $2"
	go "$1" "$2"
}

# settle DOMAIN: what goes on there has ended, and well
settle() {
	eval "work=\$work_$1"
	[ "$work" ] || return 0
	gone "$1"
	eval "work_$1="
	if [ "$STATUS" != 0 ] || echo "$OUT" | grep -q '^not ok'; then
		fail "round $round: $1: $work" "status $STATUS: $(echo "$OUT" | grep -v '^ok')"
	fi
}

# does COMMAND: in $domain, now, and without a word of it
does() {
	settle "$domain"
	tell "$domain" "$1"
	[ "$STATUS$OUT" = 0 ] || fail "round $round: $domain: $1" "status $STATUS: $OUT"
}

# Its programs end, which are looked at in the end; and later others begin.
counts_no_more() {
	settle "$domain"
	tell "$domain" stop_counting
}

counts_again() {
	eval "events=\$events_$domain"
	tell "$domain" "count$events"
	eval "expects_$domain=\$((expects_$domain + $(echo "$events" | wc -w)))"
}

# vCPUs of it but for the first, in $others
other_vcpus() {
	eval "others=\$(seq \$((vcpus_$domain - 1)))"
	others=$(echo $others)
}

# ------------------------------------ what is done --------------------------------

act_pause() {
	want pause xl pause "$domain"
	random 10
	sleep 0.$random
	want unpause xl unpause "$domain"
}

act_pin() {
	one_of 0 1 2 0-1 1-2 all
	eval "random \$vcpus_$domain"
	want "pin to $one" xl vcpu-pin "$domain" "$random" "$one"
}

act_restore() { reborn restore; }
act_migrate() { reborn migrate; }
reborn() {
	want "$1" /lab/reborn "$1" "$domain"
	eval "id_$domain=$(xl domid "$domain")"
}

act_cancelled() {
	want "save, and go on" xl save -c "$domain" "$tmp/saved"
	rm -f "$tmp/saved"
}

act_hotplug() {
	other_vcpus
	[ "$others" ] || { act_pause; return; }
	does "off_on 2 $others"
}

act_vcpu_set() {
	other_vcpus
	# Of an HVM domain this is a matter of its device model.
	[ "$others" ] && [ "$kind" != hvm ] || { act_pin; return; }
	eval "all=\$vcpus_$domain"
	settle "$domain"
	want "vcpu-set 1" xl vcpu-set -i "$domain" 1
	does "vcpus 1"
	want "vcpu-set $all" xl vcpu-set -i "$domain" "$all"
	does "vcpus $all"
}

# A filter of what nobody here counts, and a level that allows all of it
act_policy() {
	settle "$domain"
	one_of "sample --deny 0x24" "count --no-filter" "host" "sample --no-filter"
	# Options, one word each.
	# shellcheck disable=SC2086
	want "policy $one" xen-perfctr set "$domain" $one
	want "policy sample" xen-perfctr set "$domain" sample --no-filter
}

# The counters are taken away from a program that counts, and given back.
act_revoke() {
	counts_no_more
	go "$domain" "$programs/revoked"
	eval "number=\$number_$domain"
	said "$domain" "$number counting" || fail "round $round: $domain: revoked counts"
	want "policy denied" xen-perfctr set "$domain" denied
	said "$domain" "$number \(refused\|end\)"
	want "policy sample" xen-perfctr set "$domain" sample
	gone "$domain"
	[ "$STATUS" = 0 ] && echo "$OUT" | grep -Eqx 'lost (SIGSEGV )?EPERM' && echo "$OUT" | grep -qx again ||
		fail "round $round: $domain: counters taken away and given back" "status $STATUS: $OUT"
	counts_again
}

act_module() {
	other_vcpus
	counts_no_more
	does "modules 1 $others"
	counts_again
}

# Each of these checks itself.
act_work() {
	random 1000
	one_of "groups $((random + 1))" "sampling pair 1000000" "sampling periods 2 30" \
		"sampling ring 10000 1000000" library "count -e branches loop 1000000 3" \
		"count -e stores stores 100000 3"
	if [ "$one" = library ]; then
		# It also counts whole vCPUs: not while threads of that domain count.
		counts_no_more
		work "$domain" "$programs/$one"
		settle "$domain"
		counts_again
		return
	fi
	work "$domain" "$programs/$one"
}

act_host_work() {
	one_of "sampling pair 1000000" "count -e branches loop 1000000 3" "groups 7"
	diag "$(now) s: dom0: $one"
	# One word each.
	# shellcheck disable=SC2086
	out=$($programs/$one 2>&1)
	[ $? = 0 ] && ! echo "$out" | grep -q '^not ok' || fail "round $round: dom0: $one" "$out"
}

act_host_module() {
	host_counts_no_more
	want "rmmod in dom0" rmmod perfctr
	want "insmod in dom0" insmod /lib/perfctr.ko
	host_counts
}

act_cpu_offline() {
	want "pCPU 2 offline" xen-hptool cpu-offline 2
	random 10
	sleep 0.$random
	want "pCPU 2 online" xen-hptool cpu-online 2
}

act_pool() {
	# Words: splitting is wanted.
	# shellcheck disable=SC2086
	one_of $schedulers
	want "pCPU 2 leaves the pool" xl cpupool-cpu-remove Pool-0 2
	want "pool of $one" xl cpupool-create name=\"pool\" sched=\"$one\" 'cpus=["2"]'
	want "to the pool" xl cpupool-migrate "$domain" pool
	random 10
	sleep 0.$random
	want "back" xl cpupool-migrate "$domain" Pool-0
	want "the pool goes" xl cpupool-destroy pool
	want "pCPU 2 comes back" xl cpupool-cpu-add Pool-0 2
}

act_moves() {
	random 10000
	$programs/move-vcpus random "$random" 0 2 "$vcpus" 2000 "$(xl domid "$domain")" >"$tmp/moves" 2>&1 &
	mover=$!
	sleep 2
	kill $mover
	wait $mover || fail "round $round: vCPUs of $domain are moved" "$(cat "$tmp/moves")"
	want "vCPUs go where they want" xl vcpu-pin "$domain" all all
}

act_destroy() { ends destroy; }
act_crash() { ends crash; }
ends() {
	settle "$domain"
	if [ "$1" = crash ]; then
		# The machine would fail where a console says that a kernel panicked.
		go "$domain" "echo 0 >/proc/sys/kernel/printk; echo c >/proc/sysrq-trigger"
	else
		want destroy xl destroy "$domain"
	fi
	dead "$domain"
	born "$domain"
}

act() {
	# shellcheck disable=SC2086
	one_of $domains
	domain=$one
	eval "kind=\$kind_$domain vcpus=\$vcpus_$domain"
	one_of pause pin restore restore migrate migrate cancelled hotplug hotplug vcpu_set policy revoke module work work work \
		work work host_work host_module cpu_offline pool moves moves destroy crash
	act=$one
	# Days are long, and most of the time nothing happens.
	random 120
	sleep "$random"
	diag "$(now) s: $domain ($kind): $act"
	done_of="$done_of $act"
	act_$act
}

# ------------------------------------ dom0's own counts ---------------------------

host_counts() {
	$programs/forever-until 1000000 $PAUSE -e instructions >"$tmp/host" 2>&1 &
	host=$!
}

host_counts_no_more() {
	sleep 5
	kill $host
	wait $host
	is $? 0 "round $round: dom0 counts to the end"
	forever_exact "$tmp/host" "round $round: dom0" 10
}

/lab/toolstack || exit 125
# It has much to do, and xl's limits of time are the machine's. (With a much larger weight
# credit2 hardly lets the domains run.)
xl sched-credit2 -d 0 -w 1024
host_counts
round=0
begun_at=$(now)
until [ $round -gt 0 ] && [ $(($(now) - begun_at)) -ge $((minutes * 60)) ]; do
	round=$((round + 1))
	diag "round $round, state $state"
	domains=
	random 2
	for name in $(echo a b c | cut -d' ' -f "1-$((random + 2))"); do
		born "$name"
	done
	random 12
	for n in $(seq $((random + 6))); do
		act
	done
	for domain in $domains; do
		settle "$domain"
	done
	sleep 5
	for domain in $domains; do
		eval "expects=\$expects_$domain"
		finish "$domain" "$expects"
	done
	is "$(xl list | awk 'NR > 1 { print $1 }')" Domain-0 "round $round: only dom0 is left"
	xen_log_clean
	kernel_log_clean
done
host_counts_no_more
check "dom0: nothing has stayed behind" rmmod perfctr
diag "done: $round rounds, $(echo "$done_of" | wc -w) actions:$(echo "$done_of" | tr ' ' '\n' | sort | uniq -c | awk 'NF > 1 { printf " %s %s", $1, $2 }')"
rm -rf "$tmp"
done_testing
