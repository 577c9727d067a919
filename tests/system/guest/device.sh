# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --timeout 1200
#
# The device's own interface, word by word.

. /put/tap.sh
subtests /usr/lib/perfctr-tests/device-abi
subtests /usr/lib/perfctr-tests/device-abi module /lib/perfctr.ko
kernel_log_clean
done_testing
