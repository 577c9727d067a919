#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What "make install" puts where, and that the version is one.

here=$(cd "$(dirname "$0")" && pwd)
. "$here/setup.sh"

# installed DIRECTORY: its files, sorted; where a link points; "*": may be executed
installed() {
	(cd "$1" && find . ! -type d -printf '%P %m %l\n' | sed 's/ 777 / -> /;s/ 644 $//;s/ 755 $/ */' | LC_ALL=C sort)
}

functions=$(exported libperfctr/libperfctr.map)
named=$(exported libperfctr/libperfctr-events.map)
version=$(sed -n 's/^VERSION := //p' libperfctr/Makefile)
events_version=$(sed -n 's/^EVENTS_VERSION := //p' libperfctr/Makefile)
kdir=$(make -s -C guest-module print-kdir)

# --- library, perfex, module ---
try flock build/unit.lock make install DESTDIR="$tmp/root" PREFIX=/opt/x
is "$STATUS" 0 "make install DESTDIR= PREFIX="
kernel=$(ls "$tmp/root/lib/modules")
{
	cat <<EOF
lib/modules/$kernel/extra/perfctr.ko
opt/x/bin/perfex *
opt/x/include/libperfctr.h
opt/x/include/perfctr_events.h
opt/x/lib/libperfctr-events.a
opt/x/lib/libperfctr-events.so -> libperfctr-events.so.1
opt/x/lib/libperfctr-events.so.$events_version
opt/x/lib/libperfctr-events.so.1 -> libperfctr-events.so.$events_version
opt/x/lib/libperfctr.a
opt/x/lib/libperfctr.so -> libperfctr.so.5
opt/x/lib/libperfctr.so.$version
opt/x/lib/libperfctr.so.5 -> libperfctr.so.$version
opt/x/lib/pkgconfig/libperfctr-events.pc
opt/x/lib/pkgconfig/libperfctr.pc
opt/x/lib/sysusers.d/perfctr.conf
opt/x/lib/udev/rules.d/60-perfctr.rules
opt/x/share/bash-completion/completions/perfex
opt/x/share/doc/perfex/examples/perfex-each *
opt/x/share/doc/perfex/examples/spec-cpu.cfg
opt/x/share/man/man1/perfex-record.1
opt/x/share/man/man1/perfex-report.1
opt/x/share/man/man1/perfex.1
opt/x/share/man/man4/perfctr.4
EOF
	# One word each: splitting is wanted.
	# shellcheck disable=SC2086
	printf 'opt/x/share/man/man3/%s.3\n' libperfctr perfctr_sampling $functions $named
} | LC_ALL=C sort >"$tmp/wanted"
installed "$tmp/root" >"$tmp/is"
is "$(diff "$tmp/wanted" "$tmp/is")" "" "... makes these files and links, and no others"
is "$(grep -rlI -e "$tmp" -e "$top" "$tmp/root" 2>/dev/null)" "" "... which do not know where they were made"

# --- and away again ---
# What is somebody else's stays.
cp -a "$tmp/root" "$tmp/away"
touch "$tmp/away/opt/x/bin/other" "$tmp/away/opt/x/share/doc/other"
try flock build/unit.lock make -s uninstall DESTDIR="$tmp/away" PREFIX=/opt/x
is "$STATUS" 0 "make uninstall DESTDIR= PREFIX="
is "$(cd "$tmp/away" && find . ! -type d -o -path '*perfex*' | LC_ALL=C sort)" "./opt/x/bin/other
./opt/x/share/doc/other" "... leaves nothing of them, and all else"

# --- xen-perfctr ---
try make -s install-tools DESTDIR="$tmp/tools" PREFIX=/usr
is "$STATUS" 0 "make install-tools"
is "$(installed "$tmp/tools")" "usr/sbin/xen-perfctr *
usr/share/bash-completion/completions/xen-perfctr
usr/share/man/man8/xen-perfctr.8" "... makes these"

# --- the module's source, for DKMS ---
try make -s -C guest-module dkms-install DESTDIR="$tmp/dkms"
is "$STATUS" 0 "make dkms-install"
source=$tmp/dkms/usr/src/perfctr-$version
# As dkms does it: with the command in dkms.conf, in a copy.
dkms_make() {
	(
		cd "$source" || exit 1
		# shellcheck disable=SC2034 # it is in MAKE
		kernel_source_dir=$kdir
		eval "$(sed -n 's/^MAKE\[0\]=/command=/p' dkms.conf)"
		# shellcheck disable=SC2154
		# shellcheck disable=SC2086 # words
		nice $command && test -s perfctr.ko
	)
}
check "the module builds from it" dkms_make
is "$(modinfo -F description "$source/perfctr.ko")" "$(sed -n 's/^MODULE_DESCRIPTION("\(.*\)");/\1/p' guest-module/main.c)" \
	"... and it is ours"

# --- who may count ---
if command -v udevadm >/dev/null && udevadm verify --help >/dev/null 2>&1; then
	check "udevadm takes the rule" udevadm verify --resolve-names=never guest-module/60-perfctr.rules
fi
if command -v systemd-sysusers >/dev/null; then
	check "systemd-sysusers takes the group" systemd-sysusers --dry-run "$PWD/guest-module/perfctr.sysusers"
fi

# --- one version ---
is "$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' guest-module/dkms.conf)" "$version" "dkms.conf has the library's version"
is "$(sed -n '1s/^perfctr-xen (\([^)]*\)).*/\1/p' packaging/debian/changelog)" "$version" "so has the Debian package"
is "$("$tmp/root/opt/x/bin/perfex" --version)" "perfex (perfctr-xen) $version" "so has perfex"
is "$(PKG_CONFIG_PATH=$tmp/root/opt/x/lib/pkgconfig pkg-config --modversion libperfctr)" "$version" "so has pkg-config"
is "$(readelf -d "$tmp/root/opt/x/lib/libperfctr.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" "libperfctr.so.${version%%.*}" \
	"the soname is its first number"
is "$(sed -n 's/^ \([a-z_]*\)@LIBPERFCTR.*/\1/p' packaging/debian/libperfctr5.symbols | LC_ALL=C sort)" \
	"$(echo "$functions" | LC_ALL=C sort)" "the Debian package's symbols are the map's"
is "$(sed -n 's/^ \([a-z_]*\)@LIBPERFCTR_EVENTS.*/\1/p' packaging/debian/libperfctr-events1.symbols | LC_ALL=C sort)" \
	"$(echo "$named" | LC_ALL=C sort)" "... those of libperfctr-events, too"
done_testing
