# SPDX-License-Identifier: Apache-2.0
"""The messages between a client and its worker; messages.toml has them all, byte by byte."""
