# SPDX-License-Identifier: Apache-2.0
"""What fpga-cli needs of the operating system: locks, folders, processes, sockets."""
