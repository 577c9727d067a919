# SPDX-License-Identifier: GPL-2.0-or-later
# run: --icount --timeout 900
#
# A program that counts itself: two reads around code of known counts. The
# least of 100 repetitions is what the code does plus one constant, the same for
# all lengths; a long loop is exact, too, whatever the ticks of a PV kernel that runs
# in ring 3 as well. Time is the number of instructions here, so every run is
# the same.

. /put/tap.sh
cpu=$2
programs=/usr/lib/perfctr-tests

exact() { # EVENT REGION
	try $programs/self-count -e "$1" 100 "$2"
	constants=$(printf '%s\n' "$OUT" | awk '$1 ~ /^[0-9]+$/ { print $4 }' | sort -u)
	lengths=$(printf '%s\n' "$OUT" | awk '$1 ~ /^[0-9]+$/' | wc -l)
	if [ "$STATUS" = 0 ] && [ "$lengths" = 4 ] && [ "$(echo $constants | wc -w)" = 1 ]; then
		pass "$1 of $2, 10^3 to 10^6 instructions: known count plus $constants"
	else
		fail "$1 of $2, 10^3 to 10^6 instructions" "$OUT" "$ERR"
	fi
}

exact instructions loop
[ "$cpu" = intel ] && exact instructions@fixed0 loop
for counter in 1 2 3; do
	exact instructions@$counter loop
done
if [ "$cpu" = amd ]; then
	exact instructions@4 loop
	exact instructions@5 loop
fi
for event in branches cond-branches; do
	exact $event loop
	exact $event branches
done
exact instructions calls
exact branches calls
exact loads loads
exact stores stores
exact instructions rep

# 10^8 instructions: two an iteration.
try $programs/loop 50000000
count=${OUT% *}
wanted=${OUT#* }
[ "$wanted" -ge 100000000 ] || fail "the long loop is long" "$OUT $ERR"
is "$count" "$wanted" "a loop of $wanted instructions: difference 0"

kernel_log_clean
done_testing
