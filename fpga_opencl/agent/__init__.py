# SPDX-License-Identifier: Apache-2.0
"""The way from a socket of this host to a node: for programs that know nothing of TLS."""
