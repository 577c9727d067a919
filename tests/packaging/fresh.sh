#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In a fresh Debian root, as root: install the packages in /t/debs, use them,
# upgrade the kernel, purge.  deb.long.t calls it; TAP.  No device here: what counts
# is tested in the emulated machine.

. /t/tap.sh
cd /t || exit 1
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
apt="apt-get -y -qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io --no-install-recommends"

# headers: the headers of Debian's own kernels that there are, oldest first
headers() {
	apt-cache pkgnames linux-headers- | grep -E '^linux-headers-[0-9][0-9.]*(-[0-9]+|\+deb12)-amd64$' | sort -V
}
# merged: sorted names of files; /lib is /usr/lib, and so on
merged() {
	sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' | LC_ALL=C sort -u
}
# state: every file that a package could have left; not what Debian's tools write for
# themselves, nor what a kernel's installation makes
state() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /t -o -path /tmp -o -path /run -o -path /root \
		-o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log -o -path '/var/lib/dkms/mok.*' \
		-o -path /boot -o -path '/initrd.img*' -o -path '/vmlinuz*' -o -path /var/lib/initramfs-tools \
		-o -path '/etc/*-' -o -path '*/lib/modules/*/modules.*' \) -prune -o -type d -o -print | merged
	echo "group: $(getent group perfctr)"
}

old=$(headers | head -n 1)
new=$(headers | grep -- '-[0-9]*-amd64' | tail -n 1)
newest=$(headers | tail -n 1)
diag "kernels: $old, $new, $newest"
# ... and what a kernel does, which comes later
# shellcheck disable=SC2086 # here and below: options are words
check "what the packages depend on" $apt install "$old" dkms man-db bash-completion adduser pkg-config gcc libc6-dev \
	libdw1 libelf1 libpfm4-dev libprotobuf-c1 zlib1g libxencall1 libxenstore4 git initramfs-tools udev
mandb -q >/dev/null 2>&1
state >before

# --- installed ---
# shellcheck disable=SC2086
check "all packages install" $apt install ./debs/libperfctr5_*.deb ./debs/libperfctr-events1_*.deb ./debs/libperfctr-dev_*.deb ./debs/perfex_*.deb \
	./debs/perfctr-dkms_*.deb ./debs/xen-perfctr_*.deb ./debs/perfctr-xen-source_*.deb
is "$(dpkg --audit)" "" "... dpkg has nothing to say"
is "$(dpkg --verify libperfctr5 libperfctr-events1 libperfctr-dev perfex perfctr-dkms xen-perfctr perfctr-xen-source)" "" "... all files are right"
version=$(dpkg-query -W -f '${Version}' perfex)

# --- used ---
is "$(perfex --version)" "perfex (perfctr-xen) $version" "perfex --version"
match "$(ldconfig -p)" "libperfctr\.so\.5 .*x86-64" "ldconfig knows the library"
try perfex true
one_line_error 2 'modprobe perfctr' "perfex without a device says what to do"
cat >use.c <<'EOF'
#include <errno.h>
#include <libperfctr.h>
#include <stdio.h>

int main(void)
{
	if (vperfctr_open())
		return 0;
	puts(perfctr_strerror(errno));
	return errno == ENOENT ? 3 : 1;
}
EOF
# shellcheck disable=SC2046
check "a program builds against libperfctr-dev" gcc -Wall -Werror -o use use.c $(pkg-config --cflags --libs libperfctr)
try ./use
is "$STATUS" 3 "... and runs"
cat >named.c <<'EOF'
#include <perfctr_events.h>

int main(void)
{
	if (perfctr_events_open("instructions", 0))
		return 0;
	puts(perfctr_events_error());
	return 3;
}
EOF
# shellcheck disable=SC2046
check "so does one that names its events" gcc -Wall -Werror -o named named.c $(pkg-config --cflags --libs libperfctr-events)
try ./named
match "$STATUS $OUT" '^3 .*modprobe perfctr' "... and runs"
for page in perfex.1 perfex-record.1 perfex-report.1 libperfctr.3 vperfctr_read_pmc.3 gperfctr_start.3 \
	perfctr_region_begin.3 perfctr_sampling.3 perfctr.4 xen-perfctr.8; do
	match "$(man "${page##*.}" "${page%.*}" 2>&1 | tr -d '\b' | tr '\n' ' ')" "${page%.*}.* (−|—|-|‐) " "man ${page%.*}"
done
match "$(apropos -s 3 vperfctr_estimate 2>&1)" '^vperfctr_estimate' "a function is found by its name, in a page of another one"
# As in a user's shell, where bash-completion loads it when it is needed.
is "$(bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader perfex
	COMP_LINE="perfex record --no" COMP_POINT=18 COMP_WORDS=(perfex record --no) COMP_CWORD=2; _perfex; echo "${COMPREPLY[*]}"')" \
	"--no-inherit" "bash-completion loads what completes perfex"
match "$(bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader perfex
	COMP_LINE="perfex -m ls --al" COMP_POINT=17 COMP_WORDS=(perfex -m ls --al) COMP_CWORD=3; _perfex; echo "${COMPREPLY[*]}"')" \
	"--almost-all" "... and hands on to the completion of the command that is counted"
is "$(bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader xen-perfctr
	COMP_WORDS=(xen-perfctr set 1 co) COMP_CWORD=3; _xen_perfctr; echo "${COMPREPLY[*]}"')" "count" "... and xen-perfctr"
match "$(xen-perfctr --help)" 'usage: xen-perfctr list' "xen-perfctr runs"
try xen-perfctr list
match "$STATUS $ERR" "^1 .*|^xen-perfctr: can't talk to the hypervisor" "... and says that this is no dom0"
check "the examples are there" test -x /usr/share/doc/perfex/examples/perfex-each
match "$(getent group perfctr)" '^perfctr:x:[0-9]+:$' "the group perfctr"
check "the udev rule names it" grep -q 'GROUP="perfctr"' /lib/udev/rules.d/60-perfctr.rules

# --- the series ---
try /usr/src/perfctr-xen/tree /nowhere tree
one_line_error 1 'there is no /nowhere' "perfctr-xen-source: tree runs"
is "$(cd /usr/src/perfctr-xen/4.17 && ls ./*.patch | wc -l)" "$(grep -c . /usr/src/perfctr-xen/4.17/series)" "... the series is whole"

# --- DKMS ---
# built VERSION-OF-HEADERS
built() {
	kernel=${1#linux-headers-}
	is "$(dkms status perfctr/"$version" -k "$kernel")" "perfctr/$version, $kernel, x86_64: installed" "DKMS has installed the module for $kernel"
	module=$(find "/lib/modules/$kernel/" -name 'perfctr.ko*' 2>/dev/null)
	is "$(modinfo -F vermagic "$module" 2>&1 | cut -d ' ' -f 1)" "$kernel" "... and it is for that kernel"
	is "$(modinfo -F name "$module" 2>&1)" perfctr "... $module"
	# for the emulated machine
	mkdir -p "modules/$kernel" && cp "$module" "modules/$kernel/"
}
built "$old"
# The kernel is upgraded: DKMS is called by the new headers' package, and if they bring
# the kernel along (as those of backports do) by that one's.
for upgrade in $(printf '%s\n' "$new" "$newest" | grep -vx "$old" | uniq); do
	# shellcheck disable=SC2086
	check "a newer kernel's headers install" $apt install "$upgrade"
	built "$upgrade"
done
built "$old"

# --- installed anew, and gone ---
# shellcheck disable=SC2086
check "installing it again changes nothing" $apt install --reinstall ./debs/perfctr-dkms_*.deb ./debs/perfex_*.deb
match "$(dkms status perfctr)" ': installed' "... DKMS has the module"
check "all packages are purged" dpkg --purge perfctr-xen-source xen-perfctr perfctr-dkms perfex libperfctr-dev libperfctr-events1 libperfctr5
state >after
is "$(LC_ALL=C comm -23 before after)" "" "nothing is missing that was there before"
# What is new and of no package: the newer kernels' packages are still there.
cat /var/lib/dpkg/info/*.list | merged >owned
is "$(LC_ALL=C comm -13 before after | LC_ALL=C comm -23 - owned | head -20)" "" "nothing is left"
is "$(find / -xdev \( -path /proc -o -path /t -o -path /var/log -o -path /var/cache \
	-o -path '/usr/src/linux-*' \) -prune -o -iname '*perfctr*' -print -o -iname '*perfex*' -print)" "" \
	"... no file is named like us"
is "$(ldconfig -p | grep perfctr)" "" "... ldconfig has forgotten the library"
done_testing
