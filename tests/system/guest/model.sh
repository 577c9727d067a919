# SPDX-License-Identifier: GPL-2.0-or-later
# run: --no-module
#
# The machine's PMU, without Xen, measured by the kernel's own perf: programs of
# known counts are exact.

. /put/tap.sh
subtests /usr/lib/perfctr-tests/native-perf
kernel_log_clean
done_testing
