# SPDX-License-Identifier: Apache-2.0
"""The scheduler's and the API's side of fpga-nova: filter, weigher, request filter, validator."""
