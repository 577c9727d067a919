#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The PMU of the patched Bochs, and VMX, tested natively: ../bochs/test.

here=$(cd "$(dirname "$0")/.." && pwd)
bochs=$("$here/bochs/have") || {
	echo "$bochs"
	exit 0
}
exec "$here/bochs/test" "$bochs"
