#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Resolve requirements/*.in to requirements/*.txt under OpenStack's upper constraints.
#
#   build_scripts/lock.sh CONSTRAINTS_FILE [NAME ...]
#
# CONSTRAINTS_FILE is upper-constraints.txt of the requirements project for the series of the
# Nova release in requirements/nova.in.  uv must be on PATH.
set -eu

constraints=${1:?usage: lock.sh CONSTRAINTS_FILE [NAME ...]}
shift
constraints=$(realpath "$constraints")
cd "$(dirname "$0")/../requirements"
[ $# -gt 0 ] || set -- tools test cloud regions

# Pins that the release itself has outgrown: nova 34.0.0 wants oslo.versionedobjects>=3.12.0 and
# keystoneauth1>=5.16.0 where the constraints of its branch still say 3.11.0 and 5.15.0.
outgrown='^(oslo\.versionedobjects|keystoneauth1)==='
pins=$(mktemp)
trap 'rm -f "$pins"' EXIT
grep -Ev "$outgrown" "$constraints" > "$pins"

for name in "$@"; do
    [ -e "$name.in" ] || { echo "lock.sh: no $name.in in requirements/" >&2; exit 2; }
    echo "locking $name" >&2
    uv pip compile --quiet --no-header --no-annotate --python-version 3.11 \
        --constraints "$pins" "$name.in" --output-file "$name.txt"
done
