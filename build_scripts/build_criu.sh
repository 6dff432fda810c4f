#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds CRIU from the source package of Debian's development suite, and prints the program's path.
#
#   build_criu.sh [FOLDER]     FOLDER: where builds are kept (/var/cache/fpga-nova/criu)
#
# Debian's stable suites have versions that dump no socket on Linux 6.16 and later. The suite moves: a
# build that is there is used again, and a new one is whatever version the suite has that day. apt
# checks the signatures. Root runs it, and an ordinary user compiles.
set -eu

folder=${1:-/var/cache/fpga-nova/criu}
mirror=${CRIU_MIRROR:-http://deb.debian.org/debian}
suite=${CRIU_SUITE:-sid}
needs="gcc make pkgconf protobuf-compiler protobuf-c-compiler libprotobuf-dev libprotobuf-c-dev
    libcap-dev libnl-3-dev libnet1-dev uuid-dev xz-utils dpkg-dev"

fail() { echo "Error: $*" >&2; exit 1; }

for program in $(ls -d "$folder"/*/criu 2> /dev/null | sort -rV); do
    if "$program" --version > /dev/null 2>&1; then
        echo "$program"
        exit 0
    fi
done

missing=$(for one in $needs; do
    dpkg-query -W -f '${db:Status-Status}' "$one" 2> /dev/null | grep -qx installed || echo "$one"
done)
[ -z "$missing" ] || fail "packages are missing - run 'apt-get install $(echo $missing)'"

mkdir -p "$folder"
work=$(mktemp -d "$folder/build-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/source"
cat > "$work/suite.sources" << END
Types: deb-src
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
cat > "$work/apt.conf" << END
Dir::Etc::sourcelist "$work/suite.sources";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
Acquire::Languages "none";
Acquire::Retries "2";
APT::Sandbox::User "root";
END
export APT_CONFIG="$work/apt.conf"
log=$work/log
cd "$work"
apt-get update > "$log" 2>&1 || fail "$mirror has no suite $suite: $(tail -n 1 "$log")"
# Debian's own changes are not needed, and a mirror may lack them for a while.
apt-get source --download-only --tar-only criu > "$log" 2>&1 ||
    fail "the source of CRIU is not there: $(tail -n 1 "$log")"
tar -C source --strip-components=1 -xf criu_*.orig.tar.*

chown -R nobody source
chmod 711 "$work"
as_nobody="setpriv --reuid=nobody --clear-groups --no-new-privs --inh-caps=-all"
(cd source && env HOME=/nonexistent $as_nobody nice make -j"$(nproc)" criu) > "$log" 2>&1 ||
    fail "CRIU cannot be built: $(tail -n 1 "$log")"
version=$(source/criu/criu --version | sed -n 's/^Version: //p')
[ -n "$version" ] || fail "what was built does not say its version"
install -d -m 755 "$folder" "$work/new"
install -m 755 -s source/criu/criu "$work/new/criu"
rm -rf "${folder:?}/$version"
mv "$work/new" "$folder/$version"
echo "$folder/$version/criu"
