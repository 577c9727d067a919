# SPDX-License-Identifier: GPL-2.0-or-later
#
# PAPI: Debian 12's source package, built three times, with its ctests: perf_event/ for Linux's
# perf, with Debian's libpfm4, as Debian builds it; perfctr/ for our libperfctr, with the
# patches of papi/patches; component/ with our own component, papi/component, on
# libperfctr-events.  perfctr/examples: perfctr 2.6's own, which that package carries.
# libperfctr.so is the guest's; only its interface matters here.  The loops of the tests are
# a tenth as long as they were, and so are the periods of their samples: an emulated CPU is
# slow.

patches=$top/papi/patches
component=$top/papi/component/perfctr_xen
tools="papi_avail papi_component_avail papi_native_avail"
# what ctests take from another folder of tests
testcode="branches_testcode.o busy_work.o display_error.o flops_testcode.o instructions_testcode.o"

ingredients() {
	source_version papi
	versions libpfm4-dev
	cat "$top"/libperfctr/include/*.h "$top"/libperfctr/*.map "$top"/papi/component/perfctr_xen/*
	cd "$patches"
	cat series
	xargs cat <series
}

# shorter DIR: the tests' loops a tenth as long, and the periods of their samples
shorter() {
	tests=$1/ctests
	sed -i -e 's/\(NUM_FLOPS *2000000\|NUM_MISSES *200000\|NUM_ITERS *100000\|THRESHOLD *100000\)0$/\1/' \
		-e 's/\(NUM_WORK_SECONDS\) 2/\1 1/' -e 's/16\*1024\*1024/1024*1024/' "$1/testlib/do_loops.h"
	sed -i 's/\(NUM_ITERS *100000\)0$/\1/' "$1/testlib/clockcore.c"
	sed -i -e 's/\(NUM_FLOPS *2000000\)0$/\1/' "$tests"/sdsc*.c
	sed -i 's/"100000000"/"10000000"/' "$tests"/attach[23].c
	sed -i 's/iters = 10000000;/iters = 1000000;/' "$tests/branches.c"
	sed -i -e 's/\(THR *100000\)0$/\1/' -e 's/\(FLOPS *10000000\)0$/\1/' "$tests/profile_pthreads.c"
	sed -i 's/16 \* ( 1024 \* 1024 )/1024 * 1024/' "$tests/memory.c"
}

# built KIND OPTION...: builds the tree KIND
built() {
	kind=$1
	shift
	cd "$kind/src"
	# What it links with at run time is not where the linker looks.
	LD_LIBRARY_PATH=$work/prefix/usr/lib:$PWD/libpfm-3.y/lib
	PAPI_PERFCTR_XEN_ROOT=$work/prefix/usr
	export LD_LIBRARY_PATH PAPI_PERFCTR_XEN_ROOT
	./configure CC="$(compiler)" --with-shared-lib=yes --with-static-lib=no --with-shlib-tools "$@" || return
	# It looks for libpfm.a before it has made it.
	[ "$kind" != perfctr ] || make -C libpfm-3.y ARCH=x86_64 CC="$(compiler)" lib || return
	make -j "$jobs" shared &&
		make -j "$jobs" -C testlib &&
		make -j "$jobs" -C validation_tests $testcode &&
		make -j "$jobs" -C utils $tools &&
		make -j "$jobs" -C ctests
}

# kept KIND DIR: what the guest needs
kept() {
	mkdir -p "$2/ctests" "$2/lib"
	find "$1/src/ctests" -maxdepth 1 -type f -perm -100 ! -name '*.*' | while read -r file; do
		strip -o "$2/ctests/$(basename "$file")" "$file" || exit 1
	done
	cp -P "$1"/src/libpapi.so.* "$2/lib/"
	for tool in $tools; do
		strip -o "$2/$tool" "$1/src/utils/$tool" || exit 1
	done
	cp "$1/src/papi_events.csv" "$2/"
}

# What a user does with the component, and no other for the CPU; 7.0 looks for Linux's perf
# itself.
with_component() {
	cp -r "$component" component/src/components/ &&
		built component --with-components=perfctr_xen --disable-perf-event --disable-perf-event-uncore \
			ac_cv_file__proc_sys_kernel_perf_event_paranoid=no
}

libraries() {
	make -s -C "$top/libperfctr" O="$work/libperfctr" install DESTDIR="$work/prefix" PREFIX=/usr
}

bake() {
	need gcc make patch
	work=$PWD
	step "libperfctr" libraries
	step "fetching Debian's source" fetch_source papi "$(source_version papi)" perf_event
	step "shorter tests" shorter perf_event/src
	cp -r perf_event perfctr
	cp -r perf_event component
	while read -r name; do
		step "patch $name" patch -d perfctr -p1 -f -i "$patches/$name" || exit 1
	done <"$patches/series"
	step "compiling, for perf_event" built perf_event --with-perf-events \
		--with-pfm-incdir=/usr/include --with-pfm-libdir=/usr/lib/x86_64-linux-gnu
	step "compiling, for libperfctr" built perfctr --with-perfctr --with-perfctr-prefix="$work/prefix/usr"
	step "compiling, for libperfctr-events" with_component
	for kind in perf_event perfctr component; do
		kept $kind "$1/$kind"
	done
	cp -P perfctr/src/libpfm-3.y/lib/libpfm.so.* "$1/perfctr/lib/"
	mkdir "$1/perfctr/examples"
	for name in self signal global perfex; do
		source=perfctr/src/perfctr-2.6.x/examples/$name
		# glibc has renamed struct ucontext since, no period may be as short as signal's, and
		# Linux no longer pads the length of a control message that it shortens.
		sed -i 's/= -25;/= -2500;/' "$source/x86.c"
		sed -i -e 's/^#define N 150$/#define N 15000/' \
			-e 's/msg_controllen == CMSG_FD_PADDED_SIZE/msg_controllen == CMSG_FD_TRUE_SIZE/' "$source/$name.c"
		# Without optimization: signal's loop has no result that anybody uses.
		step "perfctr 2.6's $name" gcc -O0 -w -Ducontext=ucontext_t -I"$work/prefix/usr/include" \
			-o "$1/perfctr/examples/$name" "$source/$name.c" "$source/x86.c" \
			-L"$work/prefix/usr/lib" -lperfctr
	done
}
