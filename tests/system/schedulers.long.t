#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Counts under each of Xen's schedulers as that of the host (guest/sched.sh); pools.*.t
# has them in cpupools.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/guest/tap.sh"

for scheduler in credit credit2 rtds null; do
	diag "$scheduler"
	# Of a release build rtds and null are no part.
	subtests "$here/../machine/run" --cpu amd --guest dom0 --xen debug --smp 3 --timeout 900 \
		--xen-append "sched=$scheduler" --put "$here/guest" -- sh /put/sched.sh $scheduler
done
done_testing
