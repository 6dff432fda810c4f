#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Resolves requirements/*.in to requirements/*.txt, with the hashes of all files, under OpenStack's
# upper constraints.
#
#   build_scripts/lock.sh [--upgrade] CONSTRAINTS_FILE [NAME ...]
#
# CONSTRAINTS_FILE is upper-constraints.txt of the requirements project for the series of the Nova
# release in requirements/nova.in; for NAME nova-26 and its like, for that series. Without a NAME it
# renews each lock file of the newest series. A version that is locked stays while it fits, unless
# --upgrade is given. uv of .tools is used, or that on PATH.
set -eu

usage='usage: lock.sh [--upgrade] CONSTRAINTS_FILE [NAME ...]'
upgrade=
if [ "${1:-}" = --upgrade ]; then
    upgrade=--upgrade
    shift
fi
constraints=$(realpath "${1:?$usage}")
shift
cd "$(dirname "$0")/../requirements"
PATH=$PWD/../.tools/bin:$PATH

newest() {
    for locked in *.txt; do
        case $locked in
            nova-*) ;;
            *) basename "$locked" .txt ;;
        esac
    done
}

# Pins that a release has outgrown.
outgrown() {
    case $1 in
        # Its constraints are from before Python 3.11; these do not compile with it.
        nova-26) echo 'greenlet|lxml|psycopg2-binary|yappi' ;;
        nova-*) echo none ;;
        # It never meets OpenStack's packages.
        dist) echo '.*' ;;
        # nova 34.0.0 wants oslo.versionedobjects>=3.12.0 and keystoneauth1>=5.16.0 where the
        # constraints of its branch still say 3.11.0 and 5.15.0.
        *) echo 'oslo\.versionedobjects|keystoneauth1' ;;
    esac
}

pins=$(mktemp)
trap 'rm -f "$pins"' EXIT

# shellcheck disable=SC2046 # one word each
[ $# -gt 0 ] || set -- $(newest)
for name in "$@"; do
    [ -e "$name.in" ] || { echo "lock.sh: no $name.in in requirements/" >&2; exit 2; }
    echo "locking $name" >&2
    grep -Ev "^($(outgrown "$name"))===" "$constraints" > "$pins" || [ "$name" = dist ]
    # shellcheck disable=SC2086 # one word or none
    uv pip compile --quiet --no-header --no-annotate --generate-hashes --python-version 3.11 \
        $upgrade --constraints "$pins" "$name.in" --output-file "$name.txt"
done
