# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hypervisor with our patches, with assertions and the schedulers that only a
# debug build has.

. "$here/recipes/xen-patched.sh"
xen_config=CONFIG_DEBUG=y
# Xen tests itself when it boots, and warns, for three seconds, that an access to the stack with an
# address that is not canonical raised #GP and not #SS, as it does in TCG. Under icount the three
# seconds are a minute.
xen_change=no_wait

no_wait() {
	sed -i 's/mdelay(10)/mdelay(0)/' xen/common/warning.c && grep -q 'mdelay(0)' xen/common/warning.c
}
