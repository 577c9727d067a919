# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 900
#
# What the manual pages and libperfctr/examples show, as it is shown there: the
# programs count, and the wrapper for mpirun and SPEC CPU runs a real program.

. /put/tap.sh
programs=/usr/lib/perfctr-tests
examples=/usr/share/doc/perfex/examples
cd "$(mktemp -d)" || exit 1

# ran NAME PATTERN [ARGUMENT...]: an example ends well and prints that; leaves N1, N2, ...,
# the numbers that it has printed
ran() {
	name=$1
	pattern=$2
	shift 2
	try "$programs/example-$name" "$@"
	is "$STATUS$ERR" 0 "example $name"
	match "$OUT" "$pattern" "... prints what it should"
	# shellcheck disable=SC2046 # one word each
	set -- $(printf '%s\n' "$OUT" | tr -cs '0-9' ' ')
	N1=${1-} N2=${2-} N3=${3-}
}

# Their loops: i++, a compare and a jump, with i in memory, 10^6 times.
ran strerror '^this guest has counters$'
ran info '^(AMD|Intel) .*, [0-9]+ counters, TSC [0-9]+\.[0-9]{3} MHz, [0-9]+ CPUs, sampling: (yes|no)$'
ran abi '^the same$'
ran print '^cpu_type  .*\((AMD|Intel) .*\)$'
match "$OUT" '^cpus  *0.* \([0-9]+\)$' "... and the CPUs"
match "$OUT" '^entry 0  *counter 0, event select 0x004100c0$' "... and a control"
ran events '^0x00c0 [A-Z0-9]+_(INSTRUCTIONS_RETIRED|RETIRED_INSTRUCTIONS)$'
ran open '^created$'
is "$(printf '%s\n' "$OUT" | tail -n 1)" "there already" "... and what it should in its second line"
ran libperfctr '^[0-9]+ instructions$'
between "$N1" 3000000 8000100 "... instructions of a loop of a million"
loop=$N1
ran control '^user mode: [0-9]+ instructions'
between "$N1" "$((loop - 2000))" "$((loop + 2000))" "... once"
second=$(printf '%s\n' "$OUT" | sed -n 's/^twice: \([0-9]*\) .*/\1/p')
between "$second" "$((2 * loop - 4000))" "$((2 * loop + 4000))" "... and twice, with what was preserved"
ran read '^[0-9]+ instructions in [0-9.]+ s, and [0-9.]+ s of waiting$'
between "$N1" "$((loop - 2000))" "$((loop + 2000))" "... as many"
match "$OUT" 'event select 0x4100c0' "... and the control in force"
ran group '^event 0xc0: [0-9]+ counted in [0-9]+ %, about [0-9]+$'
match "$OUT" '^1 live, 1 ended$' "... of the child, too"
between "$(printf '%s\n' "$OUT" | sed -n '1s/.*about //p')" "$((5 * loop))" "$((15 * loop))" \
	"... an estimate of ten million rounds"
sh -c "while :; do :; done" &
spinner=$!
ran remote "^$spinner: [0-9]+ instructions, [0-9.]+ s\$" "$spinner"
between "$N2" 1000 1000000000000 "... the other process's"
kill "$spinner"
wait "$spinner" 2>/dev/null
ran named '^[0-9]+ instructions:u$'
between "$N1" "$((loop - 2000))" "$((loop + 2000))" "... as many, of an event by name"
match "$OUT" '^ +[0-9]+  branches:u$' "... in a table"
ran named-all '^2 members: [0-9]+ instructions in [0-9]+ cycles$'
between "$N2" "$loop" "$((100 * loop))" "... of parent and child"
ran list '^branches +branch instructions retired$'
ran region '^one: 1000 calls, [0-9.]+ s$'
# 900,000 more iterations
one=$(printf '%s\n' "$OUT" | sed -n 's/ *\([0-9]*\)  instructions:u$/\1/p' | head -n 1)
ten=$(printf '%s\n' "$OUT" | sed -n 's/ *\([0-9]*\)  instructions:u$/\1/p' | tail -n 1)
between "$((ten - one))" "$((loop / 10 * 9 - 2000))" "$((loop / 10 * 9 + 2000))" "... ten times the loop has $ten, once $one"
subtests "$programs/named"
ran whole '^[0-9]+ instructions in user mode, [0-9]+ in the kernel$'

# --- each of many ---
head -c 100000 "$programs/count" >data
bzip2 -k data
# As mpirun does it: the ranks at the same time, each with its number in the environment.
for rank in 0 1 2 3; do
	OMPI_COMM_WORLD_RANK=$rank $examples/perfex-each -e instructions bzip2 -kc data >"out.$rank" 2>"err.$rank" &
	ranks="$ranks $!"
done
bad=0
for rank in $ranks; do
	wait "$rank" || bad=$((bad + 1))
done
is "$bad" 0 "perfex-each: four ranks of bzip2"
is "$(cat err.?)" "" "... say nothing"
for rank in 0 1 2 3; do
	check "... rank $rank's result is bzip2's" cmp "out.$rank" data.bz2
	between "$(awk '$2 == "instructions" { print $1 }' perfex."$rank".*.txt)" 1000000 1000000000 "... with its counts"
done
is "$(ls perfex.*.txt | wc -l)" 4 "... four files"
rm perfex.*.txt

# --- SPEC CPU: the line of the configuration, with a command as the suite has them ---
submit=$(sed -n 's/^submit = //p' $examples/spec-cpu.cfg)
match "$submit" '^perfex-each .* \$command$' "spec-cpu.cfg: $submit"
command="bzip2 -kc data"
PATH=$examples:$PATH
export PATH SPECCOPYNUM=7
eval "$(printf '%s\n' "$submit" | sed "s/\\\$command/$command/") >spec.out 2>spec.err"
is "$?" 0 "... bzip2's status"
check "... its output" cmp spec.out data.bz2
is "$(cat spec.err)" "" "... and nothing else"
is "$(awk '$1 ~ /^[0-9]+$/ && $2 ~ /^(instructions|cycles|branches)$/ { print $2 }' perfex.7.*.txt | tr '\n' ' ')" "instructions cycles branches " \
	"... copy 7 has its counts"
mkdir elsewhere
try env PERFEX_DIR=elsewhere perfex-each false
is "$STATUS" 1 "perfex-each: a command that fails"
is "$(ls elsewhere | wc -l)" 1 "... PERFEX_DIR is where its counts are"
kernel_log_clean
done_testing
