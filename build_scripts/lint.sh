#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the linters, each even where one before it fails: for `make lint`, tox and pre-commit.
#
#   lint.sh [FOLDER]       FOLDER: where the linters are; PATH has them otherwise
set -eu

[ $# -eq 0 ] || PATH=$(cd "$1" && pwd):$PATH
cd "$(dirname "$0")/.."

failed=
run() { "$@" || failed="$failed $1"; }

run ruff check .
run ruff format --check .
run mypy
run lint-imports --no-cache --no-logo
[ -z "$failed" ] || { echo "lint: failed:$failed" >&2; exit 1; }
