# SPDX-License-Identifier: Apache-2.0
"""The ground of fpga-nova: what several of its packages share, and what imports none of them."""
