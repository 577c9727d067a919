# SPDX-License-Identifier: GPL-2.0-or-later
#
# The root file system of all guests (root.sqfs), and the kernel (vmlinux): the
# one whose headers are installed here, because perfctr.ko is built with those.
# The kernel is unpacked already: doing that in the emulated machine takes seconds
# at every boot. The file system isn't compressed, for the same reason.

packages="mount hostname procps kmod busybox-static strace
	xen-utils-4.17 qemu-system-xen libpfm4 libdw1 libprotobuf-c1 zlib1g bzip2 gzip xz-utils"
# The kernel's modules, in the root file system and for the initramfs (which needs them to
# find the root file system); what they depend on comes along.
boot_modules="phram mtdblock_ro squashfs overlay"
modules="xen-evtchn xen-gntdev xen-privcmd xenfs xen-blkback xen-blkfront loop msr cpuid"

kernel() {
	abi=${PERFCTR_KERNEL:-$(ls -d /usr/src/linux-headers-*-amd64 2>/dev/null |
		sed 's/.*linux-headers-//' | sort -V | tail -n 1)}
	[ -n "$abi" ] || die "linux-headers-amd64 is not installed"
	echo "$abi"
}

ingredients() {
	versions $packages "linux-image-$(kernel)"
}

bake() {
	need mmdebstrap mksquashfs depmod modprobe dpkg-deb
	kernel=$(kernel)
	image=linux-image-$kernel

	step "fetching the kernel" fetch_package "$image" "$(versions "$image" | cut -d ' ' -f 2)"
	dpkg-deb -x ./*.deb kernel
	python3 "$here/lib/unpack-kernel.py" "kernel/boot/vmlinuz-$kernel" "$1/vmlinux"
	depmod -b kernel "$kernel"
	all=kernel/lib/modules/$kernel
	extra=extra/usr/lib/modules/$kernel
	mkdir -p "$extra" extra/boot "$1/modules"
	files() {
		for module; do
			modprobe -d "$PWD/kernel" -S "$kernel" --show-depends "$module"
		done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
	}
	files $modules | while read -r file; do
		name=${file#*/lib/modules/"$kernel"/}
		mkdir -p "$extra/$(dirname "$name")"
		cp "$file" "$extra/$name"
	done
	cp "$all"/modules.order "$all"/modules.builtin* "$extra/"
	depmod -b extra/usr "$kernel"
	for file in $(files $boot_modules); do
		cp "$file" "$1/modules/"
		basename "$file" .ko
	done >"$1/modules/order"
	cp "$1/vmlinux" extra/boot/

	mode=auto
	[ "$(id -u)" != 0 ] || mode=root
	step "installing packages" mmdebstrap --mode=$mode --variant=essential --architectures=amd64 \
		--include="$(echo $packages | tr ' ' ,)" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/iso-codes/*' --dpkgopt='path-exclude=/usr/share/xml/*' \
		--aptopt='Acquire::Languages "none"' \
		--customize-hook='rm -rf "$1"/var/cache/* "$1"/var/log/*.log "$1"/etc/hostname' \
		--customize-hook="copy-in $PWD/extra/usr/lib/modules /usr/lib" \
		--customize-hook="copy-in $PWD/extra/boot/vmlinux /boot" \
		--customize-hook='mkdir -p "$1"/lab "$1"/get "$1"/put' \
		bookworm root.tar "$apt/parts/debian.sources"
	step "packing the file system" sh -c "mksquashfs - '$1/root.sqfs' -tar -noI -noD -noF -noX \
		-quiet -no-progress -mkfs-time 0 <root.tar"
}
