#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The manual pages: one for each function and each tool, true to the header and to
# --help as far as a program can tell, and their examples are programs.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/setup.sh"
LC_ALL=C.UTF-8 MANWIDTH=200
export LC_ALL MANWIDTH

install_library
man=$tmp/usr/share/man
perfex=$tmp/usr/bin/perfex

# --- which pages there are ---
exported libperfctr/*.map | sort >"$tmp/functions"
check "there are functions" test -s "$tmp/functions"
ls "$man/man3" | sed 's/\.3$//' | grep -vx -e libperfctr -e perfctr_sampling | sort >"$tmp/pages"
is "$(diff "$tmp/functions" "$tmp/pages")" "" "the pages in section 3 are the exported functions, and two that explain"
# A function is in the NAME and the SYNOPSIS of what man shows for it.
without=$(while read -r function; do
	man -M "$man" 3 "$function" 2>/dev/null | col -bx >"$tmp/page"
	sed -n '/^NAME/,/^SYNOPSIS/p' "$tmp/page" | tr -s ' \n' ' ' | grep -q "[ ,]${function}[ ,]" &&
		sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' "$tmp/page" | grep -q "[ *]${function}(" || echo "$function"
done <"$tmp/functions")
is "$without" "" "man FUNCTION explains each of them"

# --- each is well-formed ---
pages=$(find guest-module libperfctr packaging -name '*.[1-8]' | sort)
match "$(echo $pages)" 'perfctr\.4.*perfex-record\.1.*perfex-report\.1.*perfex\.1.*xen-perfctr\.8' "pages for the tools and the device"
for page in $pages; do
	man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null | head -5 >"$tmp/warnings"
	! command -v mandoc >/dev/null || mandoc -Tlint -Wunsupp "$page" | grep -E ' (ERROR|UNSUPP):' >>"$tmp/warnings"
	is "$(cat "$tmp/warnings")" "" "$page: without warnings"
	# What it refers to is there, where it is ours.
	dead=$(sed -n '/^\.SH SEE ALSO/,$s/^\.BR \([^ ]*\) (\([1-8]\)).*/\1.\2/p' "$page" | sed 's/\\-/-/g' |
		grep -E 'perf(ctr|ex)' | while read -r other; do
		[ -e "$man/man${other##*.}/$other" ] || echo "$pages" | grep -q "/$other\$" || echo "$other"
	done)
	is "$dead" "" "$page: SEE ALSO"
done

# --- true to the header ---
is "$(tests/packaging/shapes libperfctr/include/*.h -- libperfctr/man/*.3)" "" \
	"the structures are those of the headers"
# Declared twice, a function has the same type both times, or the compiler says so.
prototypes() {
	{
		echo '#include <perfctr_events.h>'
		for page in libperfctr/man/*.3; do
			[ "$(basename "$page")" != libperfctr.3 ] || continue
			man -l "$page" | col -bx | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p' |
				sed '1d;/^ *#include/d;/Link with/,$d'
		done
	} >"$tmp/prototypes.c"
	grep -c ';' "$tmp/prototypes.c" >"$tmp/n"
	cat "$tmp/prototypes.c"
	[ "$(cat "$tmp/n")" -eq "$(wc -l <"$tmp/functions")" ] &&
		gcc -Wall -Wextra -Werror -fsyntax-only -I"$tmp/usr/include" "$tmp/prototypes.c"
}
check "so are the prototypes, all of them" prototypes
# What a page says is a constant is one.
constants() {
	{
		echo '#include <perfctr_events.h>'
		echo '#include <errno.h>'
		echo 'const long long constants[] = {'
		cat libperfctr/man/*.3 | sed '/^\.\\" example/,/^\.\\" end/d' |
			grep -oE '\<(V?PERFCTR_[A-Z0-9_]+|E[A-Z]{3,})\>' | grep -vxE 'PERFCTR_(DEVICE|INFO|INFO_PRINT|ABI_CHECK_FD|CPU_EVENT_SET|SAMPLING|STRERROR)|VPERFCTR_(OPEN|CONTROL|CONTROL_GROUP|READ_CTRS)|PERFCTR_(EVENTS_OPEN|EVENTS_READ|EVENTS_LIST|REGION)|EXAMPLES?|EVENT|MASK|ERRORS|ENVIRONMENT' |
			sort -u | sed 's/$/,/'
		echo '};'
	} >"$tmp/constants.c"
	cat "$tmp/constants.c"
	[ "$(wc -l <"$tmp/constants.c")" -gt 30 ] &&
		gcc -Wall -Wextra -Werror -fsyntax-only -I"$tmp/usr/include" "$tmp/constants.c"
}
check "so are the constants" constants

# --- every function has an example, and each is a program ---
grep -l '^\.SH NAME' libperfctr/man/*.3 | while read -r page; do
	grep -q '^\.\\" example: ' "$page" || echo "$page"
done >"$tmp/without"
is "$(cat "$tmp/without")" "" "each page in section 3 has an example"
flags="$(PKG_CONFIG_PATH="$tmp/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$tmp" \
	pkg-config --cflags --libs libperfctr-events)"
# example PAGE NAME: builds it, and runs it where there is no device
example() {
	libperfctr/man/example "$1" "$2" >"$tmp/$2.c"
	cat "$tmp/$2.c"
	# One word each: splitting is wanted.
	# shellcheck disable=SC2086
	gcc -Wall -Wextra -Werror -o "$tmp/$2" "$tmp/$2.c" $flags || return 1
	LD_LIBRARY_PATH=$tmp/usr/lib PERFCTR_DEVICE="$tmp/none" "$tmp/$2" >"$tmp/out" 2>"$tmp/err"
	[ $? -eq 1 ] && [ ! -s "$tmp/out" ] && [ "$(wc -l <"$tmp/err")" -eq 1 ]
}
for page in libperfctr/man/*.3; do
	for name in $(sed -n 's/^\.\\" example: //p' "$page"); do
		check "$(basename "$page"): example $name builds by pkg-config, and fails in one line without a device" \
			example "$page" "$name"
	done
done

# --- options: those of --help, both ways ---
# options FILE: of a text, as --help has them
options() {
	grep -oE -- '(^|[ ,([|])--?[a-zA-Z][-a-z]*' "$1" | tr -d ' ,([|' | sort -u
}
# same_options PAGE COMMAND...: what --help lists at the beginning of lines
same_options() {
	page=$1
	shift
	"$@" --help | sed -n 's/^  \(-.*\)/\1/p' | sed 's/  .*//' >"$tmp/help"
	options "$tmp/help" | grep -vxE -- '-h|--help' >"$tmp/listed"
	man -l "$page" | col -bx | sed -n '/^OPTIONS/,/^[A-NP-Z]/s/^ \{5,8\}\(-.*\)/\1/p' | sed 's/   .*//' >"$tmp/page"
	options "$tmp/page" | grep -vxE -- '-h|--help' >"$tmp/explained"
	[ -s "$tmp/listed" ] && diff "$tmp/listed" "$tmp/explained"
}
# perfex --version is not among the OPTIONS of its page but in its SYNOPSIS.
version_too() {
	sed -i '/^--version$/d' "$tmp/listed"
	diff "$tmp/listed" "$tmp/explained"
}
try same_options libperfctr/man/perfex.1 "$perfex"
is "$(version_too)" "" "perfex.1 explains the options of --help, and no others"
check "... --version, too" grep -q 'version' libperfctr/man/perfex.1
check "perfex-record.1 likewise" same_options libperfctr/man/perfex-record.1 "$perfex" record
check "perfex-report.1 likewise" same_options libperfctr/man/perfex-report.1 "$perfex" report
if [ -x build/tools/xen-perfctr ]; then
	check "xen-perfctr.8 likewise" same_options packaging/xen-perfctr.8 build/tools/xen-perfctr
else
	echo "# xen-perfctr is not built: make tools"
fi
done_testing
