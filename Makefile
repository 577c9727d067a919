# SPDX-License-Identifier: GPL-2.0-or-later
#
# perfctr-xen.  "make demo" shows it, "make check" tests it; both set up what
# they need.  "make help" lists the rest.

SHELL := /bin/bash
.DELETE_ON_ERROR:

# The parts are built one after the other: two heavy builds at once only slow
# each other down on a small machine.
.NOTPARALLEL:

TOP    := $(CURDIR)
GUEST  := $(TOP)/build/guest
LIBDIR := /usr/lib/x86_64-linux-gnu
RUN    := tests/machine/run
PREFIX ?= /usr/local
XEN_TREE ?= $(TOP)/build/xen

.PHONY: help
help:
	@sed -n 's/^## //p' $(firstword $(MAKEFILE_LIST))

## Everybody:
##   make demo           set up, boot the patched Xen, count a real program in a guest
##   make check          set up, run all tests but the long ones      (TESTS=... for some)
##   make check-long     the tests that take too long for "make check"
##   make deps           install the Debian packages needed (as root), or say how
.PHONY: deps
deps:
	@tests/deps

.PHONY: demo
demo: deps guest
	@tests/machine/build qemu xen-patched image initrd
	@tests/demo/demo

.PHONY: check
check: deps guest
	@tests/machine/build all
	@tests/check $(TESTS)

.PHONY: check-long
check-long: deps guest
	@tests/machine/build all
	@tests/check --long

##   make soak           everything at random, in 20 machines, for HOURS=8 in all of their own time
.PHONY: soak
soak: deps guest
	@tests/soak/soak --hours $(or $(HOURS),8) $(SOAK)

##   make bench          the cost table, ours beside upstream's: text, tests/bench/costs.{csv,svg}
.PHONY: bench
bench: deps guest
	@tests/machine/build all
	@tests/bench/bench --run $(RUN)

##   make spec-like      programs of SPEC CPU2006 natively and in guests: text, docs/spec-like.{md,csv,svg}
##                       (SPEC_LIKE="--programs bzip2,gcc --cpu amd"; --help lists more)
.PHONY: spec-like
spec-like: deps guest
	@tests/machine/build qemu xen-patched image initrd spec-like
	@tests/spec-like/spec-like $(SPEC_LIKE)

##   make check-papi     PAPI's own ctests on libperfctr, in PV and PVH guests, beside perf natively
.PHONY: check-papi
check-papi: deps guest
	@tests/machine/build all
	@tests/papi/check $(CHECK_PAPI)

## Parts, for the emulated machine and for a real host:
##   make guest          module, library, perfex and test programs into build/guest/
##   make module         guest-module/perfctr.ko        (KDIR=... for another kernel)
##   make lib            libperfctr and perfex
##   make machine        the emulated machine: QEMU, Xen, root file system
##   make install        library, perfex, module, udev rule          (DESTDIR=, PREFIX=)
##   make uninstall      removes these                               (DESTDIR=, PREFIX=)
##   make tools          xen-perfctr, which shows and sets the host's policy, in build/tools/
##   make install-tools  xen-perfctr, for dom0                       (DESTDIR=, PREFIX=)
##   make deb            Debian packages of all of it, in build/deb/
.PHONY: guest module lib programs tools machine install uninstall install-tools deb
guest: module lib programs tools
	@$(MAKE) -s -C libperfctr install DESTDIR=$(GUEST) PREFIX=/usr LIBDIR=$(LIBDIR)
	@$(MAKE) -s -C tests/programs install DESTDIR=$(GUEST)
	@$(MAKE) -s -C tests/xtf install DESTDIR=$(GUEST)
	@install -D -m 644 guest-module/perfctr.ko $(GUEST)/lib/perfctr.ko
	@install -D -m 755 build/tools/xen-perfctr $(GUEST)/usr/sbin/xen-perfctr
	@$(MAKE) -s -C tests/fuzz/guest install DESTDIR=$(GUEST) KDIR=$$($(MAKE) -s --no-print-directory -C guest-module print-kdir)
	@$(MAKE) -s -C tests/fault install DESTDIR=$(GUEST) KDIR=$$($(MAKE) -s --no-print-directory -C guest-module print-kdir)
	@if [ -f guest-module/tests/Makefile ]; then \
		$(MAKE) -s -C guest-module/tests install DESTDIR=$(GUEST); fi

module:
	@echo "== guest-module" >&2
	@$(MAKE) -s -C guest-module module

lib:
	@echo "== libperfctr, perfex" >&2
	@$(MAKE) -s -C libperfctr

programs: lib
	@echo "== test programs" >&2
	@$(MAKE) -s -C tests/programs

# The source is in the series for Xen; built here with the headers and libraries
# of the toolstack that is installed.
tools: build/tools/xen-perfctr

build/tools/xen-perfctr: $(wildcard xen-patches/4.17/*) guest-module/include/xen-public/perfctr.h
	@echo "== xen-perfctr" >&2
	@install -D -m 644 guest-module/include/xen-public/perfctr.h build/tools/include/xen/arch-x86/perfctr.h
	@xen-patches/file tools/misc/xen-perfctr.c >build/tools/xen-perfctr.c
	@$(CC) -O2 $(CPPFLAGS) $(CFLAGS) -Wall -Wextra -Werror -D__XEN_TOOLS__ \
		-Ibuild/tools/include $(LDFLAGS) -o $@ build/tools/xen-perfctr.c \
		-lxencall -lxenstore

machine: deps
	@tests/machine/build all

install: module lib
	$(MAKE) -C libperfctr install
	$(MAKE) -C guest-module module-install rules-install
	@[ -n "$(DESTDIR)" ] || { \
		echo "the group perfctr and the udev rule are in force after:"; \
		echo "    ldconfig; systemd-sysusers; udevadm control --reload"; }

# What "install" installs elsewhere, and from there: so there is one list.
uninstall: module lib
	@set -e; root=$$(mktemp -d); trap 'rm -rf "$$root"' EXIT; \
	$(MAKE) -s install DESTDIR="$$root" >"$$root/log" 2>&1 || { cat "$$root/log" >&2; exit 1; }; \
	rm "$$root/log"; \
	(cd "$$root" && find . ! -type d -printf '%P\0') | (cd "$(DESTDIR)/" && xargs -0 rm -f); \
	rmdir "$(DESTDIR)$(PREFIX)/share/doc/perfex/examples" "$(DESTDIR)$(PREFIX)/share/doc/perfex"; \
	[ -n "$(DESTDIR)" ] || for kernel in "$$root"/lib/modules/*; do depmod "$${kernel##*/}"; done

install-tools: tools
	@install -D -m 755 build/tools/xen-perfctr $(DESTDIR)$(PREFIX)/sbin/xen-perfctr
	@install -D -m 644 packaging/xen-perfctr.8 $(DESTDIR)$(PREFIX)/share/man/man8/xen-perfctr.8
	@install -D -m 644 packaging/xen-perfctr.completion \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/xen-perfctr

deb:
	@packaging/deb $(TOP)/build/deb

## Xen patches:
##   make xen-tree       a patched Xen git tree in build/xen         (XEN_TREE=...)
##   make xen-refresh    regenerate the series from that tree
##   make xen-check      the series is well-formed; ABI header in step with the module's
.PHONY: xen-tree xen-refresh xen-check
xen-tree: deps
	xen-patches/tree "$$(tests/machine/build --print xen-source)" $(XEN_TREE)

xen-refresh:
	xen-patches/refresh $(XEN_TREE)

xen-check:
	xen-patches/check

## Tidying:
##   make clean          products in the clone    (the machine's cache stays: "make clean-cache")
.PHONY: clean clean-cache
clean:
	-$(MAKE) -s -C guest-module clean
	-$(MAKE) -s -C libperfctr clean
	-$(MAKE) -s -C tests/programs clean
	-$(MAKE) -s -C tests/unit clean
	-$(MAKE) -s -C tests/fuzz clean
	rm -rf build

clean-cache:
	rm -rf "$${PERFCTR_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/perfctr-xen}"
