#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes .dev/, the environment of `make unit` and `make lint`: the extra `dev`, without Nova, and this
# checkout. Does nothing, and needs no network, while requirements/dev.txt and pyproject.toml are as
# they were.
set -eu

cd "$(dirname "$0")/.."
dev=$PWD/.dev
lock=requirements/dev.txt

stamp=$(echo "$dev" | cat - "$lock" pyproject.toml | sha256sum)
[ "$(cat "$dev/.stamp" 2>/dev/null)" != "$stamp" ] || exit 0

build_scripts/bootstrap.sh uv
echo "dev: making .dev from $lock" >&2
export UV_PYTHON_DOWNLOADS=never
uv=$PWD/.tools/bin/uv
"$uv" venv --quiet --clear --python .tools/bin/python "$dev"
"$uv" pip install --quiet --python "$dev/bin/python" --require-hashes -r "$lock"
"$uv" pip install --quiet --python "$dev/bin/python" --no-deps --editable .
echo "$stamp" > "$dev/.stamp"
