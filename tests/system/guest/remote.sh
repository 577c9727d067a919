# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --timeout 1200
#
# Counters of other threads and of whole vCPUs, by the device's own interface.

. /put/tap.sh
program=/usr/lib/perfctr-tests/remote-abi
subtests $program
# Each counter folded a thousand times a second: races with the timer.
check "rmmod: nothing has stayed behind" rmmod perfctr
check "insmod with fast folds" insmod /lib/perfctr.ko fold_ms=1
subtests $program cpus
kernel_log_clean
done_testing
