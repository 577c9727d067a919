# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --timeout 900
#
# What the library offers beside the calling thread's plain counters.

. /put/tap.sh
subtests /usr/lib/perfctr-tests/library
check "rmmod: nothing has stayed behind" rmmod perfctr
kernel_log_clean
done_testing
