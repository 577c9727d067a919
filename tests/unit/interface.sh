#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What others build on: the header by itself, in C and C++; the shared library's
# symbols; an installation; perfex's errors where there is no device.  TAP.
# Called by the Makefile, with the library's build directory.

build=$1
top=$(cd ../.. && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
perfex=$build/perfex/perfex
n=0

# ok NAME COMMAND...
ok() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		sed 's/^/# /' "$tmp/log"
	fi
}

# --- the headers ---
include=-I$top/libperfctr/include
for header in libperfctr.h perfctr_events.h; do
	echo "#include <$header>" >"$tmp/h.c"
	cp "$tmp/h.c" "$tmp/h.cc"
	for std in gnu99 c11 gnu17; do
		ok "$header alone, gcc -std=$std" \
			gcc -std=$std -Wall -Wextra -Werror $include -c -o "$tmp/h.o" "$tmp/h.c"
	done
	for std in c++11 c++17; do
		ok "$header alone, g++ -std=$std" \
			g++ -std=$std -Wall -Wextra -Werror $include -c -o "$tmp/h.o" "$tmp/h.cc"
	done
	if command -v clang >/dev/null; then
		ok "$header alone, clang" \
			clang -Wall -Wextra -Werror $include -c -o "$tmp/h.o" "$tmp/h.c"
	fi
done

# --- symbols: the map's, all of them, with its version, and no others ---
# symbols_match LIBRARY NODE
symbols_match() {
	sed -n "/^global:/,/^local:/s/^[[:space:]]*\\([a-z_]*\\);\$/\\1@@$2/p" \
		"$top/libperfctr/$1.map" | sort >"$tmp/map"
	nm -D --defined-only "$build/$1.so" |
		awk '$2 == "T" { print $3 }' | sort >"$tmp/so"
	[ -s "$tmp/map" ] && diff "$tmp/map" "$tmp/so"
}
# declared HEADER
declared() {
	for symbol in $(sed 's/@.*//' "$tmp/map"); do
		grep -q "$symbol(" "$top/libperfctr/include/$1" || return 1
	done
}
# soname LIBRARY NAME
soname() { readelf -d "$build/$1.so" | grep -qF "[$2]"; }
# needs LIBRARY PATTERN: nothing but that
needs() {
	readelf -d "$build/$1.so" | grep NEEDED >"$tmp/needed"
	! grep -vE "$2" "$tmp/needed"
}
ok "the shared library exports what the map says" symbols_match libperfctr LIBPERFCTR_5.2
ok "all exported functions are in the header" declared libperfctr.h
ok "soname libperfctr.so.5" soname libperfctr libperfctr.so.5
ok "the library needs nothing but the C library" needs libperfctr 'libc\.so'
ok "libperfctr-events exports what its map says" symbols_match libperfctr-events LIBPERFCTR_EVENTS_1.0
ok "... which is in its header" declared perfctr_events.h
ok "... soname libperfctr-events.so.1" soname libperfctr-events libperfctr-events.so.1
ok "... needs libperfctr and libpfm4" needs libperfctr-events '\[(libc|libperfctr|libpfm|ld-linux-x86-64)\.so\.[0-9]\]'
ok "... is bound at once" sh -c "readelf -d $build/libperfctr-events.so | grep -qw NOW"
no_others() { # of a static library, whose functions are everybody's
	nm -g --defined-only "$build/libperfctr-events.a" | awk 'NF == 3 { print $3 }' | sort >"$tmp/a"
	sed 's/@.*//' "$tmp/map" | diff - "$tmp/a"
}
ok "... also as a static library" no_others

# --- an installation is enough to build with ---
ok "make install DESTDIR" make -s -C "$top/libperfctr" O="$tmp/o" install \
	DESTDIR="$tmp/root" PREFIX=/opt/x LIBDIR=/opt/x/lib64
cat >"$tmp/use.c" <<'EOF'
#include <libperfctr.h>
#include <stdio.h>
int main(void)
{
	struct perfctr_sum_ctrs sums;
	struct vperfctr *self = vperfctr_open();

	if (!self) {
		perror("vperfctr_open");
		return 3;
	}
	return vperfctr_read_ctrs(self, &sums);
}
EOF
use() {
	flags=$(PKG_CONFIG_PATH="$tmp/root/opt/x/lib64/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$tmp/root" \
		pkg-config --cflags --libs libperfctr) || return 1
	# One word each: splitting is wanted.
	# shellcheck disable=SC2086
	gcc -o "$tmp/use" "$tmp/use.c" $flags || return 1
	LD_LIBRARY_PATH="$tmp/root/opt/x/lib64" PERFCTR_DEVICE="$tmp/none" "$tmp/use"
	[ $? -eq 3 ]
}
ok "a program builds by pkg-config, and runs" use
cat >"$tmp/named.c" <<'EOF'
#include <perfctr_events.h>
#include <string.h>
int main(void)
{
	return !perfctr_events_open("instructions", 0) &&
	       strstr(perfctr_events_error(), "modprobe") ? 3 : 0;
}
EOF
# named FLAG...
named() {
	flags=$(PKG_CONFIG_PATH="$tmp/root/opt/x/lib64/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$tmp/root" \
		pkg-config --cflags --libs "$@" libperfctr-events) || return 1
	# shellcheck disable=SC2086
	gcc "$@" -o "$tmp/named" "$tmp/named.c" $flags || return 1
	LD_LIBRARY_PATH="$tmp/root/opt/x/lib64" PERFCTR_DEVICE="$tmp/none" "$tmp/named"
	[ $? -eq 3 ]
}
ok "so does one that names its events" named
ok "... linked statically" named -static

# --- the manual pages: well-formed, and their examples are programs ---
# lint FILE
lint() {
	man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>"$tmp/warnings" >"$tmp/page"
	cat "$tmp/warnings"
	[ ! -s "$tmp/warnings" ] && [ -s "$tmp/page" ]
}
for page in man1/perfex.1 man1/perfex-record.1 man1/perfex-report.1 man3/perfctr_sampling.3; do
	ok "$page is installed, and without errors" lint "$tmp/root/opt/x/share/man/$page"
done
# example NAME: builds it as the page has it, and runs it where there is no device
example() {
	"$top/libperfctr/man/example" "$tmp/root/opt/x/share/man/man3/perfctr_sampling.3" "$1" >"$tmp/$1.c"
	cat "$tmp/$1.c"
	gcc -Wall -Wextra -Werror -I"$tmp/root/opt/x/include" -o "$tmp/$1" "$tmp/$1.c" \
		"$tmp/root/opt/x/lib64/libperfctr.a" || return 1
	PERFCTR_DEVICE="$tmp/none" "$tmp/$1"
	[ $? -eq 1 ]
}
ok "the example of signals builds, and runs" example signal
ok "the example of rings builds, and runs" example ring

# --- perfex without a device: one line, status 2, nothing left behind ---
# complains STATUS PATTERN ARGUMENT...
complains() {
	status=$1
	pattern=$2
	shift 2
	PERFCTR_DEVICE=${device-$tmp/none} "$perfex" "$@" >"$tmp/out" 2>"$tmp/err"
	is=$?
	cat "$tmp/err"
	echo "status $is"
	[ $is -eq "$status" ] && [ ! -s "$tmp/out" ] &&
		[ "$(wc -l <"$tmp/err")" -eq 1 ] && grep -Eq -- "$pattern" "$tmp/err"
}
ok "no device" complains 2 'perfctr.*modprobe' -o "$tmp/left" true
ok "no device, -i" complains 2 'perfctr.*modprobe' -i
device=$tmp
ok "a device that can't be opened" complains 2 "$tmp" true
device=/dev/null
ok "not our device" complains 2 'same release' -o "$tmp/left" true
unset device
ok "no command" complains 2 'no command'
ok "an unknown option" complains 2 '--bogus' --bogus true
ok "an option without argument" complains 2 'needs an argument' -e
ok "record: no device" complains 2 'perfctr.*modprobe' record -o "$tmp/left" true
ok "record: no command" complains 2 'no command to record' record
ok "record: a bad period" complains 2 '-c 1k' record -c 1k true
ok "a program called record is run by --" complains 2 'perfctr.*modprobe' -- record
ok "report: no file" complains 2 "$tmp/none.data" report -i "$tmp/none.data"
ok "report: another file" complains 2 'not a file of perfex record' report -i "$tmp/h.c"
ok "report: an unknown format" complains 2 'text, folded, script, pprof, flamegraph' report --format x
ok "no output file is left behind" test ! -e "$tmp/left"
full() { "$perfex" -h >/dev/full 2>"$tmp/err"; [ $? -eq 125 ] && [ -s "$tmp/err" ]; }
ok "a full disk is reported" full
ok "--help" "$perfex" --help
ok "record --help" "$perfex" record --help
ok "report --help" "$perfex" report --help
ok "--version" "$perfex" --version
list() { PERFCTR_DEVICE=$tmp/none "$perfex" -l >"$tmp/list" && grep -q 'Common names' "$tmp/list"; }
ok "-l needs no device" list

echo "1..$n"
