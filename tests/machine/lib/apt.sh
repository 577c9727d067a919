# SPDX-License-Identifier: GPL-2.0-or-later
#
# Debian's packages, in an apt configuration of our own: the machine's configured
# sources of Debian 12, with source packages added, and package lists that
# nobody else changes. Needs no root.

# apt_dir [SUITE]: prints the configuration's directory, made and updated if need be. With a
# suite, one that knows only the source packages of that suite.
apt_dir() {
	need apt-get apt-cache dpkg-source python3 flock
	sources=$(python3 "$here/lib/sources.py" "$@") || exit 1
	apt=$cache/apt-$(echo "$sources" | digest)
	if [ ! -e "$apt/complete" ]; then
		mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
		echo "$sources" >"$apt/parts/debian.sources"
		cat >"$apt/conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/parts";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
Dir::Cache::archives "$apt/cache/archives";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear Acquire::IndexTargets;
Acquire::IndexTargets {
 deb::Packages {
  MetaKey "\$(COMPONENT)/binary-\$(ARCHITECTURE)/Packages";
  flatMetaKey "Packages"; ShortDescription "Packages"; Description "\$(RELEASE)/\$(COMPONENT) \$(ARCHITECTURE) Packages"; Optional "0";
 };
 deb-src::Sources {
  MetaKey "\$(COMPONENT)/source/Sources";
  flatMetaKey "Sources"; ShortDescription "Sources"; Description "\$(RELEASE)/\$(COMPONENT) Sources"; Optional "0";
 };
};
EOF
		apt_update "$apt"
		: >"$apt/complete"
	fi
	echo "$apt"
}

apt_update() (
	exec 7>"$cache/.apt.lock"
	flock 7
	say "reading Debian's package lists"
	apt-get -qq -c "$1/conf" update >"$cache/apt.log" 2>&1 || {
		cat "$cache/apt.log" >&2
		die "cannot read Debian's package lists (network, or the machine's apt sources)"
	}
	rm -f "$1/versions"
)

# version PACKAGE: the version that would be installed
version() {
	found=$(apt-cache -c "$apt/conf" policy "$1" | sed -n 's/^  Candidate: //p')
	case $found in
	'' | '(none)') return 1 ;;
	esac
	echo "$1 $found"
}

# versions PACKAGE...: as above for some. Remembered, as it is asked for at every run.
# When one is unknown, the lists may be old: they are read again, once.
versions() {
	for package; do
		known=$(grep -s "^$package " "$apt/versions") || {
			known=$(version "$package") || {
				apt_update "$apt"
				known=$(version "$package")
			} || die "Debian's archive, as configured here, has no package $package"
			echo "$known" >>"$apt/versions"
		}
		echo "$known"
	done
}

# source_version PACKAGE: the newest version of a source package
source_version() {
	known=$(grep -s "^src:$1 " "$apt/versions") || {
		found=$(apt-cache -c "$apt/conf" showsrc --only-source "$1" 2>/dev/null |
			sed -n 's/^Version: //p' | sort -V | tail -n 1)
		[ -n "$found" ] || die "Debian's archive, as configured here, has no source package $1"
		known="src:$1 $found"
		echo "$known" >>"$apt/versions"
	}
	echo "${known#* }"
}

# fetch_source PACKAGE VERSION DIR: unpacks a source package, patched by Debian's patches.
# The archives are kept; a wrong checksum or a missing file is an error of apt-get.
fetch_source() {
	kept=$cache/sources
	dsc=$kept/$1_${2#*:}.dsc
	if [ ! -e "$dsc" ]; then
		mkdir -p "$kept" fetched
		(
			cd fetched
			get="apt-get -qq -c $apt/conf source --download-only --only-source $1=$2"
			$get || { apt_update "$apt" && $get; }
		) || die "cannot fetch the source package $1 $2"
		mv fetched/*.tar.* "$kept/" && mv fetched/*.dsc "$kept/" || return 1
	fi
	dpkg-source --no-check -x "$dsc" "$3"
}

# fetch_upstream PACKAGE VERSION DIR: unpacks a source package's upstream archive, without
# Debian's patches, which some archives no longer have when a newer version is out.
fetch_upstream() {
	kept=$cache/sources
	upstream=${2#*:}
	tar=$(ls "$kept/$1_${upstream%-*}".orig.tar.* 2>/dev/null) || {
		mkdir -p "$kept" fetched
		(
			cd fetched
			get="apt-get -qq -c $apt/conf source --download-only --tar-only --only-source $1=$2"
			$get || { apt_update "$apt" && $get; }
		) || die "cannot fetch the source package $1 $2"
		mv fetched/*.orig.tar.* "$kept/" || return 1
		tar=$(ls "$kept/$1_${upstream%-*}".orig.tar.*)
	}
	mkdir "$3" && tar -xf "$tar" -C "$3" --strip-components=1
}

# fetch_package PACKAGE VERSION: downloads a binary package to the current directory
fetch_package() {
	apt-get -qq -c "$apt/conf" download "$1=$2" || {
		apt_update "$apt"
		apt-get -qq -c "$apt/conf" download "$1=$2"
	} || die "cannot fetch the package $1 $2"
}
