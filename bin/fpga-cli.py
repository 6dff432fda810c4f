#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Programs, erases and tells the status of the FPGA regions of this host."""

import sys

from fpga_regions.command import main

if __name__ == "__main__":
    sys.exit(main.main())
