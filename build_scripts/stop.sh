#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stops the demo cloud in DEMO_DIR, containers included.
#
#   stop.sh [--remove]      --remove: and takes it off this machine; Debian's packages stay
set -eu

dir=${DEMO_DIR:-/var/lib/fpga-nova/demo}
sudoers=/etc/sudoers.d/fpga-nova-demo

if [ ! -e "$dir/.fpga-nova-demo" ]; then
    echo "there is no demo cloud in $dir"
    exit 0
fi
"$dir/bin/daemons.py" "$dir/run" stop
echo "stopped; make demo brings the cloud up again"
[ "${1:-}" = --remove ] || exit 0

if grep -qsF " in $dir." "$sudoers"; then
    rm "$sudoers"
fi
rm -rf --one-file-system "$dir"
echo "$dir is removed"
