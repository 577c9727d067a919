# SPDX-License-Identifier: GPL-2.0-or-later
# run: --timeout 1800
#
# perfex's options beyond a command and its sums: several runs, formats for
# programs, intervals, delay and timeout, running processes, metrics, groups,
# and what there is to count.  perfex.sh has the rest.

. /put/tap.sh
guest=$1 cpu=$2
known=/usr/lib/perfctr-tests/known
family=/usr/lib/perfctr-tests/family
cd "$(mktemp -d)" || exit 1
chmod 755 .

# counted FILE NAME: the count of the event (or tsc, stolen) of that name
counted() {
	awk -v name="$2" '$1 ~ /^[~0-9]/ && $2 == name { print $1; exit }' "$1"
}

# Without address space randomization, on which the C library's start depends.
exactly() {
	setarch -R perfex "$@"
}

# json EXPRESSION <FILE: of the list "lines" of all objects
json() {
	python3 -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin]
events = {event["name"]: event for event in lines[-1]["events"]}
print(eval(sys.argv[1]))' "$1"
}

# csv EXPRESSION <FILE: of the list "rows", and "total" by name
csv() {
	python3 -c 'import csv, sys
rows = list(csv.DictReader(sys.stdin))
total = {row["name"]: row for row in rows if not row["time"] and not row["tid"]}
print(eval(sys.argv[1]))' "$1"
}

# until_is COMMAND...: waits until it succeeds
until_is() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}

few=100000 many=300000

# --- several runs ---
exactly -r 4 -e instructions,branches -o counts sh -c "echo x >>ran; exec $known branches $few" >/dev/null
is "$(wc -l <ran)" 4 "-r 4 runs it four times"
exactly -e branches -o once sh -c "echo x >>ran; exec $known branches $few" >/dev/null
between "$(counted counts branches)" $few $((few + 300000)) "... the count is the mean"
match "$(cat counts)" ' branches +pmc[0-9]+ +user +\+- 0\.[0-9][0-9] %$' "... with a relative deviation"
match "$(cat counts)" '^ *4  runs' "... and says of how many"
exactly -r 3 -e branches -o counts $known branches $few >/dev/null
match "$(cat counts)" ' \+- 0\.00 %$' "... which is 0 for a program that does the same each time"
exactly -e branches -o once $known branches $few >/dev/null
is "$(counted counts branches)" "$(counted once branches)" "... and its mean the count of one"
# Runs of 1, 2 and 3 times as much: mean 2, deviation 50 %.
cat >steps <<END
#!/bin/sh
echo x >>steps.ran
exec $known branches \$(($few * 100 * \$(wc -l <steps.ran)))
END
chmod 755 steps
perfex -r 3 --csv -e branches -o counts ./steps >/dev/null
is "$(csv '49 < float(total["branches"]["deviation"]) < 50.5' <counts)" True "counts that differ: the deviation of the sample"
between "$(csv 'int(float(total["branches"]["value"]))' <counts)" $((few * 200)) $((few * 205)) "... and the mean"
rm ran
try perfex -r 3 -o /dev/null sh -c 'echo x >>ran; [ $(wc -l <ran) != 2 ] || exit 3'
is "$STATUS $(wc -l <ran)" "3 3" "-r: a run that fails is the status, and does not end it"
rm ran
try sh -c 'perfex -r 3 -o /dev/null sh -c "echo x >>ran; kill -KILL \$\$"; exit $?'
is "$STATUS $(wc -l <ran)" "137 1" "-r: a run that is killed ends it"
cat >twice <<'END'
#!/bin/sh
echo x >>twice.ran
[ "$(wc -l <twice.ran)" != 2 ] || rm twice
END
chmod 755 twice
try perfex -r 4 --json -e branches -o json ./twice
one_line_error 127 'run 3 of 4: ./twice: No such file' "-r: a run that can't be started ends it, and says why"
is "$(json '(lines[0]["runs"], events["branches"]["value"] > 0)' <json)" "(2, True)" "... with the means of those before it"
# Ctrl-C that the command has not noticed: as it was not there yet, or takes it.
cat >interrupts <<'END'
#!/bin/sh
echo x >>ran
[ "$(wc -l <ran)" != 2 ] || kill -INT $PPID
END
chmod 755 interrupts
rm ran
try sh -c 'perfex -r 4 --json -e branches -o json ./interrupts; exit $?'
is "$STATUS $(wc -l <ran) $(json 'lines[0]["runs"]' <json)" "130 2 2" "-r: SIGINT ends it, with the means of what there is"
rm ran
try env --ignore-signal=INT perfex -r 4 -o /dev/null ./interrupts
is "$STATUS $(wc -l <ran)" "0 4" "... not where it is ignored"
# At any time, of the terminal's whole group.
cat >interrupt.py <<'END'
import os, signal, subprocess, time
bad = []
for i in range(20):
    if os.path.exists("json"):
        os.unlink("json")
    perfex = subprocess.Popen("exec perfex -r 1000000 --json -e instructions -o json true", shell=True, start_new_session=True)
    while not os.path.exists("json"):
        time.sleep(0.01)
    time.sleep(0.3 + i * 0.0017)
    os.killpg(perfex.pid, signal.SIGINT)
    try:
        status = perfex.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(perfex.pid, signal.SIGKILL)
        status = perfex.wait()
    if status != -signal.SIGINT or os.stat("json").st_size == 0:
        bad.append(status)
print(bad)
END
is "$(python3 interrupt.py)" "[]" "... at any time of a run, or between two"
try perfex -r 0 true;                  one_line_error 2 '1 to 1000000' "-r 0"
try perfex -r 2 -I 100 true;           one_line_error 2 'choose one' "-r with -I"
try perfex -r 2 --per-thread true;     one_line_error 2 'choose one' "-r with --per-thread"
try perfex -r 2 -p 1;                  one_line_error 2 'command' "-r with -p"

# --- formats ---
exactly -e branches,instructions -o text $known branches $few >/dev/null
exactly -e branches,instructions --csv -o csv $known branches $few >/dev/null
exactly -e branches,instructions --json -o json $known branches $few >/dev/null
is "$(csv 'int(total["branches"]["value"])' <csv)" "$(counted text branches)" "--csv has the same count"
is "$(json 'events["branches"]["value"]' <json)" "$(counted text branches)" "--json has the same count"
is "$(head -n 1 csv)" "time,pid,tid,comm,name,value,status,share,deviation,unit,counter,modes" "--csv: its first line names the columns"
is "$(awk -F, '{ print NF }' csv | sort -u)" 12 "... which all rows have"
is "$(csv '[total[name]["status"] for name in ("tsc", "stolen", "branches", "branch-rate")]' <csv)" \
	"['counted', 'counted', 'counted', 'metric']" "... and there are ticks, stolen time, counts, metrics"
is "$(json '(len(lines), lines[0]["type"], lines[0]["status"], lines[0]["stolen"]["value"] >= 0)' <json)" \
	"(1, 'total', 0, True)" "--json: one object, with the command's status"
try perfex --json -o json sh -c 'exit 9'
is "$STATUS $(json 'lines[0]["status"]' <json)" "9 9" "... whatever that is"
try perfex --csv -e branches true
match "$ERR" '^,,,,branches,[0-9]+,counted,' "without -o they are on standard error"
exactly --per-thread --json -e branches -o json $family 2 3 2 $few >/dev/null
is "$(json 'len(lines[0]["threads"])' <json)" 39 "--json --per-thread: each thread"
is "$(json 'sum(t["events"][0]["value"] for t in lines[0]["threads"]) == events["branches"]["value"]' <json)" True "... together the total"
exactly --per-thread --csv -e branches -o csv $family 2 3 2 $few >/dev/null
is "$(csv 'sum(int(r["value"]) for r in rows if r["tid"] and r["name"] == "branches") == int(total["branches"]["value"])' <csv)" True \
	"--csv --per-thread: so, too"
try perfex --csv --json true;          one_line_error 2 'choose one' "--csv with --json"

# --- files ---
perfex -e branches -o counts true
perfex -e branches -o counts true
is "$(grep -c ' tsc ' counts)" 1 "-o replaces a file"
perfex -e branches -o counts --append true
is "$(grep -c ' tsc ' counts)" 2 "--append does not"
perfex -e branches -o new --append true
is "$(grep -c ' tsc ' new)" 1 "--append to a file that is not there"
for file in /dev/stdout out; do
	perfex -e branches -o $file echo the command >out
	is "$(head -n 1 out) $(grep -c ' branches ' out) $(grep -c ' tsc ' out)" "the command 1 1" "-o $file >out: behind the command's output"
done
perfex -I 100 --append -e branches -o out sh -c 'echo one; sleep 0.5; echo two' >out
# The first line of each interval has all of its columns; the total has one, too.
whole=$(grep -c '^      [0-9]\.[0-9]*  *[0-9]*  tsc ' out)
is "$(grep -c 'one\|two' out) $(grep -c ' tsc ' out)" "2 $((whole + 1))" "... and where both write in turn nothing is lost"
perfex -e branches -o /dev/stderr sh -c 'echo the command >&2' 2>out
is "$(head -n 1 out) $(grep -c ' branches ' out)" "the command 1" "-o /dev/stderr 2>out"
try perfex --append true;              one_line_error 2 'for -o' "--append without -o"
try perfex -I 20 -o /dev/full sleep 0.3
one_line_error 125 '/dev/full: No space' "a full disk: one line, however many intervals"
for format in --csv --json; do
	try perfex $format -o /dev/full true
	one_line_error 125 '/dev/full: No space' "$format on a full disk"
done
for what in list info selftest -l -i -h "-M list" --version; do
	# shellcheck disable=SC2086
	try sh -c "perfex $what >/dev/full"
	one_line_error 125 'standard output: No space' "perfex $what on a full disk"
	# shellcheck disable=SC2086
	try sh -c "{ sleep 0.3; perfex $what; echo \$? >status; } | exec true; until [ -s status ]; do sleep 0.1; done; exit \$(cat status)"
	one_line_error 125 'standard output: Broken pipe' "perfex $what to a pipe that is closed"
	rm -f status
done
try sh -c '{ sleep 0.3; perfex true 2>&1; echo $? >status; } | exec true; until [ -s status ]; do sleep 0.1; done; exit $(cat status)'
is "$STATUS" 125 "counts to a pipe that is closed"
try sh -c 'perfex sh -c "kill -PIPE \$\$; echo alive"; exit $?'
is "$STATUS$OUT" 141 "the command has SIGPIPE as it was"

# --- intervals ---
exactly -I 100 -e branches,instructions -o counts $known branches 100000000 >/dev/null
# Lines of intervals: the time, the number, the name.
awk '$1 ~ /\./ && $2 ~ /^[0-9]+$/' counts >intervals
between "$(awk '$3 == "branches"' intervals | wc -l)" 2 1000 "-I: intervals"
is "$(awk '$3 == "branches" { sum += $2 } END { printf "%.0f", sum }' intervals)" "$(counted counts branches)" "... add up to the total"
is "$(awk '$3 == "tsc" { sum += $2 } END { printf "%.0f", sum }' intervals)" "$(counted counts tsc)" "... so do their ticks"
is "$(awk '$3 == "branches" { if ($1 <= last) bad++; last = $1 } END { print bad + 0 }' intervals)" 0 "... and their times go up"
match "$(cat intervals)" '^ +[0-9.]+ +[0-9]+  stolen ' "... stolen time is among them"
perfex -I 100 --json -e branches -o json $known branches 100000000 >/dev/null
is "$(json '(len(lines) > 2, {l["type"] for l in lines[:-1]}, lines[-1]["type"])' <json)" "(True, {'interval'}, 'total')" "-I --json: an object each, then the total"
is "$(json 'sum(l["events"][0]["value"] or 0 for l in lines[:-1]) == events["branches"]["value"]' <json)" True "... they add up"
perfex -I 100 --csv -e branches -o csv $known branches 100000000 >/dev/null
is "$(csv 'sum(int(r["value"] or 0) for r in rows if r["time"] and r["name"] == "branches") == int(total["branches"]["value"])' <csv)" True "-I --csv: so, too"
perfex -I 100 -e branches -o counts sleep 0.5
match "$(cat counts)" '^ +[0-9.]+ +-  branches .* not counted: nothing ran$' "an interval in which nothing ran"
try sh -c 'perfex -I 50 -o /dev/null sh -c "sleep 0.2; kill -TERM \$\$"; exit $?'
is "$STATUS" 143 "-I: a command that dies of SIGTERM"
try perfex -I 9 true;                  one_line_error 2 'milliseconds from 10 ' "an interval too short"
try perfex -I x true;                  one_line_error 2 'milliseconds' "an interval that is none"

# --- delay, timeout ---
perfex -D 3000 -e branches -o counts sh -c "$known branches 3000000; sleep 6; $known branches 2000000" >/dev/null
between "$(counted counts branches)" 2000000 2400000 "-D: what was before is not counted"
try perfex -D 5000 -e branches true
is "$STATUS" 0 "-D: a command that ends before"
match "$ERR" 'ended before the delay of -D 5000' "... is told so"
match "$ERR" '^ +-  branches .*not counted' "... and nothing is counted"
try perfex --timeout 500 -e branches sleep 1000
is "$STATUS" 0 "--timeout ends the command, and that is no failure"
match "$ERR" '^ +0\.[5-9][0-9]+  seconds elapsed' "... after that time"
is "$(printf '%s\n' "$ERR" | grep -c 'still running')" 0 "... without notes about it"
try perfex --timeout 3000 sh -c 'trap "exit 7" TERM; while :; do sleep 0.05; done'
is "$STATUS" 7 "--timeout: a command's own answer is its status"
try perfex --timeout 60000 sh -c 'exit 4'
is "$STATUS" 4 "--timeout: a command that ends before"
perfex --timeout 400 -I 100 --json -o json $known branches 1000000000000
between "$(json 'len(lines)' <json)" 3 6 "--timeout and -I"
is "$(json 'sum(l["events"][0]["value"] or 0 for l in lines[:-1]) == lines[-1]["events"][0]["value"]' <json)" True "... add up"
perfex -D 200 --timeout 300 -o counts sleep 1000
match "$(cat counts)" '^ +0\.[34][0-9]+  seconds elapsed' "-D and --timeout: of what is counted"
try perfex -D 0 true;                  one_line_error 2 'milliseconds from 1 ' "-D 0"
try perfex --timeout 0 true;           one_line_error 2 'milliseconds from 1 ' "--timeout 0"
try perfex --timeout;                  one_line_error 2 'needs an argument' "--timeout without a time"

# --- on a terminal ---
script -qec "perfex -r 2 -o /dev/null true" /dev/null >typed </dev/null
match "$(tr '\r' '\n' <typed)" '^perfex: run 2 of 2' "-r: progress on a terminal"
script -qec "perfex --timeout 1500 -o /dev/null sleep 100" /dev/null >typed </dev/null
match "$(tr '\r' '\n' <typed)" '^perfex: 1 of 1\.5 seconds' "--timeout: so, too"
try perfex -r 2 -o /dev/null true
is "$ERR" "" "... and only there"

# --- what runs already ---
# waiting COMMAND...: in the background until "go"; $pid
waiting() {
	rm -f go
	mkfifo go
	setarch -R sh -c 'read x <go; exec "$@"' sh "$@" >/dev/null &
	pid=$!
	until_is grep -q '^sh$' /proc/$pid/comm
	sleep 0.2
}

# attached OPTION... -- COMMAND...: its counts, from before the exec to its end
attached() {
	options=
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	waiting "$@"
	# shellcheck disable=SC2086
	perfex $options $pid -e branches -o counts &
	counting=$!
	# It waits: in ppoll(2).
	until_is grep -q '^271 ' /proc/$counting/syscall
	echo >go
	wait $counting
	STATUS=$?
	counted counts branches
}
less=$(attached -p -- $known branches $few)
more=$(attached -p -- $known branches $many)
is $((more - less)) $((many - few)) "-p: a process is counted until it ends, across its exec, exactly"
less=$(attached -t -- $known branches $few)
more=$(attached -t -- $known branches $many)
is $((more - less)) $((many - few)) "-t: so is a thread"
members=$($family 2 3 2 1)
less=$(attached -p -- $family 2 3 2 $few)
more=$(attached -p -- $family 2 3 2 $many)
is $((more - less)) $((members * (many - few))) "-p: with all threads and children that it creates ($members)"
less=$(attached --no-inherit -p -- $family 2 3 2 $few)
more=$(attached --no-inherit -p -- $family 2 3 2 $many)
is $((more - less)) $((many - few)) "-p --no-inherit: without them"
less=$(attached -t -- $family 2 3 2 $few)
more=$(attached -t -- $family 2 3 2 $many)
is $((more - less)) $((many - few)) "-t: that thread only"

# Five threads that are there, and one that comes.
cat >threads.py <<'END'
import os, threading, time
def work():
    while not os.path.exists("stop"):
        for i in range(10000):
            pass
        time.sleep(0.05)
for i in range(4):
    threading.Thread(target=work).start()
open("started", "w").close()
while not os.path.exists("more"):
    time.sleep(0.05)
threading.Thread(target=work).start()
work()
END
python3 threads.py &
pid=$!
until_is [ -e started ]
# A shell ignores it for what it runs in the background.
env --default-signal=INT perfex -p $pid --per-thread --json -e instructions -o json &
counting=$!
sleep 2
touch more
sleep 2
kill -INT $counting
wait $counting
is $? 0 "-p: SIGINT ends it"
is "$(json 'len(lines[0]["threads"])' <json)" 6 "... of all threads, also new ones"
is "$(json 'sum(t["events"][0]["value"] for t in lines[0]["threads"]) == events["instructions"]["value"]' <json)" True "... which add up to the total"
is "$(json '{t["pid"] for t in lines[0]["threads"]} == {'$pid'}' <json)" True "... each has its process"
is "$(json '(lines[0]["pids"], len(lines[0]["notes"]))' <json)" "([$pid], 0)" "... and it is said which"
tid=$(ls /proc/$pid/task | tail -n 1)
try perfex -t "$tid" --timeout 500 --per-thread -e instructions -o counts
is "$STATUS" 0 "-t: one of its threads, as nothing was left behind"
is "$(awk -v pid=$pid -v tid="$tid" '$1 == pid && $2 == tid' counts | wc -l)" 1 "... is named in the list"
try perfex -t "$tid,$pid" --timeout 300 --per-thread -e instructions -o counts
is "$(awk -v pid=$pid '$1 == pid' counts | wc -l)" 2 "-t: two of them"
for twice in "-p $pid,$pid" "-t $tid,$tid"; do
	# shellcheck disable=SC2086
	try perfex $twice --timeout 200 --json -e instructions -o json
	is "$STATUS $(json 'lines[0].get("pids") or lines[0]["tids"]' <json)" "0 [${twice#*,}]" "${twice%% *}: one that is given twice is counted once"
done
try perfex -p $pid -I 100 --timeout 550 -e instructions -o counts
is "$(awk '$3 == "instructions" && $1 ~ /\./ { sum += $2 } END { printf "%.0f", sum }' counts)" "$(counted counts instructions)" "-p and -I add up"
try perfex -p $pid -e instructions -o counts sh -c 'sleep 0.5; exit 5'
is "$STATUS" 5 "-p PID COMMAND: while it runs, and its status"
match "$(cat counts)" '^ +[0-9]+\.[0-9]+  seconds elapsed' "... the process was counted"
# As the parent of perfex may have set it.
try timeout 20 env --ignore-signal=CHLD perfex -p $pid -o /dev/null sh -c 'sleep 0.1; exit 5'
is "$STATUS" 5 "... also where SIGCHLD is ignored"
for set in --default-signal --ignore-signal=CHLD,PIPE --block-signal=INT,USR1; do
	try timeout 20 env $set perfex -p $pid -o /dev/null grep ^Sig[IBC] /proc/self/status
	is "$OUT" "$(env $set grep ^Sig[IBC] /proc/self/status)" "... $set: the command has its signals as they were"
done
try perfex -p $pid ./missing;          one_line_error 127 'missing: No such file' "... that is not there"
try perfex -p $pid -D 200 --timeout 300 -e instructions -o counts
match "$(cat counts)" '^ +0\.[34][0-9]+  seconds elapsed' "-p, -D and --timeout"
perfex -p $pid -o /dev/null &
counting=$!
sleep 1
try perfex -p $pid
one_line_error 2 'being counted already' "-p: a process that another one counts"
kill -TERM $counting
wait $counting
is $? 0 "-p: SIGTERM ends it, too"
# What is left behind in the process lets the next one fail.
signals="HUP INT QUIT ILL TRAP ABRT BUS FPE USR1 SEGV USR2 ALRM TERM XCPU XFSZ VTALRM PROF IO PWR SYS 34 64"
ended=
for signal in $signals; do
	rm -f counts
	env --default-signal perfex -p $pid -e instructions -o counts &
	counting=$!
	until_is grep -q '^271 ' /proc/$counting/syscall
	kill -$signal $counting
	wait $counting && [ -s counts ] || break
	ended="$ended$signal "
done
is "$ended" "$signals " "-p: any signal that would end perfex ends the counting"
# Nor does SIGKILL, which it does not notice, leave counters behind.
perfex -p $pid -e instructions -o counts &
counting=$!
until_is grep -q '^271 ' /proc/$counting/syscall
kill -KILL $counting
wait $counting
try perfex -p $pid --timeout 200 --json -e instructions -o json
is "$STATUS $(json 'lines[0]["pids"]' <json)" "0 [$pid]" "-p: a perfex that was killed has left nothing behind"
nohup perfex -p $pid -e instructions --timeout 2000 -o counts &
counting=$!
until_is grep -q '^271 ' /proc/$counting/syscall
kill -HUP $counting
kill -INT $counting
wait $counting
match "$(cat counts)" '^ +2\.[0-9]+  seconds elapsed' "-p: not one that is ignored (nohup, a script's background)"
try setpriv --reuid=65534 --regid=65534 --clear-groups perfex -p $pid
one_line_error 2 'no right to count process' "-p: another user's process"
try setpriv --reuid=65534 --regid=65534 --clear-groups perfex -t "$tid"
one_line_error 2 'no right to count thread' "-t: another user's thread"
touch stop
wait $pid
try perfex -p $pid;                    one_line_error 2 "there is no process $pid" "-p: a process that has ended"
try perfex -t $pid;                    one_line_error 2 "there is no thread $pid" "-t: a thread that has ended"
try perfex -p 2;                       one_line_error 2 'process 2 .*kernel' "-p: a thread of the kernel's"
try perfex -p x;                       one_line_error 2 'not a process id' "-p: not a number"
try perfex -t 1 -p 1;                  one_line_error 2 'either' "-p and -t"
try perfex -t 1 --no-inherit;          one_line_error 2 'nothing inherits' "-t --no-inherit"
try perfex -p;                         one_line_error 2 'needs an argument' "-p without a process"

# --- metrics ---
perfex -e instructions,cycles,branches -o counts $known branches 1000000 >/dev/null
match "$(cat counts)" '^ +0\.50  instructions per cycle$' "counts that make a metric have it beside them"
match "$(cat counts)" '^ +0\.50  branches per instruction$' "... each"
try perfex -M list
match "$OUT" '^ +ipc +instructions / cycles' "-M list"
perfex -M ipc,branch-rate --csv -o csv $known branches 1000000 >/dev/null
is "$(csv '[name for name in total if name in ("instructions", "cycles", "branches", "branch-misses", "loads")]' <csv)" \
	"['instructions', 'cycles', 'branches']" "-M chooses the events"
is "$(csv '(total["ipc"]["value"], total["ipc"]["unit"], "branch-rate" in total)' <csv)" \
	"('0.500000', 'instructions per cycle', True)" "... and the metrics are there"
perfex -m -M ipc,branch-rate,branch-mpki,cache-mpki,store-rate -o counts $known branches 20000000 >/dev/null
match "$(cat counts)" '^ +0\.50  instructions per cycle$' "-M -m: in turns, too"
match "$(cat counts)" '^ +0\.50  branches per instruction$' "... and others"
try perfex -M nonsense true;           one_line_error 2 'perfex -M list' "-M: no such metric"
try perfex -M list true;               one_line_error 2 'no command' "-M list with a command"

# --- groups ---
perfex -m -e '{branches@0,instructions},{loads@0,stores}' -o counts $known branches 50000000 >/dev/null
is "$(awk 'match($0, /\([0-9.]+ %\)/) { print $2, substr($0, RSTART) }' counts | awk '
	{ share[$1] = $2 } END {
	print (share["branches@0"] == share["instructions"]), (share["loads@0"] == share["stores"]), (share["stores"] < "(99") }')" \
	"1 1 1" "the events of a group have the same share of the time"
match "$(cat counts)" '^ +0\.50  branches per instruction$' "... and can be compared"
is "$(awk '$2 ~ /^(branches@0|instructions)$/ { print $1 }' counts | wc -l)" 2 "... and are counted"
exactly -e '{branches,instructions}:u' -o counts $known branches $few >/dev/null
is "$(counted counts branches:u)" "$(exactly -e branches -o once $known branches $few >/dev/null; counted once branches)" \
	"a group without turns, with modes"
try perfex -m -e '{branches@0,loads@0}' true
one_line_error 2 'make the group smaller' "a group that is too large"
try perfex -e '{branches,loads' true;  one_line_error 2 'brace is not closed' "a group that is not closed"
try perfex -e 'branches}' true;        one_line_error 2 'does not begin' "a group that is not opened"
try perfex -e '{}' true;               one_line_error 2 'an event is missing' "an empty group"
try perfex record -e '{branches}' true; one_line_error 2 'not here' "a group for record"

# --- not counted, not supported ---
perfex -m --slice 1000000 -e branches@0,loads@0 -o counts true
match "$(cat counts)" '^ +-  loads@0 .*\(0\.0 %\)  not counted: its turn never came$' "an event that never had its turn"
# One that another vendor's CPUs have, or this guest may not.
[ "$cpu" = amd ] && none=ref-cycles || none=0x80000041000000c0
try perfex -e "branches,$none" -o counts true
is "$STATUS" 0 "an event that this CPU does not have, among others"
match "$(cat counts)" "^ +-  $none +not supported: event $none" "... is told apart, with the reason"
between "$(counted counts branches)" 1000 100000000 "... and the others are counted"
perfex -e "branches,$none" --csv -o csv true
is "$(csv 'total["'$none'"]["status"], total["'$none'"]["value"]' <csv)" "('not supported', '')" "... in csv"
perfex -e "branches,$none" --json -o json true
is "$(json 'events["'$none'"]["status"], events["'$none'"]["value"]' <json)" "('not supported', None)" "... in JSON"
try perfex -e $none true;              one_line_error 2 "$none" "... alone it is an error"
if [ "$guest" = dom0 ]; then
	[ "$cpu" = amd ] && branches=0xc2 || branches=0xc4
	xen-perfctr set 0 host --deny $branches
	try perfex -e branches,loads -o counts true
	match "$(cat counts)" '^ +-  branches +not supported: .*policy does not let' "an event that the host's policy denies"
	between "$(counted counts loads)" 1000 100000000 "... does not hinder the others"
	sleep 1000 &
	pid=$!
	try perfex -p $pid -e branches,loads --timeout 300 -o counts
	match "$(cat counts)" '^ +-  branches +not supported: .*policy does not let' "... nor with -p"
	kill $pid
	try perfex selftest
	one_line_error 2 'denied by policy' "selftest: an event is denied"
	xen-perfctr set 0 host --no-filter
	# The second run, in which it changes, is the last that has both.
	cat >denies <<-END
		#!/bin/sh
		echo x >>denies.ran
		[ "\$(wc -l <denies.ran)" != 2 ] || xen-perfctr set 0 host --deny $branches
	END
	chmod 755 denies
	try perfex -r 4 -e branches,loads --json -o json ./denies
	match "$ERR" '^perfex: run 3 of 4: event branches: .*policy does not let' "-r: an event that is denied meanwhile ends it"
	is "$(json '(lines[0]["runs"], [e["name"] for e in lines[0]["events"]], events["branches"]["value"] is None)' <json)" \
		"(2, ['branches', 'loads'], False)" "... with the means of what was counted until then"
	[ "$STATUS" != 0 ] && pass "... and is no success" || fail "... and is no success"
	xen-perfctr set 0 denied --no-filter
	try perfex selftest
	one_line_error 2 'denied by policy' "selftest: everything is denied"
	xen-perfctr set 0 host
fi

# --- what there is ---
try perfex list
is "$STATUS" 0 "list"
is "$(perfex -l | sha256sum)" "$(perfex list | sha256sum)" "-l is the same"
match "$OUT" '^Metrics' "... with metrics"
try perfex list BRANCH
match "$OUT" '^  cond-branches ' "list PATTERN: a part of the name, in either case"
is "$(printf '%s\n' "$OUT" | grep -c '^  \(instructions\|loads\) ')" 0 "... and no others"
try perfex list 'branch*'
match "$OUT" '^  branches ' "list PATTERN: a shell's pattern"
try perfex list no-such-thing;         one_line_error 2 'no event .* no-such-thing' "list: nothing of that name"
try perfex list a b;                   one_line_error 2 'one pattern' "list: two patterns"
is "$(perfex -i | sha256sum)" "$(perfex info | sha256sum)" "info, as -i"
try perfex info x;                     one_line_error 2 'no arguments' "info with an argument"
try perfex selftest
is "$STATUS$ERR" 0 "selftest: this machine counts"
match "$OUT" '^pmc0 +400000 of 400000 instructions: right$' "... exactly"
match "$OUT" '^pmc3 +200000 of 200000 branches: right$' "... by each counter"
[ "$cpu" = amd ] || match "$OUT" '^fixed0 +400000 of 400000 instructions: right$' "... fixed ones, too"
try perfex selftest x;                 one_line_error 2 'no arguments' "selftest with an argument"
try perfex -o /dev/null perfex selftest
one_line_error 2 'counted already' "selftest that is counted itself"
chmod 600 /dev/perfctr
try setpriv --reuid=65534 --regid=65534 --clear-groups perfex selftest
one_line_error 2 'no permission' "selftest: no permission"
chmod 666 /dev/perfctr
check "module unloads: nothing was left behind" rmmod perfctr
try perfex selftest
one_line_error 2 'module absent.*(modprobe|insmod)' "selftest: no module"
try perfex -p $$;                      one_line_error 2 'load the kernel module' "-p without the module"

kernel_log_clean
done_testing
