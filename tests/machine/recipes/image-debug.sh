# SPDX-License-Identifier: GPL-2.0-or-later
#
# The image with another kernel: Debian's source, small, with what finds errors of a module:
# KASAN, lockdep (PROVE_LOCKING, PROVE_RCU), kmemleak, DEBUG_ATOMIC_SLEEP, DEBUG_OBJECTS.
# build/ is what modules are built with. PERFCTR_IMAGE and PERFCTR_INITRD (initrd-debug) make
# tests/machine/run take it: tests/debug-kernel.

kasan=${kasan:-y}
source=linux-source-6.1
config=$here/recipes/image-debug.config
# What a PVH kernel executes before KASAN has shadow memory
early="KASAN_SANITIZE_enlighten.o=n KASAN_SANITIZE_enlighten_pvh.o=n KASAN_SANITIZE_vga.o=n
	KASAN_SANITIZE_string.o=n KASAN_SANITIZE_common.o=n"

ingredients() {
	part image
	versions $source
	cat "$config"
}

# the options of $config as one "NAME=VALUE" a line
wanted() {
	sed -n '/^CONFIG_/p' "$config" | if [ $kasan = y ]; then cat; else grep -v _KASAN; fi
}

configured() {
	make -s tinyconfig || return
	wanted >wanted
	scripts/kconfig/merge_config.sh -m .config wanted && make -s olddefconfig || return
	# What depends on something else is dropped without a word.
	wanted | grep -v '=n$' | while read -r option; do
		grep -qxF "$option" .config || {
			echo "$option is not in the configuration"
			return 1
		}
	done
}

# What modules are built with, out of the tree that has been built, to $1
kept() {
	mkdir "$1"
	cp -r Makefile .config Module.symvers include scripts "$1"
	mkdir -p "$1/arch/x86" "$1/tools/objtool" "$1/kernel"
	cp -r arch/x86/include arch/x86/Makefile* arch/x86/tools "$1/arch/x86/"
	cp tools/objtool/objtool "$1/tools/objtool/"
	find "$1" \( -name '*.o' -o -name '.*.cmd' \) -delete
}

bake() {
	need gcc make bc flex bison depmod dpkg-deb strip unsquashfs mksquashfs
	image=$(part image)
	step "fetching the source" fetch_package $source "$(versions $source | cut -d ' ' -f 2)"
	dpkg-deb --fsys-tarfile $source*.deb | tar -xO "./usr/src/$source.tar.xz" | tar -xJ
	rm ./*.deb
	cd "$source"
	step "configuring" configured
	# shellcheck disable=SC2086 # some words
	step "compiling" make -j "$jobs" CC="$(compiler)" $early vmlinux modules
	strip -g -o "$1/vmlinux" vmlinux
	step "installing modules" make INSTALL_MOD_PATH="$PWD/tree/usr" INSTALL_MOD_STRIP=1 modules_install
	kernel=$(make -s kernelrelease)
	rm -f "tree/usr/lib/modules/$kernel/build" "tree/usr/lib/modules/$kernel/source"
	mkdir "$1/modules"
	for module in phram mtdblock_ro squashfs overlay; do
		modprobe -d "$PWD/tree/usr" -S "$kernel" --show-depends $module
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		cp "$file" "$1/modules/"
		basename "$file" .ko
	done >"$1/modules/order"
	kept "$1/build"

	unsquashfs -q -n -d root "$image/root.sqfs" >/dev/null
	rm -rf root/usr/lib/modules
	cp -r tree/usr/lib/modules root/usr/lib/
	cp "$1/vmlinux" root/boot/vmlinux
	step "packing the file system" mksquashfs root "$1/root.sqfs" -all-root -noI -noD -noF -noX \
		-quiet -no-progress -mkfs-time 0 -all-time 0
}
