# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds a hypervisor from Debian's source package of $xen_version and the
# patches *.patch in the directory $xen_patches. $xen_config, if it is set, is one
# line for Xen's configuration, which is the default one otherwise; $xen_change a command
# for the source.

xen_ingredients() {
	echo "$xen_version" ${xen_config:-} ${xen_change:-}
	[ -z "$xen_patches" ] || {
		ls "$xen_patches"/*.patch >/dev/null 2>&1 || die "there is no patch in $xen_patches"
		cat "$xen_patches"/*.patch
	}
}

xen_bake() {
	need gcc make bison flex
	step "fetching Debian's source" fetch_source xen "$xen_version" source
	cd source
	[ -z "$xen_patches" ] || for file in "$xen_patches"/*.patch; do
		step "patch ${file##*/}" patch -p1 -f -i "$file" || exit 1
	done
	${xen_change:-:} || exit 1
	if [ -n "${xen_config:-}" ]; then
		echo "$xen_config" >xen/.config
		step configuring make -C xen olddefconfig PYTHON=/usr/bin/python3
	fi
	# No name of the building machine or person, no date: the same source gives
	# the same hypervisor.
	step compiling nice make -C xen -j "$jobs" CC="$(compiler)" debug=n PYTHON=/usr/bin/python3 \
		XEN_BUILD_DATE="1970-01-01" XEN_BUILD_TIME="00:00:00" XEN_BUILD_HOST=lab \
		XEN_WHOAMI=lab XEN_DOMAIN=lab
	cp xen/xen.gz xen/xen-syms "$1/"
	cp xen/.config "$1/config"
}
