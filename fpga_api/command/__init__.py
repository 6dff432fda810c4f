# SPDX-License-Identifier: Apache-2.0
"""The commands of the service: fpga-api, fpga-api-manage, fpga-status."""
