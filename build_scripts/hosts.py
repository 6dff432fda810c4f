#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command of local hosts: ``hosts.py --help``, or docs/hosts.md."""

import sys

from local_hosts import command

if __name__ == "__main__":
    sys.exit(command.main())
