#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes .tools/, the virtual environment that the build scripts run on: uv, ansible-core, tox.
#
#   bootstrap.sh [uv]      uv: and nothing but uv in it, which is all that `make unit` needs
#
# Debian's Python is used, so that its services can run as ordinary users. Does nothing, and needs
# no network, while requirements/tools.txt is as it was.
set -eu

only=${1:-}

cd "$(dirname "$0")/.."
tools=$PWD/.tools
lock=requirements/tools.txt
python=/usr/bin/python3

stamp=$(printf '%s ' "$tools" | cat - "$lock" | sha256sum | cut -d ' ' -f 1)
is_made() { [ "$(cat "$tools/.stamp$1" 2>/dev/null)" = "$stamp" ] && [ -x "$tools/bin/$2" ]; }

if is_made "" ansible-playbook || { [ "$only" = uv ] && is_made .uv uv; }; then
    exit 0
fi

say() { echo "bootstrap: $*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Debian's python3 comes without ensurepip unless python3-venv is there.
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    [ "$(id -u)" = 0 ] || fail "the Debian package python3-venv is missing; run this as root"
    say "installing python3-venv"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    { apt-get update && apt-get install -y --no-install-recommends python3-venv; } > "$log" 2>&1 || {
        tail -n 20 "$log" >&2
        fail "python3-venv cannot be installed; all of apt's output is in $log"
    }
    rm -f "$log"
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than Python 3.11"

if ! is_made .uv uv; then
    say "making .tools from $lock"
    rm -rf "$tools"
    "$python" -m venv "$tools"
    # The entry of uv alone, with its hashes.
    sed -n '/^uv==/,/[^\\]$/p' "$lock" > "$tools/uv.txt"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
        --require-hashes -r "$tools/uv.txt"
    echo "$stamp" > "$tools/.stamp.uv"
fi
[ "$only" != uv ] || exit 0

UV_LINK_MODE=copy "$tools/bin/uv" pip install --quiet --require-hashes \
    --python "$tools/bin/python" -r "$lock"
echo "$stamp" > "$tools/.stamp"
