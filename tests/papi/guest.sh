#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guest.sh KIND LIMIT TEST...: in the guest.  PAPI's ctests of the build KIND (perf_event,
# perfctr or component), one after the other, each for LIMIT seconds at most.  Prints a line for each,
# "ctest NAME VERDICT SECONDS", and keeps what it printed as /get/NAME.  With libperfctr then
# perfctr 2.6's own examples: "example NAME VERDICT SECONDS".

kind=$1 limit=$2
shift 2
# As PAPI's run_tests.sh: some tests execute others by name.
cd "/put/$kind" || exit 1
PATH=./ctests:$PATH
LD_LIBRARY_PATH=/put/$kind/lib
PAPI_CSV_EVENT_FILE=/put/$kind/papi_events.csv
export PATH LD_LIBRARY_PATH PAPI_CSV_EVENT_FILE
[ "$kind" != perf_event ] || echo -1 >/proc/sys/kernel/perf_event_paranoid

./papi_component_avail >/get/papi_component_avail 2>&1
for test; do
	begin=$(cut -d ' ' -f 1 /proc/uptime)
	timeout -k 5 "$limit" "./ctests/$test" TESTS_QUIET >"/get/$test" 2>&1 </dev/null
	status=$?
	end=$(cut -d ' ' -f 1 /proc/uptime)
	rm -rf papi_hl_output
	# A test that forks prints several verdicts: the worst counts.
	case $status in
	124 | 137) verdict=limit ;;
	0 | 1)
		if grep -q 'FAILED' "/get/$test"; then verdict=fail
		elif [ $status = 1 ]; then verdict=fail
		elif grep -q 'SKIPPED' "/get/$test"; then verdict=skip
		elif grep -q 'PASSED with WARNING' "/get/$test"; then verdict=warn
		elif grep -q 'PASSED' "/get/$test"; then verdict=pass
		else verdict=silent
		fi ;;
	*) verdict=status$status ;;
	esac
	echo "ctest $test $verdict $(echo "$begin $end" | awk '{ printf "%.1f", $2 - $1 }')"
done
[ -d examples ] || exit 0

# example NAME PATTERN COMMAND...: a pass, if the command ends well and prints a line PATTERN
example() {
	name=$1 pattern=$2
	shift 2
	"$@" >"/get/example-$name" 2>&1 </dev/null
	verdict=status$?
	[ $verdict != status0 ] || verdict=fail
	[ $verdict != fail ] || ! grep -Eq "$pattern" "/get/example-$name" || verdict=pass
	echo "example $name $verdict -"
}
example self '^pmc\[0\][[:space:]]+[1-9][0-9]+$' ./examples/self
example signal 'PMC overflow set 0x[1-9a-f]' ./examples/signal
example perfex '^event 0x004100C0(@[0-9]+)?[[:space:]]+[1-9][0-9]+$' ./examples/perfex -e 0x004100C0 true
# It runs until it is interrupted, and prints then.
example global '^[[:space:]]+tsc[[:space:]]+[1-9][0-9]+$' timeout --preserve-status -s INT -k 5 4 ./examples/global 100000 1
