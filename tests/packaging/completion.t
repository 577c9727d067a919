#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What bash completes for perfex and xen-perfctr is what they take.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/setup.sh"

install_library
PATH=$tmp/usr/bin:$PATH
export PERFCTR_DEVICE=$tmp/none

for file in libperfctr/completion/perfex packaging/xen-perfctr.completion; do
	try bash -u "$file"
	is "$STATUS$OUT$ERR" 0 "$file can be sourced, and says nothing"
	# shellcheck disable=SC1090
	. "$file"
done
match "$(complete -p perfex)" '^complete -F _perfex perfex' "perfex has a completion"
match "$(complete -p xen-perfctr)" '^complete -F _xen_perfctr xen-perfctr' "so has xen-perfctr"

# offered WORD...: what is offered for the last one, sorted, in a line
offered() {
	COMP_LINE=$*
	COMP_POINT=${#COMP_LINE}
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	"${completion:-_perfex}"
	printf '%s\n' "${COMPREPLY[@]}" | sort -u | tr '\n' ' ' | sed 's/ $//'
}

# takes COMMAND... OPTION: "no", "yes" or "argument", as the program says
takes() {
	case $("$@" 2>&1 </dev/null) in
	*"unknown option"*) echo no ;;
	*"needs an argument"*) echo argument ;;
	*) echo yes ;;
	esac
}

cd "$tmp" || exit 1
for command in "" record report; do
	# Splitting is wanted.
	# shellcheck disable=SC2206
	words=(perfex $command)
	name=${words[*]}
	options=$(offered "${words[@]}" -)
	bad=
	for option in $options; do
		is=$(takes "${words[@]}" "$option")
		argument=no
		_perfex_argument "$option" "${words[@]}" >/dev/null && argument=argument
		[ "$is" != no ] && { [ "$is" = argument ] && echo argument || echo no; } | grep -qx "$argument" ||
			bad="$bad $option:$is/$argument"
	done
	match "$options" '(^| )-e (.* )?-o( |$)' "$name: options are offered: $options"
	is "$bad" "" "$name: it takes each of them, with or without an argument as is offered"
	missing=
	for option in -{a..z} -{A..Z} $("${words[@]}" --help | grep -oE -- '(^|[ ,])--[a-z][-a-z]*' | tr -d ' ,' | sort -u); do
		# "perfex record" is "record": what has -h of its own.
		[ "$(takes "${words[@]}" "$option")" = no ] || [[ " $options " == *" $option "* ]] ||
			missing="$missing $option"
	done
	is "$missing" "" "$name: and it takes no others"
done

is "$(offered perfex record --n)" "--no-inherit" "the beginning of an option"
is "$(offered perfex report --sort '')" "dso line symbol thread" "keys to sort by"
for format in $(offered perfex report --format ''); do
	formats=$formats${formats:+ }$format
	try perfex report -i none --format "$format"
	match "$ERR" 'none' "--format $format is one"
done
match "$formats" 'folded.*pprof' "formats are offered: $formats"
is "$(offered perfex -e instr)" instructions "an event"
is "$(offered perfex -e cycles,instr)" cycles,instructions "a second one"
is "$(offered perfex record -g -e instr)" instructions "an event of record"
every=$(perfex -l | sed -n 's/^  \([a-z][-a-z]*\)  .*/\1/p' | sort)
# shellcheck disable=SC2086
is "$(comm -23 <(echo "$every") <(offered perfex -e '' | tr ' ' '\n' | sort))" "" "all common names are offered"
touch some.data
is "$(offered perfex report -i so)" some.data "a file"
match " $(offered perfex re) " ' record .*' "a subcommand"
match " $(offered perfex -m bas) " ' bash ' "a command"
is "$(offered perfex -m true -)" "" "options behind it are its own"
is "$(offered perfex -- rec | tr ' ' '\n' | grep -x record)" "" "behind -- there is no subcommand"

cd "$top" || exit 1
tool=build/tools/xen-perfctr
if [ -x "$tool" ]; then
	completion=_xen_perfctr
	is "$(offered $tool '')" "--help get info list set" "xen-perfctr: commands"
	is "$(offered $tool set 1 '')" "count denied host sample" "xen-perfctr: levels"
	# There is no such domain, should this run where there are any.
	for level in $(offered $tool set 1 ''); do
		try $tool set 'no such domain' "$level"
		match "$ERR" 'hypervisor|no domain|xenstored' "xen-perfctr: $level is one"
	done
	for option in $(offered $tool set 1 count -); do
		try $tool set "$option" 0xc0
		match "$ERR" 'DOMAIN and LEVEL' "xen-perfctr: $option is an option"
	done
	is "$(offered $tool set 1 count --)" "--allow --deny --no-filter" "xen-perfctr: all options"
	is "$(offered $tool set 1 count --allow '')" "" "xen-perfctr: nothing for an event's number"
	is "$(offered $tool set --deny 0xc0 1 h)" "host" "xen-perfctr: an option in between"
else
	diag "xen-perfctr is not built: make tools"
fi
done_testing
