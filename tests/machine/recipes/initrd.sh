# SPDX-License-Identifier: GPL-2.0-or-later
#
# The initramfs of all guests: busybox, the modules that lead to the root file
# system, guest/init and guest/mailbox.c. And the firmware of HVM domains, which
# loads that. Built in a moment.

image_part=${image_part:-image}

ingredients() {
	part "$image_part"
	cat "$here/guest/init" "$here/guest/mailbox.c" "$here"/guest/firmware/*
}

bake() {
	need gcc cpio unsquashfs
	image=$(part "$image_part")
	mkdir -p tree/bin
	unsquashfs -q -n -d root "$image/root.sqfs" usr/bin/busybox bin/busybox >/dev/null 2>&1 || :
	cp "$(find root -name busybox -type f | head -n 1)" tree/bin/
	cp -r "$image/modules" tree/modules
	step "compiling" gcc -O2 -Wall -static -o tree/bin/mailbox "$here/guest/mailbox.c"
	# No library, nothing that needs an initialised FPU or a stack of some size
	step "compiling the firmware" gcc -O2 -Wall -m64 -ffreestanding -fno-pic -no-pie \
		-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fcf-protection=none \
		-fno-asynchronous-unwind-tables -nostdlib -static -Wl,--build-id=none \
		-Wl,--oformat=binary -Wl,-T,"$here/guest/firmware/link.ld" \
		-o "$1/firmware" "$here/guest/firmware/start.S" "$here/guest/firmware/main.c"
	cp "$here/guest/init" tree/init
	chmod 755 tree/init tree/bin/*
	find tree -exec touch -h -d @0 {} +
	(cd tree && find . | sort | cpio -o -H newc --reproducible --quiet -R 0:0) >"$1/initrd"
}
