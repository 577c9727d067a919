# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --icount --timeout 3600 --mem-domus 1536 --domu=--mem=640
#
# Users that misuse the device at random, from many threads that are killed, exit and execute
# meanwhile (programs/storm.c), without any right; beside them a program counts exactly. Nothing
# may stay behind.
#
#	GUEST CPU [long [SEED [ROUNDS]]]

. /put/tap.sh
programs=/usr/lib/perfctr-tests
long=$3 seed=${4:-1} rounds=${5:-20000}
[ "$long" != long ] || rounds=${5:-1000000}
tmp=$(mktemp -d)

chmod 666 /dev/perfctr
[ ! -e $LEAKS ] || leaks_forget
$programs/forever-until 1000000 -e instructions >"$tmp/steady" 2>&1 &
steady=$!
try setpriv --reuid 1234 --regid 1234 --clear-groups $programs/storm "$seed" "$rounds"
is "$STATUS" 0 "$rounds rounds: no error that the header does not have, and counters in the end"
[ "$STATUS" = 0 ] || diag "$(echo "$OUT" | sort | uniq -c | sort -rn | head -n 20)" "$ERR"
diag "$(echo "$OUT" | grep ^calls)"
set -- $(echo "$OUT" | sed -n 's/^calls \([0-9]*\) failed \([0-9]*\) .* overflows \([0-9]*\) .*/\1 \2 \3/p')
between "$1" $((rounds / 4)) 1000000000 "calls"
between "$((${1:-0} - ${2:-0}))" $((rounds / 100)) 1000000000 "of them with success"
between "$3" 10 1000000000 "signals of overflows, most never resumed"
kill $steady
wait $steady
is $? 0 "the steady program counted to its end"
forever_exact "$tmp/steady" "beside the storm" 10
check "rmmod: nothing has stayed behind" rmmod perfctr
[ ! -e $LEAKS ] || is "$(leaks)" "" "no memory has leaked"
kernel_log_clean
rm -rf "$tmp"
done_testing
