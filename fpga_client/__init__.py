# SPDX-License-Identifier: Apache-2.0
"""The FPGA service for programs and people: a proxy of openstacksdk, and ``openstack fpga``."""
