#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bochs under tests/machine/run: what is refused, and a PVH guest on VMX. In that, Linux's own
# perf on the vPMU of upstream's Xen is exact for programs of known counts, natively too.

cd "$(dirname "$0")/../../.." || exit 1
bochs=$(tests/machine/bochs/have) || {
	echo "$bochs"
	exit 0
}
run=tests/machine/run
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0

ok() {
	n=$((n + 1))
	name=$1
	shift
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$work/out" "$work/err"
	fi
}

refused() {
	$run "$@" -- true >"$work/out" 2>"$work/err"
	[ $? = 125 ] && grep -q "$why" "$work/err"
}

why='has one CPU'
ok "more than one CPU is refused" refused --cpu intel --guest pvh --vcpus 2
ok "also physically" refused --cpu intel --guest hvm --smp 2
why='is of QEMU'
ok "--icount is refused" refused --machine bochs --icount
why='Intel processor only'
ok "AMD is refused" refused --machine bochs --cpu amd
why='no VMX'
ok "QEMU has no VMX" refused --machine qemu --cpu intel --guest pvh

# exact PROGRAM-OUTPUT: TAP of native-perf without a failure
exact() {
	[ "$status" = 0 ] && grep -q '^ok' "$work/out" && ! grep -q '^not ok' "$work/out"
}

mkdir -p "$work/put"
echo put >"$work/put/file"
program='cat /put/file >&2; cp /put/file /get; /usr/lib/perfctr-tests/native-perf; status=$?
	grep -c vmx /proc/cpuinfo >/get/vmx; exit $((status ? status : 42))'
for guest in native pvh; do
	$run --machine bochs --guest $guest --xen stock --no-module --timeout 600 --put "$work/put" \
		--get "$work/get-$guest" -- sh -c "$program" >"$work/out" 2>"$work/err"
	status=$?
	ok "$guest: exit status" test $status = 42
	status=0
	ok "$guest: Linux's perf is exact" exact
	ok "$guest: standard error" test "$(cat "$work/err")" = put
	ok "$guest: /put, /get" test "$(cat "$work/get-$guest/file")" = put
done

$run --machine bochs --timeout 300 --no-module -- sh -c 'echo c >/proc/sysrq-trigger' \
	>"$work/out" 2>"$work/err"
ok "a panic gives 125" test $? = 125
ok "with the kernel's words" grep -q 'Kernel panic' "$work/err"
$run --machine bochs --timeout 5 --no-module -- true >"$work/out" 2>"$work/err"
ok "time limit gives 124" test $? = 124
PERFCTR_BOCHS=/nowhere $run --machine bochs --no-module -- true >"$work/out" 2>"$work/err"
ok "no Bochs gives 125" test $? = 125
echo "1..$n"
