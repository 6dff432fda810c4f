#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes, looks at and removes the cloud of many hosts that a file describes; see docs/hosts.md.
#
#   cloud.sh VERB FILE [OPTIONS]      cloud.sh --help has the verbs
set -eu

here=$(cd "$(dirname "$0")" && pwd)
"$here/bootstrap.sh"
PYTHONPATH=$here exec "$here/../.tools/bin/python" -B -m deployment "$@"
