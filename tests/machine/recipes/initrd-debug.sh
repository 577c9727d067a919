# SPDX-License-Identifier: GPL-2.0-or-later
#
# The initramfs, with the modules of image-debug's kernel.

. "$here/recipes/initrd.sh"
image_part=image-debug
