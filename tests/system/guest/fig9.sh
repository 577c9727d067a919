# SPDX-License-Identifier: GPL-2.0-or-later
# run: --smp 5 --icount --timeout 2400 --xen-append dom0_vcpus_pin
#
# The paper's Fig. 9, in dom0: four threads sample cycles, 300 periods each. On a pCPU for each;
# on one vCPU, whose pCPU is another domain's, too, with as many (two vCPUs there would wait for
# each other in loops of PAUSE, which take an emulator minutes); and with vCPUs that are moved over
# pCPUs, and threads over vCPUs, at random. pCPU 0 is dom0's.
#
#	KIND CPU [long [SEED]]

. /put/tap.sh
programs=/usr/lib/perfctr-tests
kind=$1 seed=${4:-1}
tmp=$(mktemp -d)

# begin DOMAIN VCPUS PIN: "sampling periods" in it, when all of the scenario are there
begin() {
	/lab/domu "$1" --type "$kind" --vcpus "$2" --cpus "$3" -- sh -c "
		echo ready
		until xenstore-read data/go >/dev/null 2>&1; do sleep 0.05; done
		$programs/sampling periods 4 300" >"$tmp/$1" 2>&1 &
	eval "pid_$1=\$!"
	until grep -qsx ready "$tmp/$1"; do
		kill -0 $! 2>/dev/null || break
		sleep 0.1
	done
	eval "id_$1=\$(xl domid $1)"
}

go() {
	for id; do
		xenstore-write "/local/domain/$id/data/go" 1
	done
}

# result SCENARIO DOMAIN: its tests become ours
result() {
	eval "wait \$pid_$2"
	is $? 0 "$1, domain $2: ended well"
	is "$(grep -cE '^(not )?ok ' "$tmp/$2")" 20 "$1, domain $2: tests"
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "$1, domain $2: ${line#* - }" ;;
		"not ok "*) fail "$1, domain $2: ${line#* - }" ;;
		"#"*) diag "${line#\# }" ;;
		esac
	done <"$tmp/$2"
}

/lab/toolstack || exit 125

begin a 4 1-4
for n in 0 1 2 3; do
	check "vCPU $n alone on its pCPU" xl vcpu-pin a $n $((n + 1))
done
go "$id_a"
result dedicated a

begin b 1 1
begin c 1 1
go "$id_b" "$id_c"
result shared b
result shared c

begin d 2 1-4
begin e 2 1-4
$programs/move-vcpus random "$seed" 1 4 2 60 "$id_d" "$id_e" >"$tmp/moves" &
mover=$!
go "$id_d" "$id_e"
result moved d
result moved e
kill $mover 2>/dev/null
wait $mover
set -- $(cat "$tmp/moves")
diag "$*"
between "${4:-0}" 20 1000000000 "vCPUs were moved"
xen_log_clean
rm -rf "$tmp"
done_testing
