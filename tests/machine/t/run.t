#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests of tests/machine/run itself; prove tests/machine/t. LAB_GUESTS (default
# "native dom0 pv pvh hvm") chooses the guests, LAB_XEN the hypervisor under them
# (default stock, so that they need none of our patches).

cd "$(dirname "$0")/../../.." || exit 1
run=tests/machine/run
guests=${LAB_GUESTS:-native dom0 pv pvh hvm}
xen=${LAB_XEN:-stock}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0

# Of our own, so that the newest is of the last run even if other tests run too.
PERFCTR_LOGS=$work/logs
export PERFCTR_LOGS

# ok NAME COMMAND...: one TAP line, whether the command succeeds
ok() {
	n=$((n + 1))
	name=$1
	shift
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
	fi
}

lab() {
	guest=$1 cpu=intel
	shift
	case $guest in
	pvh | hvm) cpu=amd ;;
	esac
	$run --cpu $cpu --guest "$guest" --xen "$xen" --no-module --timeout 900 "$@"
}

# The parts are built first, so that no time limit below includes that.
ok "the parts are built" tests/machine/build qemu image initrd "xen-$xen"

# All byte values, much more than one pipe or page holds, no newline at the end.
mkdir "$work/put" "$work/put/sub dir"
perl -e 'print map(chr, 0 .. 255) x 4096, "end"' >"$work/put/bytes"
echo '#!/bin/sh' >"$work/put/sub dir/script"
echo 'echo from the script; cat' >>"$work/put/sub dir/script"
chmod 755 "$work/put/sub dir/script"

for guest in $guests; do
	lab "$guest" --put "$work/put" --get "$work/get-$guest" -- sh -c '
		cat /put/bytes
		tr "\000-\377" "\001-\377\000" </put/bytes >&2
		mkdir -p "/get/a b"
		"/put/sub dir/script" >"/get/a b/c"
		ln -s "a b/c" /get/link
		cp /put/bytes /get
		exit 42' >"$work/out" 2>"$work/err"
	ok "$guest: exit status" test $? = 42
	ok "$guest: standard output, byte for byte" cmp "$work/out" "$work/put/bytes"
	tr '\000-\377' '\001-\377\000' <"$work/put/bytes" >"$work/want"
	ok "$guest: standard error, byte for byte" cmp "$work/err" "$work/want"
	ok "$guest: /get" cmp "$work/get-$guest/bytes" "$work/put/bytes"
	ok "$guest: a link, and a script from /put" \
		test "$(cat "$work/get-$guest/link")" = "from the script"
done

set -- $guests
lab "$1" -- no-such-command 2>"$work/err"
ok "a command that is not there gives 127" test $? = 127
lab "$1" -- sh -c 'kill -SEGV $$'
ok "a command killed by a signal gives 128 + its number" test $? = 139
ok "arguments arrive as they are" \
	test "$(lab "$1" -- printf '[%s]' 'a b' '' "it's" '$x' '--' '\\')" = "[a b][][it's][\$x][--][\\\\]"

lab "$1" --timeout 30 -- sh -c 'echo before; sleep 1000' >"$work/out" 2>"$work/err"
ok "time limit gives 124" test $? = 124
ok "what came before it is not lost" test "$(cat "$work/out")" = before
ok "the log is named" grep -q 'last lines of .*console.log' "$work/err"

begin=$(date +%s)
lab "$1" -- sh -c 'echo c >/proc/sysrq-trigger' 2>"$work/err"
ok "a guest's panic gives 125" test $? = 125
ok "at once" test $(($(date +%s) - begin)) -lt 200
ok "with the kernel's words" grep -q 'Kernel panic' "$work/err"
PERFCTR_QEMU=/bin/false lab "$1" -- true 2>"$work/err"
ok "QEMU's end gives 125" test $? = 125

ok "another processor" test "$(lab "$1" --cpu intel --cpu-model Nehalem -- grep -m 1 '^model' /proc/cpuinfo | tr -d '[:space:]')" = model:26
lab "$1" --cpu intel --cpu-model phenom -- true 2>"$work/err"
ok "not another vendor's" test $? = 125

lab "$1" -- sh -c 'sleep 3; echo one' >"$work/one" &
lab "$1" -- sh -c 'sleep 3; echo two' >"$work/two"
wait $!
ok "two at once" test "$(cat "$work/one" "$work/two")" = "one
two"

# What the guest sees of time and of chance, and its interrupts.
for seed in 1 1 2; do
	lab "$1" --icount --seed $seed -- sh -c 'cat /proc/uptime /proc/interrupts
		head -c 16 /dev/urandom | od -An -tx1' >>"$work/same-$seed" 2>/dev/null
	md5sum <"$(ls -td "$PERFCTR_LOGS"/*-"$1"-* | head -n 1)/console.log" >>"$work/log-$seed"
done
size=$(($(wc -c <"$work/same-1") / 2))
head -c $size "$work/same-1" >"$work/first"
tail -c +$((size + 1)) "$work/same-1" >"$work/second"
ok "--icount: the same run twice" cmp "$work/first" "$work/second"
ok "--icount: the same log twice" test "$(uniq "$work/log-1" | wc -l)" = 1
ok "--icount: another run with another seed" test -n "$(cmp "$work/first" "$work/same-2")"

case " $guests " in
*" dom0 "*)
	lab dom0 --smp 2 -- sh -c '
		/lab/domu one --cpus 1 --no-module -- sh -c "echo one; exit 1" >/tmp/1 & a=$!
		/lab/domu two --cpus 1 --no-module -- sh -c "echo two; exit 2" >/tmp/2 & b=$!
		wait $a; s=$?; wait $b; s=$((10 * s + $?)); cat /tmp/1 /tmp/2; exit $s' >"$work/out" 2>"$work/err"
	ok "two domUs on one CPU: status" test $? = 12
	ok "two domUs on one CPU: output" test "$(cat "$work/out")" = "one
two"
	;;
esac

case " $guests " in
*" pvh "*)
	# Domains of all types at once, under a dom0 that is no PV guest itself. Each kind of
	# guest is asked what it is.
	lab dom0 --cpu amd --dom0 pvh -- sh -c '
		cat /sys/hypervisor/guest_type
		for type in pv pvh hvm; do
			/lab/domu $type --type $type -- cat /sys/hypervisor/guest_type >/tmp/$type &
			all="$all $!"
		done
		for one in $all; do wait $one || exit 1; done
		cat /tmp/pv /tmp/pvh /tmp/hvm' >"$work/out" 2>"$work/err"
	ok "domUs of all types under a PVH dom0: status" test $? = 0
	ok "domUs of all types under a PVH dom0: types" test "$(echo $(cat "$work/out"))" = "PVH PV PVH HVM"
	;;
esac

echo "1..$n"
