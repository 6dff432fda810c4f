#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian packages of OpenCL in containers, for the architecture of this machine.
#
#   build_opencl_deb.sh FOLDER
#
# fpga-nova-opencl has what a host gives to containers ([docker] opencl_folder); it needs no other
# package of ours. fpga-nova-opencl-icd, on top of it, is for images: it has the loader find the library.
# A host must not have that one, because its own OpenCL would find the library, too.
set -eu

folder=$(mkdir -p "${1:?usage: build_opencl_deb.sh FOLDER}" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
version=$(sed -n 's/^fallback_version = "\(.*\)"/\1/p' pyproject.toml)
version=$version+$(git rev-list --count HEAD 2>/dev/null || echo 0)-1
architecture=$(dpkg --print-architecture)
triplet=$(gcc -print-multiarch)
place=usr/lib/fpga-nova/opencl

# finish NAME ARCHITECTURE: the package of a tree, in FOLDER
finish() {
    doc=$tree/$1/usr/share/doc/$1
    mkdir -p "$doc"
    { echo "fpga-nova, licensed under the Apache License 2.0"; echo; cat LICENSE; } > "$doc/copyright"
    sed "s/@VERSION@/$version/; s/@ARCHITECTURE@/$2/" "build_scripts/debian/$1.control" \
        > "$tree/$1/DEBIAN/control"
    (cd "$tree/$1" && find usr etc -type f 2> /dev/null | LC_ALL=C sort | xargs md5sum > DEBIAN/md5sums)
    chmod -R u=rwX,go=rX "$tree/$1"
    rm -f "$folder/$1"_*.deb
    dpkg-deb --root-owner-group --build "$tree/$1" "$folder/$1_${version}_$2.deb"
}

mkdir -p "$tree/fpga-nova-opencl/DEBIAN" "$tree/fpga-nova-opencl/$place" \
    "$tree/fpga-nova-opencl-icd/DEBIAN" "$tree/fpga-nova-opencl-icd/etc/OpenCL/vendors"
make -s -C fpga_opencl/icd "OUT=$tree/build" CFLAGS="-O2" all
strip --strip-unneeded -o "$tree/fpga-nova-opencl/$place/libfpga-opencl.so" "$tree/build/libfpga-opencl.so"
ln -s "/usr/lib/$triplet/libOpenCL.so.1" "$tree/fpga-nova-opencl/$place/libOpenCL.so.1"
# The path in a container that has the files of its host.
echo /usr/lib/fpga-nova/libfpga-opencl.so > "$tree/fpga-nova-opencl/$place/fpga-nova.icd"
finish fpga-nova-opencl "$architecture"

echo "/$place/libfpga-opencl.so" > "$tree/fpga-nova-opencl-icd/etc/OpenCL/vendors/fpga-nova.icd"
echo /etc/OpenCL/vendors/fpga-nova.icd > "$tree/fpga-nova-opencl-icd/DEBIAN/conffiles"
finish fpga-nova-opencl-icd all
