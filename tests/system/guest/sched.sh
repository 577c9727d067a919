# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs in dom0, for ../schedulers.long.t: a PV and a PVH domain count while they share two
# pCPUs under the scheduler that Xen was booted with; null has a pCPU for each vCPU.
#
#	SCHEDULER

. /put/tap.sh
. /put/domains.sh
scheduler=$1
tmp=$(mktemp -d)

is "$(xl info | sed -n 's/^xen_scheduler *: //p')" "$scheduler" "the scheduler is $scheduler"
if [ "$scheduler" = null ]; then
	one="--cpus 1" other="--type pvh --cpus 2"
else
	one="--vcpus 2 --cpus 1-2" other="--type pvh --vcpus 2 --cpus 1-2"
fi
begin one "$one" instructions branches
begin other "$other" branches instructions@2
sleep 15
finish one 2
finish other 2
xen_log_clean
rm -rf "$tmp"
done_testing
