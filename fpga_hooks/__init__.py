# SPDX-License-Identifier: Apache-2.0
"""The compute side of fpga-nova: what Nova calls while it builds and deletes instances."""
