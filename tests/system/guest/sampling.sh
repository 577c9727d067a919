# SPDX-License-Identifier: GPL-2.0-or-later
# run: --icount --timeout 1200
#
# Overflows by the device's own interface: each where arithmetic says, each its thread's,
# by a ring and by signals; and a storm of them. Program "sampling" says how.

. /put/tap.sh
sampling=/usr/lib/perfctr-tests/sampling

# part NAME ARGUMENT...: its tests become ours
part() {
	part_name=$1
	shift
	$sampling "$@" >/tmp/part 2>&1
	part_status=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "$part_name: ${line#* - }" ;;
		"not ok "*) fail "$part_name: ${line#* - }" ;;
		1..*) ;;
		*) diag "$line" ;;
		esac
	done </tmp/part
	is $part_status 0 "$part_name: status"
}

part "10^5 over 2 x 10^7" ring 100000 10000000
part "an odd period" ring 12345 3000000
part "the shortest period" ring 1000 200000
part "one, right before the end" ring 1000000 500000
part "by signals" signal 100000 10000000
part "two periods" pair 5000000
part "nonsense" tail
part "what it leaves" left
part "Fig. 9" periods 4 300
part "storm" storm 8 500000
# Throttled: it would have been 8000 samples. Only where each CPU could take more than 1000 in
# 10 ms: not in Bochs, which runs Intel's PVH and HVM, nor in some debug builds.
read -r samples throttled us <<EOF
$(sed -n 's/^# \([0-9]*\) samples, \([0-9]*\) overflows throttled, \([0-9]*\) us$/\1 \2 \3/p' /tmp/part)
EOF
if [ "$throttled" = 0 ] && [ $((us * $(nproc) / 10)) -ge "$samples" ]; then
	diag "no storm: $samples samples in $us us"
else
	between "${throttled:-0}" 1 7999 "the storm was throttled, and its threads were told"
fi

# Nothing of it has stayed: not a masked interrupt, not a control.
for cpu in $(seq 0 $(($(nproc) - 1))); do
	taskset -c "$cpu" $sampling ring 10000 500000 >/tmp/part 2>&1
	is $? 0 "CPU $cpu samples after the storm"
done
check "the module can go" rmmod perfctr
done_testing
