# SPDX-License-Identifier: Apache-2.0
"""Hosts of a cloud on one machine: containers with systemd, sshd and a network of their own."""
