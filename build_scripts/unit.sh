#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs unit tests in .dev, which has no Nova; says where to run those that need one.
#
#   unit.sh ARGUMENTS_OF_PYTEST
set -eu

cd "$(dirname "$0")/.."
build_scripts/dev.sh
pytest() { .dev/bin/python -m pytest -q --timeout 300 "$@"; }

status=0
pytest "$@" || status=$?
# What pytest exits with where a test module (2) or a conftest (4) cannot be imported.
if [ "$status" -eq 2 ] || [ "$status" -eq 4 ]; then
    missing=$(pytest --collect-only "$@" 2>&1 |
        sed -n "s/.*ModuleNotFoundError: No module named '\([^'.]*\).*/\1/p" | sort -u | paste -sd ' ')
    if [ -n "$missing" ]; then
        {
            echo
            echo "unit: .dev has no Nova, and lacks these modules: $missing"
            echo "unit: the environment 'unit' of tox has them:"
            echo "    make tools && .tools/bin/tox -e unit -- $*"
        } >&2
    fi
fi
exit "$status"
