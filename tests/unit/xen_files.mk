# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hypervisor's files, in their places below $(X), as they are after the last
# patch of the series, or with XEN=DIRECTORY in that patched tree of Xen. What else
# they include is empty there: xen_host.h has it. To be included with O, where all
# is built.

series := ../../xen-patches/4.17
XEN    ?=
X      := $(O)/xen
xen    := $(X)/xen/arch/x86/perfctr
xen_files := xen/arch/x86/perfctr xen/arch/x86/include/asm/perfctr.h \
	     xen/include/public/arch-x86/perfctr.h

$(X)/extracted: $(wildcard $(series)/*) $(if $(XEN),$(wildcard $(XEN)/xen/arch/x86/perfctr/*) \
		$(XEN)/xen/include/public/arch-x86/perfctr.h) ../unit/xen_files.mk
	rm -rf $(X)
	mkdir -p $(X)
	if [ -n "$(XEN)" ]; then \
		(cd $(XEN) && tar -cf - $(xen_files)) | tar -C $(X) -xf -; \
	else \
		while read -r patch; do \
			GIT_CEILING_DIRECTORIES=$(abspath $(O)) git -C $(X) apply \
				--include='xen/arch/x86/perfctr/*.[ch]' \
				--include='xen/arch/x86/include/asm/perfctr.h' \
				--include='xen/include/public/arch-x86/perfctr.h' \
				"$(abspath $(series))/$$patch" || exit 1; \
		done <$(series)/series; \
	fi
	for header in $$(sed -n 's/^#include <\(.*\)>/\1/p' $(xen)/*.c $(xen)/*.h \
			$(X)/xen/arch/x86/include/asm/*.h); do \
		[ -f "$(X)/xen/arch/x86/include/$$header" ] || \
		[ -f "$(X)/xen/include/$$header" ] || \
		{ mkdir -p "$(X)/empty/$$(dirname "$$header")" && \
		  : >"$(X)/empty/$$header"; } || exit 1; \
	done
	touch $@
