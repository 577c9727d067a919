# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hypervisor with our patches, with assertions and the schedulers that only a
# debug build has.

xen_version=4.17.5+72-g01140da4e8-1
xen_patches=$top/xen-patches/4.17
xen_config=CONFIG_DEBUG=y

ingredients() {
	cat "$here/lib/xen.sh"
	xen_ingredients
}

bake() {
	xen_bake "$1"
}

. "$here/lib/xen.sh"
