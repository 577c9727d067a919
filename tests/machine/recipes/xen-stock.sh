# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hypervisor of Debian 12 as it is: the peer we compare with.

xen_version=4.17.5+72-g01140da4e8-1
xen_patches=

ingredients() {
	cat "$here/lib/xen.sh"
	xen_ingredients
}

bake() {
	xen_bake "$1"
}

. "$here/lib/xen.sh"
