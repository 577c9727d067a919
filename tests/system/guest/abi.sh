# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --icount --timeout 1800
#
# Those of the other scripts that want two vCPUs, one after the other in one guest: with icount, so that the
# host's load changes nothing. As *.alone.long.t each runs with one thread of the host per CPU.

. /put/tap.sh
# What is the same for all kinds of guests is not run for dom0, too.
case $1 in
dom0) names="library device" ;;
*) names="library device module remote" ;;
esac
for name in $names; do
	[ -e /dev/perfctr ] || check "insmod for $name" insmod /lib/perfctr.ko
	start=$(date +%s)
	subtests sh "/put/$name.sh" "$@"
	diag "$name: $(($(date +%s) - start)) s"
done
done_testing
