# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in each of the two domains of fig7.sh: SEED RUNS MOVES SCENARIO...
# One program for each scenario, when dom0 has placed the vCPUs for it and says so.

seed=$1 runs=$2 moves=$3
shift 3
for scenario; do
	echo "ready $scenario"
	until [ "$(xenstore-read data/go 2>/dev/null)" = "$scenario" ]; do
		sleep 0.05
	done
	/usr/lib/perfctr-tests/fig7 "$scenario" "$seed" "$runs" "$moves"
	echo "done $scenario status $?"
	# The other domain may still need somebody to share pCPUs with.
	busy=
	case $scenario in
	3 | 4)
		for vcpu in 0 1; do
			while :; do :; done &
			busy="$busy $!"
		done
		;;
	esac
	until [ "$(xenstore-read data/over 2>/dev/null)" = "$scenario" ]; do
		sleep 0.05
	done
	[ -z "$busy" ] || kill $busy
done
