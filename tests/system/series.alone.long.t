#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Each patch of the Xen series builds on its own, with Xen's assertions.

top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tests/system/guest/tap.sh"
cd "$top" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

source=$(tests/machine/build --print xen-source) || exit 1

check "a patched tree is made from the source package" xen-patches/tree "$source" "$work/xen"
cp -r xen-patches "$work/before"
check "refreshing the series from it changes nothing" sh -c '
	xen-patches/refresh "$1" && diff -r "$2" xen-patches' sh "$work/xen" "$work/before"
check "each patch builds" xen-patches/check --build "$source"
done_testing
