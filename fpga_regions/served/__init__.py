# SPDX-License-Identifier: Apache-2.0
"""Regions that are a process with sockets: it is started, asked and ended."""
