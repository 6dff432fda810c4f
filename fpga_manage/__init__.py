# SPDX-License-Identifier: Apache-2.0
"""fpga-manage: our columns in a cell's database, and the check that all records agree."""
