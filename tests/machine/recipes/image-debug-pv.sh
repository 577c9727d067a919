# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same for PV guests: Linux has no KASAN in them.

. "$here/recipes/image-debug.sh"
kasan=n
