# SPDX-License-Identifier: GPL-2.0-or-later
#
# The initramfs of all guests: busybox, the modules that lead to the root file
# system, guest/init and guest/mailbox.c. Built in a moment.

ingredients() {
	part image
	cat "$here/guest/init" "$here/guest/mailbox.c"
}

bake() {
	need gcc cpio unsquashfs
	image=$(part image)
	mkdir -p tree/bin
	unsquashfs -q -n -d root "$image/root.sqfs" usr/bin/busybox bin/busybox >/dev/null 2>&1 || :
	cp "$(find root -name busybox -type f | head -n 1)" tree/bin/
	cp -r "$image/modules" tree/modules
	step "compiling" gcc -O2 -Wall -static -o tree/bin/mailbox "$here/guest/mailbox.c"
	cp "$here/guest/init" tree/init
	chmod 755 tree/init tree/bin/*
	find tree -exec touch -h -d @0 {} +
	(cd tree && find . | sort | cpio -o -H newc --reproducible --quiet -R 0:0) >"$1/initrd"
}
