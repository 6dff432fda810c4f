# SPDX-License-Identifier: Apache-2.0
"""The page of fpga-api in Debian's chromium: ``make test-ui``."""
