# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 5400
#
# Runs in dom0: vCPUs of a domain go and come back, by its own kernel and by xl,
# while eight programs count on three of them; then the module is removed and loaded
# again and again meanwhile. Third argument "long": 50 rounds and not 5.

. /put/tap.sh
. /put/domains.sh
kind=$1
by_kernel=3 by_xl=2 modules=3
[ "$3" != long ] || by_kernel=30 by_xl=20 modules=20
tmp=$(mktemp -d)

begin guest "--type $kind --vcpus 3" instructions branches cond-branches stores \
	instructions@3 branches@2 cond-branches@1 instructions@2
tell guest "off_on $by_kernel 1 2"
is "$STATUS$OUT" 0 "$by_kernel times vCPUs 1 and 2 offline and online"
good=0
for i in $(seq $by_xl); do
	xl vcpu-set -i guest 1 && tell guest "vcpus 1" && [ "$STATUS$OUT" = 0 ] &&
		xl vcpu-set -i guest 3 && tell guest "vcpus 3" && [ "$STATUS$OUT" = 0 ] &&
		good=$((good + 1)) || diag "round $i: $OUT"
done
is $good $by_xl "$by_xl times xl vcpu-set to 1 and 3 vCPUs"
tell guest "rmmod perfctr"
match "$STATUS$OUT" '^1.*in use' "the module can't be removed while programs count"
tell guest stop_counting
tell guest "modules $modules 1 2"
is "$STATUS$OUT" 0 "$modules times insmod, count and rmmod while vCPUs go and come back"
finish guest 8
xen_log_clean
rm -rf "$tmp"
done_testing
