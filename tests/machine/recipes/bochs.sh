# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bochs: the upstream archive of Debian 13's source package (Debian 12's version has half
# the speed) with our patches; one CPU, no debugger, no display. Its firmware is SeaBIOS,
# from the same archive; boot is the boot sector of the machine's disk.

suite=trixie
patches=$here/bochs/patches
options="--enable-instrumentation=instrument/pmu --with-nogui --enable-all-optimizations
	--enable-cpu-level=6 --enable-x86-64 --enable-vmx=2 --enable-avx --enable-evex
	--enable-pci --disable-docbook --disable-debugger --disable-readline --disable-gameport"

ingredients() {
	apt=$(apt_dir $suite)
	source_version bochs
	cat "$here/bochs/boot.S"
	cd "$patches"
	cat series
	grep -v '^ *\(#\|$\)' series | xargs cat
}

bake() {
	need gcc g++ make patch ld
	apt=$(apt_dir $suite)
	step "fetching Debian's source" fetch_upstream bochs "$(source_version bochs)" source
	cd source
	grep -v '^ *\(#\|$\)' "$patches/series" | while read -r name _; do
		step "patch $name" patch -p1 -f -i "$patches/$name" || exit 1
	done
	cc=$(compiler)
	flags="-O3 -fomit-frame-pointer"
	step configuring ./configure CC="$cc" CXX="${cc%gcc}g++" CFLAGS="$flags" CXXFLAGS="$flags" $options
	step compiling nice make -j "$jobs" bochs
	strip -g -o "$1/bochs" bochs
	cp bios/bios.bin-* "$1/bios.bin"
	cp bios/vgabios-cirrus.bin-* "$1/vgabios.bin"
	gcc -m32 -c -o boot.o "$here/bochs/boot.S"
	ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$1/boot" boot.o
	chmod -x "$1/boot"
}
