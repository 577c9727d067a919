# SPDX-License-Identifier: GPL-2.0-or-later
#
# QEMU: Debian 12's source package with our patches, only the x86 system
# emulator, only the devices the machine has.

patches=$here/qemu/patches
options="--target-list=x86_64-softmmu --without-default-features --enable-system
	--enable-tcg --enable-fdt=system --disable-docs --disable-werror --disable-debug-info
	--without-default-devices --with-devices-x86_64=laboratory"
devices="I440FX Q35 ISA_DEBUG IVSHMEM_DEVICE AMD_IOMMU"

ingredients() {
	source_version qemu
	[ ! -e "$patches/series" ] || (
		cd "$patches"
		cat series
		grep -v '^ *\(#\|$\)' series | xargs cat
	)
}

bake() {
	need gcc ninja meson pkg-config
	step "fetching Debian's source" fetch_source qemu "$(source_version qemu)" source
	cd source
	if [ -e "$patches/series" ]; then
		grep -v '^ *\(#\|$\)' "$patches/series" | while read -r name _; do
			step "patch $name" patch -p1 -f -i "$patches/$name" || exit 1
		done
	fi
	for device in $devices; do
		echo "CONFIG_$device=y"
	done >configs/devices/x86_64-softmmu/laboratory.mak
	# Debian's Python and Meson, whatever else comes first in the user's PATH
	PATH=/usr/bin:$PATH
	step configuring ./configure "--cc=$(compiler)" $options
	step compiling nice ninja -C build -j "$jobs" qemu-system-x86_64
	strip -g -o "$1/qemu-system-x86_64" build/qemu-system-x86_64
}
