# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 1200 --xen-append sched=credit
#
# In dom0: two domains share pCPU 1 and spin; each reads by vperfctr_read_tsc()
# its own share of the ticks. The ruler: both write down, by RDTSC, when they ran
# and when not (programs/tsc-share.c). Where one's gap has the other's run in it,
# the pCPU changed hands twice: when the gap began, and when the other's last run
# in it ended, because Xen's timer ends a slice in the middle of the spinning.
# (What the domain's kernel then does, before its thread goes on, is the thread's
# own time.) Only Xen's way from one to the other is nobody's for sure; slices of
# 50 ms keep it far below the 0.1 % that is allowed. All other gaps are the
# domain's own: its interrupts.
#
# One more thing makes gaps: under --icount one pCPU executes at a time, and what
# pCPU 0 does in between passes on both. That is time of whoever has pCPU 1, who
# does not see it; at the end of a slice the ruler gives it to the wrong one. The
# ruler knows from the length of the change that it does not know, and then all
# is measured once more. dom0 has nothing to do meanwhile, so that is rare.

. /put/tap.sh
programs=/usr/lib/perfctr-tests
ticks=1200000000
tmp=$(mktemp -d)

/lab/toolstack || exit 125
check "dom0 stays on pCPU 0" xl vcpu-pin 0 0 0
check "slices of 50 ms" xl sched-credit -s -t 50

measure() {
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
	xenstore-write "/local/domain/$(xl domid a)/data/go" go \
		"/local/domain/$(xl domid b)/data/go" go
	wait $a; spun_a=$?
	wait $b; spun_b=$?
}

# Runs of a domain: "begin end", as it saw them itself.
segments() {
	awk '$1 == "spun" { at = $2; end = $3 }
		$1 == "gap" { printf "%.0f %.0f\n", at, $2; at = $3 }
		END { printf "%.0f %.0f\n", at, end }' "$tmp/$1"
}

# Sets what the ruler and the domain itself say of its share; "unclear" is how
# many of these ticks may be the other's.
share() { # OWN OTHER
	segments "$2" >"$tmp/other"
	eval "$(awk '
		FILENAME == ARGV[1] { begun[n] = $1; ended[n++] = $2; next }
		$1 == "virtual" { virtual = $2 }
		$1 == "from" { from = $2; to = $4; own = to - from }
		$1 == "gap" {
			first = last = 0
			for (i = 0; i < n; i++)
				if (begun[i] >= $2 && ended[i] <= $3) {
					if (!last)
						first = begun[i]
					last = ended[i]
				}
			if (!last || last <= from || $2 >= to)
				next
			own -= (last < to ? last : to) - ($2 > from ? $2 : from)
			unclear += (first - $2) + ($3 - last)
			switches++
		}
		END { printf "virtual=%.0f own=%.0f all=%.0f switches=%d unclear=%.0f\n", virtual, own, to - from, switches, unclear }
		' "$tmp/other" "$tmp/$1")"
}

judge() { # OWN OTHER
	share "$1" "$2"
	diag "domain $1: of $all ticks $own were its own by the ruler ($unclear not clear), $virtual by vperfctr_read_tsc; $switches times kept from running"
	between "$switches" 5 100000 "domain $1: times that it was kept from running"
	between "$own" $((all / 4)) $((all * 3 / 4)) "domain $1: the other had its share"
	between "$virtual" $((own - own / 1000)) $((own + own / 1000)) "domain $1: its own share within 0.1 % of the ruler's"
	is "$(sed -n 's/^back //p' "$tmp/$1")" 0 "domain $1: its clock never went back"
}

# A change of hands takes some 13,000 ticks, and there are some 24.
for try in 1 2 3; do
	measure
	share a b
	[ "$unclear" -gt $((own / 1000)) ] || break
	diag "measured again: whose $unclear of $all ticks were is not clear"
done
is $spun_a 0 "domain a spun to its end"
is $spun_b 0 "domain b spun to its end"
between "$unclear" 1 $((own / 1000)) "the ruler knows whose all but 0.1 % of the ticks were"
judge a b
judge b a
rm -rf $tmp
done_testing
