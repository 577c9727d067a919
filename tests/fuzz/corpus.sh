#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# usage: corpus.sh DIRECTORY
#
# Makes DIRECTORY anew, with the inputs of corpus.txt as libFuzzer reads them: each a file.

rm -rf "$1"
mkdir "$1" || exit 1
perl -e 'while (<STDIN>) { next if /^#/; open my $f, ">", "$ARGV[0]/$." or die; chomp; print $f pack "H*", $_ }' \
	"$1" <corpus.txt
