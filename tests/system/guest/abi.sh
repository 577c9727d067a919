# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --icount --timeout 1800
#
# Those of the other scripts that want two vCPUs, one after the other in one guest: with icount, so that the
# host's load changes nothing. As *.alone.long.t each runs with one thread of the host per CPU.

. /put/tap.sh
for name in library device module remote; do
	[ -e /dev/perfctr ] || check "insmod for $name" insmod /lib/perfctr.ko
	start=$(date +%s)
	subtests sh "/put/$name.sh" "$@"
	diag "$name: $(($(date +%s) - start)) s"
done
done_testing
