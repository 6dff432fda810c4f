#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes .tools/, the virtual environment that the build scripts run on: uv, ansible-core, tox.
# Debian's Python is used, so that its services can run as ordinary users. Does nothing, and needs
# no network, while requirements/tools.txt is as it was.
set -eu

cd "$(dirname "$0")/.."
tools=$PWD/.tools
lock=requirements/tools.txt
python=/usr/bin/python3

stamp=$(printf '%s ' "$tools" | cat - "$lock" | sha256sum | cut -d ' ' -f 1)
if [ "$(cat "$tools/.stamp" 2>/dev/null)" = "$stamp" ] && [ -x "$tools/bin/ansible-playbook" ]; then
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

say "making .tools from $lock"
rm -rf "$tools"
"$python" -m venv "$tools"
uv=$(grep -E '^uv==' "$lock")
"$tools/bin/python" -m pip install --quiet --disable-pip-version-check "$uv"
UV_LINK_MODE=copy "$tools/bin/uv" pip install --quiet --python "$tools/bin/python" -r "$lock"
echo "$stamp" > "$tools/.stamp"
