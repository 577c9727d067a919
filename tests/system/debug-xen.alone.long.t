#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What "make check" runs in Xen once more, or the tests named, in Xen's debug build: with its assertions. Not what is
# about costs, which are others there, nor what has no Xen, or more than one.

set -eu
cd "$(dirname "$0")/../.."
PERFCTR_XEN=$(tests/machine/build --print xen-debug)
export PERFCTR_XEN
[ $# -gt 0 ] || set -- $(ls tests/system/*.t | grep -Ev '\.long\.t$|/(cost|model|static|insmod)\.')
echo "1..$#"
n=0
tests/check "$@" | while read -r place name verdict of seconds rest; do
	case $place in
	\[*)
		n=$((n + 1))
		[ "$verdict" = ok ] || verdict="not ok"
		echo "$verdict $n - $name: $of tests, $seconds s"
		;;
	*) echo "# $place $name $verdict $of $seconds $rest" ;;
	esac
done
