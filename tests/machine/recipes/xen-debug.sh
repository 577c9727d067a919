# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hypervisor with our patches, with assertions and the schedulers that only a
# debug build has.

. "$here/recipes/xen-patched.sh"
xen_config=CONFIG_DEBUG=y
