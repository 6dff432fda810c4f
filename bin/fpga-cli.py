#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs, erases and tells the status of the FPGA regions of this host."""

import sys

from fpga_regions.command import client


def main() -> int:
    """Have the server do it where one runs; do it here where none does."""
    code = client.ask(sys.argv[1:])
    if code is not None:
        return code
    from fpga_regions.command import main as command

    return command.main()


if __name__ == "__main__":
    sys.exit(main())
