# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 4 --icount --timeout 1200
#
# Counts of groups: a fork tree, threads that end in random order, chains of exec,
# a thread that executes a program, and processes killed while they count.

. /put/tap.sh
subtests /usr/lib/perfctr-tests/groups 1 2 3
kernel_log_clean
done_testing
