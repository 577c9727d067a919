# SPDX-License-Identifier: GPL-2.0-or-later
#
# guest.sh none|ours|perf [domU]: in dom0, with one physical CPU, what "costs" measures in
# dom0, and with "domU" in a domU, and in dom0 while that domU contends for the PMU.
# Prints a line "== WHERE" before the lines of each.

way=$1
costs=/usr/lib/perfctr-tests/costs
modprobe xen-privcmd || exit 1

echo "== dom0"
$costs "$way" || exit 1
[ "${2-}" = domU ] || exit 0

echo "== domU"
said=/run/domu-said
/lab/domu counting -- sh -c "$costs $way && exec $costs $way spin" >$said 2>&1 &
domu=$!
until grep -q '^spinning' $said; do
	kill -0 $domu 2>/dev/null || { cat $said >&2; exit 1; }
	sleep 0.5
done
grep -v '^spinning' $said

echo "== contended"
$costs "$way" sleep || exit 1
xl destroy counting
# It was killed, and says so.
wait $domu
exit 0
