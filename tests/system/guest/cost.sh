# SPDX-License-Identifier: GPL-2.0-or-later
# run: --icount --timeout 300
#
# What a read costs, by the ruler.

. /put/tap.sh
subtests /usr/lib/perfctr-tests/readcost 20 50
done_testing
