# SPDX-License-Identifier: GPL-2.0-or-later
#
# For the tests here, with $here: TAP, the clone as working directory, and $tmp, which is
# gone when they end.

top=$(cd "$here/../.." && pwd)
. "$top/tests/system/guest/tap.sh"
cd "$top" || exit 1
mkdir -p build
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The library and perfex as they are installed, below $tmp. One at a time: it is where the
# unit tests build, too.
install_library() {
	flock build/unit.lock make -s -C libperfctr install DESTDIR="$tmp" PREFIX=/usr >"$tmp/log" 2>&1 ||
		{ cat "$tmp/log"; echo "Bail out! make install failed"; exit 1; }
}

# exported MAP...: the functions that shared libraries export
exported() {
	cat "$@" | sed -n '/^global:/,/^local:/s/^[[:space:]]*\([a-z_]*\);$/\1/p'
}
