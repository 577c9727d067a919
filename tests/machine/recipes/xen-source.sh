# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian 12's source of Xen, unpacked: what "make xen-tree" applies the series to.

xen_version=4.17.5+72-g01140da4e8-1

ingredients() {
	echo "$xen_version"
}

bake() {
	step "fetching Debian's source" fetch_source xen "$xen_version" source
	mv source/* source/.[!.]* "$1/" 2>/dev/null || true
	[ -d "$1/xen" ] || die "the source package has no folder xen"
}
