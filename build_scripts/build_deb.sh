#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package of this checkout, for Debian's and Ubuntu's own Nova.
#
#   build_deb.sh FOLDER
#
# It holds the wheel's contents in dist-packages, its commands, rootwrap's filters where Debian's Nova
# reads them, and the units of fpga-api. fpga-cli is not in it: it lives in an environment
# of its own, with libraries newer than Debian's.
set -eu

folder=$(mkdir -p "${1:?usage: build_deb.sh FOLDER}" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# What is built from the same commit is the same to the byte.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH

build_scripts/build_wheel.sh "$folder/wheel" > /dev/null
version=$(basename "$folder"/wheel/fpga_nova-*.whl | cut -d - -f 2)
# Debian sorts a release candidate below its release only with a tilde.
version=$(echo "$version" | sed -E 's/(a|b|rc)([0-9]+)/~\1\2/')-1
packages=$tree/usr/lib/python3/dist-packages
mkdir -p "$packages" "$tree/usr/bin" "$tree/DEBIAN"
python3 -m zipfile -e "$folder"/wheel/fpga_nova-*.whl "$packages"
rm -rf "$packages"/fpga_nova-*.data
rm -f "$packages"/fpga_nova-*.dist-info/RECORD
echo dpkg > "$(echo "$packages"/fpga_nova-*.dist-info)/INSTALLER"

sed -n '/^\[console_scripts\]/,/^$/s/ = /:/p' "$packages"/fpga_nova-*.dist-info/entry_points.txt |
    while IFS=: read -r name module function; do
        printf '#!/usr/bin/python3\nimport sys\n\nfrom %s import %s\n\nsys.exit(%s())\n' \
            "$module" "$function" "$function" > "$tree/usr/bin/$name"
        chmod 755 "$tree/usr/bin/$name"
    done

install -D -m 644 etc/rootwrap.d/fpga.filters "$tree/usr/share/nova/rootwrap/fpga.filters"
install -m 644 etc/rootwrap.d/fpga-live.filters "$tree/usr/share/nova/rootwrap/"
for unit in fpga-api fpga-api-engine; do
    install -D -m 644 "etc/systemd/$unit.service" "$tree/lib/systemd/system/$unit.service"
done
doc=$tree/usr/share/doc/fpga-nova
mkdir -p "$doc"
cp docs/*.md docs/*.json docs/*.svg README.md "$doc"
{ echo "fpga-nova, licensed under the Apache License 2.0"; echo; cat LICENSE; } > "$doc/copyright"

sed "s/@VERSION@/$version/" build_scripts/debian/control > "$tree/DEBIAN/control"
cp build_scripts/debian/triggers "$tree/DEBIAN/"
install -m 755 build_scripts/debian/postinst build_scripts/debian/prerm build_scripts/debian/postrm \
    "$tree/DEBIAN/"
(cd "$tree" && find usr lib -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum > DEBIAN/md5sums)

chmod -R u=rwX,go=rX "$tree"
# A package of another commit is not left beside it: `apt-get install ./fpga-nova_*_all.deb` means one.
rm -f "$folder"/fpga-nova_*_all.deb
dpkg-deb --root-owner-group --build "$tree" "$folder/fpga-nova_${version}_all.deb"
