# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests/spec-like: the programs out of Debian's packages, with what they are
# linked to and what they read, in root/, and for each a list of these files.
# Unpacked, not installed: no package's script runs.

spec=$top/tests/spec-like

ingredients() {
	versions $(python3 "$spec/programs.py" packages)
	cat "$spec/programs.py" "$spec/factor.c" "$spec/clock.c"
}

bake() {
	need mmdebstrap readelf gcc tar
	mode=auto
	[ "$(id -u)" != 0 ] || mode=root
	step "unpacking packages" mmdebstrap --mode=$mode --variant=extract --architectures=amd64 \
		--include="$(python3 "$spec/programs.py" packages | tr ' ' ,)" \
		--aptopt='Acquire::Languages "none"' bookworm root.tar "$apt/parts/debian.sources"
	mkdir all
	step "taking them out of the archive" tar -xf root.tar -C all --no-same-owner \
		--exclude=./dev --exclude=./usr/share/doc --exclude=./usr/share/man
	libraries=all/usr/lib/x86_64-linux-gnu
	mkdir -p all/usr/local/bin all/usr/local/lib
	step "compiling" gcc -O2 -Wall -Wextra -Iall/usr/include -o all/usr/local/bin/factor \
		"$spec/factor.c" $libraries/libquantum.so.8 $libraries/libgomp.so.1
	# Before the constructors of other libraries, some of which read the time.
	step "compiling the clock" gcc -O2 -Wall -Wextra -fPIC -shared -nostdlib -Wl,-z,initfirst \
		-o all/usr/local/lib/clock.so "$spec/clock.c"
	step "choosing files" python3 "$spec/programs.py" tree all "$1/root"
	mkdir -p "$1/root/usr/local/lib"
	cp all/usr/local/lib/clock.so "$1/root/usr/local/lib/"
}
