# SPDX-License-Identifier: Apache-2.0
"""Does what fpga-api asks of this host: programs of running servers, regions for claims."""
