# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 2 --icount --timeout 1200
#
# Runs in dom0 of two hosts, for ../hosts: a domain that counts is saved on one and
# restored on the other, whose PMU is the same or another one.
#
#	leave KIND | arrive KIND same|other
#
# The window's slots lie at the same place on all of them, where the domain knows them.

. /put/tap.sh
what=$1 kind=$2 pmu=$3

case $what in
leave)
	memory=
	[ "$kind" != pv ] || memory=--in-ram
	# Words: splitting is wanted.
	# shellcheck disable=SC2086
	/lab/domu moves --type "$kind" --vcpus 2 $memory -- sh /put/hosts-domain.sh >/tmp/out 2>&1 &
	domu=$!
	until grep -q "^counting" /tmp/out; do
		kill -0 $domu 2>/dev/null || break
		sleep 0.2
	done
	is "$(cat /tmp/out)" counting "the domain counts"
	cp /run/lab-slot-1/config /get/config
	[ "$kind" != hvm ] || cp /run/lab-slot-1/firmware /get/firmware
	check "it is saved" xl save moves /run/saved
	gzip -1 -c /run/saved >/get/saved.gz
	wait $domu
	;;
arrive)
	mkdir /run/lab-slot-1
	cp /put/config /put/firmware /run/lab-slot-1/ 2>/dev/null
	/lab/toolstack || exit 125
	gunzip -c /put/saved.gz >/run/saved
	{
		xl restore -F /run/lab-slot-1/config /run/saved >/tmp/said 2>&1
		: >/tmp/ended
	} &
	until id=$(xl domid moves 2>/dev/null) || [ -e /tmp/ended ]; do
		sleep 0.2
	done
	xenstore-write "/local/domain/$id/data/go" "$pmu"
	mailbox follow 1 /tmp/get /tmp/ended >/tmp/out 2>/tmp/err
	is $? 0 "the domain, restored, runs to its end"
	diag "$(cat /tmp/out)"
	[ ! -s /tmp/err ] || diag "$(cat /tmp/err /tmp/said)"
	exact=$(awk '$1 == "total" && $2 == $4 && $6 == $8 && $10 == 0 && $6 > 10 { print $2 }' /tmp/out)
	between "${exact:-0}" 1 1000000000000000 "it counted exactly in each measurement, to the end"
	said=$(grep -E "^(steady|revoked|count|hotplug|module|lost|refused) " /tmp/out | tr '\n' ';')
	if [ "$pmu" = same ]; then
		is "$said" "steady 0;revoked 143;count 0;" "counting never ended"
		is "$(grep perfctr: /tmp/out)" "" "its kernel has nothing to say of that"
	else
		is "$said" "steady 1;revoked 143;hotplug 1;module 0;lost ENODEV;refused ENODEV;count 0;" \
			"counting has ended, by an error that says so; the module loaded again counts"
		last=$(sed -n 's/^counting ended: ENODEV, last //p' /tmp/out)
		between "${last:-0}" "${exact:-1}" 1000000000000000 "what was counted until then is still there"
		is "$(grep -c 'perfctr: this host has another PMU' /tmp/out)" 1 "its kernel says why"
	fi
	xen_log_clean
	;;
esac
done_testing
