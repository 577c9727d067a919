#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The Debian packages: built in a Debian root that has just what they say they
# need; then installed, used and purged in a fresh one (fresh.sh).  Both are made
# here and thrown away; of this machine they need mmdebstrap and Debian's archive.
# At last a guest of the emulated machine counts with them (in-guest.sh).

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$top/tests/system/guest/tap.sh"
cd "$top" || exit 1
PATH=$PATH:/usr/sbin:/sbin

command -v mmdebstrap >/dev/null || {
	echo "Bail out! mmdebstrap is missing: tests/deps, as root, installs it"
	exit 1
}
# Not below /tmp: that may be small, or a user may not be allowed to make devices there.
mkdir -p build
tmp=$(mktemp -d "$PWD/build/debian.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
python3 tests/machine/lib/sources.py >"$tmp/debian.sources" || exit 1
mode=auto
[ "$(id -u)" != 0 ] || mode=root

# root VARIANT PACKAGES HOOK...: makes a root, runs the hooks in it, and forgets it
root() {
	variant=$1
	packages=$2
	shift 2
	# Nobody needs the files on disk, should the power fail.
	set -- --mode=$mode --variant="$variant" --architectures=amd64 --format=null \
		--aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io --include="$packages" "$@"
	mmdebstrap "$@" bookworm /dev/null "$tmp/debian.sources" >"$tmp/log" 2>&1
	status=$?
	cp "$tmp/log" "build/check/packaging-$variant.log" 2>/dev/null
	[ $status -eq 0 ] || tail -n 25 "$tmp/log"
	return $status
}

# --- built ---
# The clone as it is, as if it had come without git.
tar -c --exclude=./build --exclude='./.git' --exclude='*.o' --exclude='*.ko' --exclude='*.mod*' --exclude='*.cmd' \
	--exclude=Module.symvers --exclude=modules.order -f "$tmp/source.tar" .
needs=$(sed -n '/^Build-Depends:/,/^[A-Z].*:/s/^ \([-a-z0-9]*\).*/\1/p' packaging/debian/control |
	sed 's/debhelper-compat/debhelper/' | tr '\n' ,)
cat >"$tmp/build.sh" <<'EOF'
set -e
cd /b
make deb >build.out 2>&1 || { cat build.out; exit 1; }
cd build/deb
lintian --allow-root *.changes >lintian 2>&1 || true
EOF
check "the packages build where just their build dependencies are" root buildd "${needs}lintian" \
	--customize-hook='mkdir "$1/b" && tar -x -f '"$tmp"'/source.tar -C "$1/b" && cp '"$tmp"'/build.sh "$1/b/"' \
	--customize-hook='chroot "$1" env -u TMPDIR HOME=/root LC_ALL=C.UTF-8 sh /b/build.sh' \
	--customize-hook='mkdir -p '"$tmp"'/debs && cp "$1"/b/build/deb/* '"$tmp"'/debs/'
is "$(cd "$tmp/debs" && ls ./*.deb | sed 's/_.*//;s/^..//' | grep -v dbgsym | tr '\n' ' ')" \
	"libperfctr-dev libperfctr-events1 libperfctr5 perfctr-dkms perfctr-xen-source perfex xen-perfctr " "there are these"
is "$(grep -E '^(E|W):' "$tmp/debs/lintian")" "" "lintian has no errors and no warnings"
is "$(grep -iE 'warning: ' "$tmp/debs/build.log")" "" "... and building had none"
# All of what "make install" installs is in some package, but for the module itself.
is "$(for deb in "$tmp"/debs/*.deb; do dpkg-deb -c "$deb"; done | awk '$6 ~ /man3\/[a-z_]*\.3\.gz$/' | wc -l)" \
	"$(($(sed -n '/^global:/,/^local:/p' libperfctr/*.map | grep -c ';$') + 2))" "a manual page for each function"

# --- installed, used, purged ---
mkdir "$tmp/t" "$tmp/t/debs"
cp "$tmp"/debs/*.deb "$tmp/t/debs/" && rm -f "$tmp"/t/debs/*dbgsym*
cp "$here/fresh.sh" "$top/tests/system/guest/tap.sh" "$tmp/t/"
fresh() {
	root apt ca-certificates \
		--customize-hook='cp -r '"$tmp"'/t "$1/t"' \
		--customize-hook='chroot "$1" env -u TMPDIR HOME=/root sh /t/fresh.sh >'"$tmp"'/fresh.tap' \
		--customize-hook='cp -r "$1/t/modules" '"$tmp"'/' >"$tmp/fresh.log" 2>&1 ||
		sed 's/^/# /' "$tmp/fresh.log"
	cat "$tmp/fresh.tap"
}
subtests fresh

# --- in a guest ---
use() {
	for deb in "$tmp"/t/debs/libperfctr*.deb; do
		dpkg-deb -x "$deb" "$tmp/x" || return 1
	done
	libperfctr/man/example libperfctr/man/libperfctr.3 libperfctr >"$tmp/use.c"
	gcc -Wall -Werror -I"$tmp/x/usr/include" -L"$tmp/x/usr/lib/x86_64-linux-gnu" -o "$tmp/put/use" "$tmp/use.c" -lperfctr
}
mkdir "$tmp/put"
cp "$top/tests/system/guest/tap.sh" "$here/in-guest.sh" "$tmp/put/"
for package in libperfctr5 perfex; do
	cp "$tmp/t/debs/${package}"_*.deb "$tmp/put/$package.deb"
done
check "a program is built with the packages" use
# The machine's kernel is the one whose headers are here.
kernel=${PERFCTR_KERNEL:-$(for dir in /usr/src/linux-headers-*-amd64; do echo "${dir#*/linux-headers-}"; done | sort -V | tail -n 1)}
module=$tmp/modules/$kernel/perfctr.ko
if [ -e "$module" ]; then
	export PERFCTR_MODULE="$module"
	subtests tests/machine/run --cpu amd --guest pv --timeout 600 --put "$tmp/put" -- \
		sh /put/in-guest.sh "$(modinfo -F srcversion "$module")"
else
	fail "DKMS has built the module for the machine's kernel" "$kernel: Debian's archive has no headers for it, or others are newer"
fi
done_testing
