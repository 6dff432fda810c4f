# SPDX-License-Identifier: Apache-2.0
"""Where counts come from: plugins of the entry-point group ``fpga_api.availability.sources``."""
