# SPDX-License-Identifier: GPL-2.0-or-later
# run: --vcpus 2 --timeout 1200
#
# Rings of samples: what they may hold, and cost; and the module removed while it looks at programs
# that have been sampled.

. /put/tap.sh
programs=/usr/lib/perfctr-tests

chmod 666 /dev/perfctr
subtests $programs/rings
rounds=2
[ "$3" != long ] || rounds=3
subtests $programs/rings worker /lib/perfctr.ko $rounds
kernel_log_clean
done_testing
