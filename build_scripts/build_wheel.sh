#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the wheel of this checkout, unless that of the same sources is there already.
#
#   build_wheel.sh FOLDER
#
# FOLDER gets the wheel and `wheel.digest`, the digest of its version and sources. They are copied
# first: a build in the checkout leaves folders behind, whose stale modules would be in the next wheel.
# The version is therefore asked for in the checkout, and given to the build. The README of the copy,
# which is the page on PyPI, gets no relative links.
set -eu

folder=${1:?usage: build_wheel.sh FOLDER}
cd "$(dirname "$0")/.."
tools=$PWD/.tools/bin
version=$("$tools/python" -m setuptools_scm)

packages=$(sed -n '/^include = \[$/,/^]$/s/^ *"\([a-z_]*\)\*",$/\1/p' pyproject.toml)

sources() {
    # shellcheck disable=SC2086 # one word each
    find -L bin $packages \
        docs/man etc/bash_completion.d pyproject.toml README.md LICENSE -type f ! -name '*.pyc' ! -path '*/.*' | LC_ALL=C sort
}

digest=$( (echo "$version"; sources | xargs sha256sum) | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$folder/wheel.digest" 2>/dev/null)" = "$digest" ]; then
    echo unchanged
    exit 0
fi

rm -rf "$folder"
mkdir -p "$folder/src"
sources | xargs cp --parents -t "$folder/src"
build_scripts/readme_links.py "$folder/src/README.md" pyproject.toml
SETUPTOOLS_SCM_PRETEND_VERSION_FOR_FPGA_NOVA=$version \
    "$tools/uv" build --quiet --wheel --no-build-isolation --python "$tools/python" \
    --out-dir "$folder" "$folder/src"
rm -rf "$folder/src"
echo "$digest" > "$folder/wheel.digest"
echo built
