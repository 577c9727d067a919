# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --icount --shift 1 --timeout 7200 --mem-domus 1536 --domu=--mem=640
# kernel: debug
#
# What the module does, and what it does without memory, in a kernel with KASAN, lockdep,
# PROVE_RCU, debug objects and kmemleak (tests/debug-kernel). In the end these have to notice
# what is wrong.
#
#	GUEST CPU [long [NAMES]]

. /put/tap.sh
names=${4-module device library remote sampling rings fault storm}
[ -e $LEAKS ] || mount -t debugfs none /sys/kernel/debug

# checkers WHEN: they are on
checkers() {
	match "$(cat /proc/lockdep_stats)" 'debug_locks: +1$' "$1: lockdep is on"
	check "$1: so is kmemleak" sh -c "echo scan >$LEAKS"
}

if [ "$1" = pv ]; then
	# A warning of Linux's own that comes once: an idle PV vCPU goes offline with another
	# program's page tables.
	echo 0 >/sys/devices/system/cpu/cpu1/online
	echo 1 >/sys/devices/system/cpu/cpu1/online
	dmesg -C
fi
kernel_log_clean
checkers "first"
leaks_forget
for name in $names; do
	[ -e /dev/perfctr ] || check "insmod for $name" insmod /lib/perfctr.ko
	start=$(date +%s)
	case $name in
	storm) subtests sh /put/storm.sh "$1" "$2" "" 1 3000 ;;
	*) subtests sh "/put/$name.sh" "$1" "$2" ;;
	esac
	diag "$name: $(($(date +%s) - start)) s"
	kernel_log_clean
done
[ ! -e /dev/perfctr ] || check "rmmod" rmmod perfctr
is "$(leaks)" "" "no memory has leaked"
checkers "in the end"

# noticed WHAT PATTERN
noticed() {
	dmesg -C
	insmod /lib/wrong.ko what="$1" 2>/dev/null
	match "$(dmesg)" "$2" "noticed: $1"
}
insmod /lib/wrong.ko what=leak 2>/dev/null
match "$(leaks)" 'unreferenced object .*size 256' "noticed: leak"
noticed sleep 'BUG: sleeping function called from invalid context'
noticed timer 'ODEBUG: free active'
noticed rcu 'suspicious RCU usage'
# These turn lockdep off.
noticed lock-order 'possible circular locking dependency'
# Linux has no KASAN where it is a PV guest.
[ "$1" = pv ] || noticed use-after-free 'BUG: KASAN: .*use-after-free'
done_testing
