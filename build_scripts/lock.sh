#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Resolve requirements/*.in to requirements/*.txt under OpenStack's upper constraints.
#
#   build_scripts/lock.sh CONSTRAINTS_FILE [NAME ...]
#
# CONSTRAINTS_FILE is upper-constraints.txt of the requirements project for the series of the
# Nova release in requirements/nova.in; for NAME nova-26 and its like, for that series.  uv must be
# on PATH.
set -eu

constraints=${1:?usage: lock.sh CONSTRAINTS_FILE [NAME ...]}
shift
constraints=$(realpath "$constraints")
cd "$(dirname "$0")/../requirements"
[ $# -gt 0 ] || set -- tools test cloud regions

# Pins that a release has outgrown.
outgrown() {
    case $1 in
        # Its constraints are from before Python 3.11; these do not compile with it.
        nova-26) echo 'greenlet|lxml|psycopg2-binary|yappi' ;;
        nova-*) echo none ;;
        # nova 34.0.0 wants oslo.versionedobjects>=3.12.0 and keystoneauth1>=5.16.0 where the
        # constraints of its branch still say 3.11.0 and 5.15.0.
        *) echo 'oslo\.versionedobjects|keystoneauth1' ;;
    esac
}

pins=$(mktemp)
trap 'rm -f "$pins"' EXIT

for name in "$@"; do
    [ -e "$name.in" ] || { echo "lock.sh: no $name.in in requirements/" >&2; exit 2; }
    echo "locking $name" >&2
    grep -Ev "^($(outgrown "$name"))===" "$constraints" > "$pins"
    uv pip compile --quiet --no-header --no-annotate --python-version 3.11 \
        --constraints "$pins" "$name.in" --output-file "$name.txt"
done
