# SPDX-License-Identifier: Apache-2.0
"""Run a node server: python -m fpga_opencl.node --socket PATH."""

import sys

from fpga_opencl.node.command import main

if __name__ == "__main__":
    sys.exit(main())
