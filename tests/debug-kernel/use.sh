# SPDX-License-Identifier: GPL-2.0-or-later
#
# For in-guest, which has set $here and $kind: tests/machine/run takes the debug kernel, with modules built for it.

build=$here/../machine/build
# Linux has no KASAN where it is a PV guest; and domains need a dom0 with the same kernel.
case $kind in
pvhdom0 | native) debug=debug ;;
*) debug=debug-pv ;;
esac
PERFCTR_IMAGE=$("$build" --print image-$debug)
PERFCTR_INITRD=$("$build" --print initrd-$debug)
PERFCTR_GUEST=$here/../../build/$debug/guest
export PERFCTR_IMAGE PERFCTR_INITRD PERFCTR_GUEST
# One at a time: two tests share what is built.
flock "$here/../../build/$debug.lock" make -s -C "$here/../debug-kernel" \
	KDIR="$PERFCTR_IMAGE/build" DIR="$here/../../build/$debug" >"$here/../../build/$debug.log" 2>&1 || {
	echo "Bail out! the modules were not built for the debug kernel: build/$debug.log"
	exit 1
}
