# SPDX-License-Identifier: Apache-2.0
"""What fpga-api may call in nova-compute, on a broker of its own."""
