#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what a release publishes, and checks it: sdist, wheel, and the wheel's bill of materials.
#
#   dist.sh FOLDER
#
# The last commit is built, in a clone: nothing that lies in the checkout gets into the files. The wheel
# is built from the sdist, so that the sdist is proved complete.
set -eu

folder=$(mkdir -p "${1:?usage: dist.sh FOLDER}" && cd "$1" && pwd)
cd "$(dirname "$0")/.."
uv=$PWD/.tools/bin/uv
checks=$PWD/.tools/dist
[ -z "$(git status --porcelain)" ] || echo "dist: changes that are not committed are left out" >&2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH UV_PYTHON_DOWNLOADS=never

lock=requirements/dist.txt
if [ "$(cat "$checks/.stamp" 2>/dev/null)" != "$(sha256sum < "$lock")" ]; then
    "$uv" venv --quiet --clear --python .tools/bin/python "$checks"
    "$uv" pip install --quiet --python "$checks/bin/python" --require-hashes -r "$lock"
    sha256sum < "$lock" > "$checks/.stamp"
fi

git clone --quiet . "$work/checkout"
"$uv" build --quiet --no-build-isolation --python .tools/bin/python \
    --out-dir "$work/dist" "$work/checkout"
wheel=$(echo "$work"/dist/*.whl)

# The bill of materials is of an environment that the wheel brings by itself, on both kinds of host.
"$uv" venv --quiet --python .tools/bin/python "$work/installed"
"$uv" pip install --quiet --python "$work/installed/bin/python" "$wheel[nova,regions]"
version=$(basename "$wheel" | cut -d - -f 2)
sed "s/^dynamic = \[\"version\"\]/version = \"$version\"/" pyproject.toml > "$work/pyproject.toml"
"$checks/bin/cyclonedx-py" environment --pyproject "$work/pyproject.toml" --mc-type library \
    --output-reproducible --validate --output-file "${wheel%.whl}.cdx.json" "$work/installed"

"$checks/bin/twine" check --strict "$work"/dist/*.whl "$work"/dist/*.tar.gz
"$checks/bin/check-wheel-contents" "$wheel"
# The sources name neither a host nor a mailbox of the project: whoever publishes it adds them.
"$checks/bin/pyroma" --min 10 --skip-tests AuthorEmail,Url "$work"/dist/*.tar.gz

rm -f "$folder"/fpga_nova-*.whl "$folder"/fpga_nova-*.tar.gz "$folder"/fpga_nova-*.cdx.json
cp "$work"/dist/fpga_nova-* "$folder"
