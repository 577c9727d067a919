#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What can be said of the sources without running them.

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
. "$here/guest/tap.sh"
cd "$top" || exit 1

check "the Xen series is well-formed, its ABI header is the module's" xen-patches/check

# On a copy: others use the module that is built here.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r guest-module "$work/"
try make -C "$work/guest-module" check
is "$STATUS" 0 "the module builds under W=1 and sparse, warnings being errors"
warnings=$(printf '%s\n%s\n' "$OUT" "$ERR" | grep -i 'warning' || true)
is "$warnings" "" "... and without a warning"

untagged=$(git ls-files | grep -E '\.(c|h|S|t|sh|py|pl|lds|ld)$|(^|/)(Makefile|Kbuild|run|build|domu|init|start|toolstack|check|deps|demo|tree|refresh)$' |
	while read -r file; do
		[ -f "$file" ] && { head -n 5 "$file" | grep -q SPDX-License-Identifier || echo "$file"; }
	done)
is "$untagged" "" "every source file has an SPDX line"
is "$(git ls-files -z | xargs -0 grep -lE '(deb|snapshot|security)\.debian\.org|https?://[^ ]*/debian' 2>/dev/null || true)" "" \
	"no package host is named"
done_testing
