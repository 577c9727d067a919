# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 900 --vcpus 2
#
# The module's life: refused while in use, gone when not, and nothing in the log.

. /put/tap.sh
programs=/usr/lib/perfctr-tests

users() { awk '$1 == "perfctr" { print $3 }' /proc/modules; }

# A program that counts holds the module.
perfex -e instructions -o /dev/null sleep 1000 &
perfex=$!
until child=$(pidof sleep) || ! kill -0 $perfex; do sleep 0.2; done
[ "$(users)" -gt 0 ] && pass "a counting program uses the module" || fail "a counting program uses the module"
try rmmod perfctr
[ "$STATUS" -ne 0 ] && pass "rmmod is refused while a program counts" || fail "rmmod is refused while a program counts"
kill -KILL "$child"
wait $perfex
is $? 137 "perfex reports the signal that ended its command"
check "after SIGKILL rmmod succeeds" rmmod perfctr
[ -e /dev/perfctr ] && fail "the device is gone" || pass "the device is gone"

# A program that counts itself and is killed: no perfex between.
check "insmod again" insmod /lib/perfctr.ko
$programs/spin >/dev/null &
self=$!
until [ "$(users)" -gt 0 ] || ! kill -0 $self; do sleep 0.2; done
try rmmod perfctr
[ "$STATUS" -ne 0 ] && pass "rmmod is refused while a program counts itself" ||
	fail "rmmod is refused while a program counts itself"
kill -KILL $self
wait $self
check "after SIGKILL rmmod succeeds" rmmod perfctr

# perfex killed, its command goes on counting; then it ends too.
check "insmod again" insmod /lib/perfctr.ko
perfex -e instructions -o /dev/null sleep 3 &
perfex=$!
until pidof sleep >/dev/null || ! kill -0 $perfex; do sleep 0.1; done
kill -KILL $perfex
wait $perfex 2>/dev/null
while pidof sleep >/dev/null; do sleep 0.2; done
check "perfex killed first: rmmod succeeds when its command has ended" rmmod perfctr

# Again and again, with counts in between.
good=0
for i in 1 2 3 4 5 6 7 8 9 10; do
	insmod /lib/perfctr.ko && perfex -o /dev/null true && rmmod perfctr && good=$((good + 1))
done
is $good 10 "ten times insmod, count, rmmod"

kernel_log_clean
done_testing
