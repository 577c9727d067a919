# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 5400 --xen-append conring_size=1M
#
# Runs in dom0: domains that count crash or are destroyed, while another counts on. Xen
# must have all that was theirs back. Third argument "long": ten times each.

. /put/tap.sh
. /put/domains.sh
kind=$1
times=1
[ "$3" != long ] || times=10
tmp=$(mktemp -d)

# die crash|destroy: a domain begins to count and ends in this way
die() {
	begin dies "--type $kind --vcpus 4" instructions branches cond-branches
	if [ "$1" = crash ]; then
		# The machine would fail where a console says that a kernel panicked.
		go dies "echo 0 >/proc/sys/kernel/printk; echo c >/proc/sysrq-trigger"
	else
		xl destroy dies
	fi
	wait "$pid_dies"
}

# Pages that Xen has not given to anybody
free_pages() {
	# What a domain had is scrubbed and freed in the background.
	sleep 1
	xl debug-keys H
	xl dmesg | awk '/dumping heap info/ { sum = 0 } /heap\[node=/ { sum += $(NF - 1) } END { print sum }'
}

begin stays "" instructions branches
# Xen's and dom0's own caches have grown by then.
die crash
die destroy
before=$(free_pages)
for how in crash destroy; do
	for i in $(seq $times); do
		die $how
	done
	pass "$times domains: $how"
done
after=$(free_pages)
is "$(xl list | awk 'NR > 1 { print $1 }' | sort | tr '\n' ' ')" "Domain-0 stays " "only dom0 and the other domain are left"
# What Xen needs for the counters of four vCPUs fills a page.
diag "free pages: $before before, $after after"
between $((before - after)) -100000 $times "pages that Xen misses"
finish stays 2
xen_log_clean
rm -rf "$tmp"
done_testing
