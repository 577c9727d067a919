# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 600 --xen-append sched=credit
#
# In dom0: two domains share pCPU 1 and spin; each reads by vperfctr_read_tsc()
# its own share of the ticks. The ruler: both write down, by RDTSC, when they ran
# and when not (programs/tsc-share.c). Where one's gap has the other's run in it,
# the pCPU changed hands twice, some instructions beside that run's ends; what is
# between the ends is nobody's for sure, so long slices (credit, 50 ms) keep it
# far below the 0.1 % that is allowed. All other gaps are the domain's own: its
# interrupts.

. /put/tap.sh
programs=/usr/lib/perfctr-tests
ticks=1500000000
tmp=$(mktemp -d)

/lab/toolstack || exit 125
check "dom0 stays on pCPU 0" xl vcpu-pin 0 0 0
check "slices of 50 ms" xl sched-credit -s -t 50
for domain in a b; do
	/lab/domu $domain --cpus 1 -- sh -c "
		echo ready
		until [ \"\$(xenstore-read data/go 2>/dev/null)\" = go ]; do sleep 0.05; done
		exec $programs/tsc-share $ticks" >$tmp/$domain 2>&1 &
	eval "$domain=\$!"
done
for domain in a b; do
	until grep -q ready $tmp/$domain; do
		eval "kill -0 \$$domain" 2>/dev/null || break
		sleep 0.05
	done
done
xenstore-write "/local/domain/$(xl domid a)/data/go" go "/local/domain/$(xl domid b)/data/go" go
wait $a; is $? 0 "domain a spun to its end"
wait $b; is $? 0 "domain b spun to its end"

# Runs of the domain in FILE: "begin end", as it saw them itself.
segments() {
	awk '$1 == "from" { at = $2; end = $4 }
		$1 == "gap" { printf "%.0f %.0f\n", at, $2; at = $3 }
		END { printf "%.0f %.0f\n", at, end }' $tmp/$1
}

share() { # OWN OTHER
	segments $2 >$tmp/other
	# low: what surely is its own; high: with all that lies between two runs
	eval "$(awk '
		FILENAME != ARGV[2] { from[n] = $1; to[n++] = $2; next }
		$1 == "virtual" { virtual = $2 }
		$1 == "from" { begin = $2; end = $4; low = high = end - begin }
		$1 == "gap" {
			first = last = 0
			for (i = 0; i < n; i++)
				if (from[i] >= $2 && to[i] <= $3) {
					if (!first) first = from[i]
					last = to[i]
				}
			if (first) { low -= $3 - $2; high -= last - first; switches++ }
		}
		END { printf "virtual=%.0f low=%.0f high=%.0f all=%.0f switches=%d\n", virtual, low, high, end - begin, switches }
		' $tmp/other $tmp/$1)"
	diag "domain $1: $all ticks, its own by the ruler $low to $high, by vperfctr_read_tsc $virtual; $switches times kept from running"
	between "$switches" 5 100000 "domain $1: times that it was kept from running"
	between $((high - low)) 0 $((low / 1000)) "domain $1: the ruler is certain to 0.1 %"
	between "$virtual" $((low - low / 1000)) $((low + low / 1000)) "domain $1: its own share within 0.1 % of the ruler's"
	is "$(sed -n 's/^back //p' $tmp/$1)" 0 "domain $1: its clock never went back"
}
share a b
share b a
rm -rf $tmp
done_testing
