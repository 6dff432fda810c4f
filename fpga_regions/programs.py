# SPDX-License-Identifier: Apache-2.0
"""Vendors' and operators' programs, as drivers run them: see fpga_nova.confined.processes."""

from fpga_nova.confined.processes import (
    PATH,
    Failed,
    Finished,
    Place,
    TooLong,
    find,
    run,
)

__all__ = ["PATH", "Failed", "Finished", "Place", "TooLong", "find", "run"]
