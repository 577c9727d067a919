# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 5 --icount --timeout 900 --xen-append dom0_vcpus_pin
#
# The paper's Fig. 7, in dom0: two domains with two counting threads each, in
# four scenarios of who shares what (see programs/fig7.c). pCPU 0 is dom0's, so
# that what the domains do there is only what a scenario says.
#
# GUEST is the domains' type, or dom0 for PV. CPUID says nothing of pCPUs in others:
# scenario 4 is for PV only.
#
#	GUEST CPU [long [SEED [RUNS [MOVES [SCENARIOS]]]]]

. /put/tap.sh
programs=/usr/lib/perfctr-tests
type=$1
[ "$type" != dom0 ] || type=pv
seed=${4:-1} runs=${5:-1} at_least=${6:-500} scenarios=${7:-1 2 3}
tmp=$(mktemp -d)

/lab/toolstack || exit 125
for domain in a b; do
	# Another seed for each: its threads do something else at other times.
	domain_seed=$((seed * 2))
	[ $domain = a ] || domain_seed=$((domain_seed + 1))
	/lab/domu $domain --type $type --vcpus 2 --cpus 1-4 -- \
		sh /put/fig7-domain.sh $domain_seed "$runs" "$at_least" $scenarios \
		>$tmp/$domain 2>&1 &
	eval "$domain=\$!"
done

# said DOMAIN TEXT: wait until it has, or is gone
said() {
	until grep -qsx "$2" "$tmp/$1"; do
		eval "kill -0 \$$1" 2>/dev/null || grep -qsx "$2" "$tmp/$1" || return 1
		sleep 0.05
	done
}

# place DOMAIN VCPU PCPU
place() {
	eval "$programs/move-vcpus place $2 $3 \$id_$1" || fail "vCPU $2 of $1 on pCPU $3"
}

for scenario in $scenarios; do
	said a "ready $scenario" && said b "ready $scenario" || break
	id_a=$(xl domid a) id_b=$(xl domid b)
	case $scenario in
	1 | 4) set -- 1 2 3 4 ;;
	2) set -- 1 2 3 4 ;;
	3) set -- 1 2 1 2 ;;
	esac
	place a 0 "$1"; place a 1 "$2"; place b 0 "$3"; place b 1 "$4"
	mover=
	if [ "$scenario" = 4 ]; then
		$programs/move-vcpus random "$seed" 1 4 2 60 "$id_a" "$id_b" >$tmp/moves &
		mover=$!
	fi
	xenstore-write "/local/domain/$id_a/data/go" "$scenario" "/local/domain/$id_b/data/go" "$scenario"
	said a "done $scenario status [0-9]*"
	said b "done $scenario status [0-9]*"
	xenstore-write "/local/domain/$id_a/data/over" "$scenario" "/local/domain/$id_b/data/over" "$scenario"
	if [ -n "$mover" ]; then
		kill $mover 2>/dev/null
		wait $mover
	fi

	# One line for each run and thread.
	for domain in a b; do
		sed -n "/^ready $scenario\$/,/^done $scenario /p" $tmp/$domain >$tmp/part
		# What its runs have in all, and the least that one run has of each move. Those
		# of vCPUs are the run's, the same in the lines of both threads.
		eval "$(awk '
			$1 == "run" {
				for (i = 5; i < NF; i += 2)
					if ($i == "off")
						off += $(i + 1) < 0 ? -$(i + 1) : $(i + 1)
					else
						sum[$i] += $(i + 1)
				moved[$2] += $(NF - 2)
				vcpus_moved[$2] = $NF
				lines++
			}
			END {
				for (run in moved) {
					if (least == "" || moved[run] < least) least = moved[run]
					if (vcpu_least == "" || vcpus_moved[run] < vcpu_least) vcpu_least = vcpus_moved[run]
				}
				for (what in sum) {
					name = what
					gsub("-", "_", name)
					printf "%s=%.0f ", name, sum[what]
				}
				printf "lines=%d off=%.0f least=%d vcpu_least=%d\n", lines, off, least, vcpu_least
			}' $tmp/part)"
		what="scenario $scenario, domain $domain, seed $seed"
		if grep -qx "done $scenario status 0" $tmp/part && [ "$lines" = $((2 * runs)) ] && [ "$off$wrong" = 00 ]; then
			pass "$what: difference 0 in $runs runs"
		else
			fail "$what: difference 0 in $runs runs" "$(cat $tmp/part)"
			continue
		fi
		diag "$windows windows, $instructions instructions, $cond_branches conditional branches, $loads loads, $stores stores"
		diag "$switches thread switches, vCPU switches before $stolen windows, $retried user-mode reads met a switch"
		[ "$scenario" != 4 ] || {
			between "$least" "$at_least" 1000000000 "$what: moves of threads seen in each run"
			between "$vcpu_least" "$at_least" 1000000000 "$what: moves of vCPUs seen in each run"
		}
	done
	[ -z "$mover" ] || {
		set -- $(cat $tmp/moves)
		between "$4" $((at_least * runs * 2)) 1000000000 "scenario 4, seed $seed: moves of vCPUs made by dom0"
	}
done
for domain in a b; do
	eval "wait \$$domain"
	status=$?
	[ $status = 0 ] && pass "domain $domain ended well" || fail "domain $domain ended well" "status $status" "$(tail -n 20 $tmp/$domain)"
done
xen_log_clean
rm -rf $tmp
done_testing
