# SPDX-License-Identifier: Apache-2.0
"""Claims: accelerators that an operator or another service holds without a server.

A claim is a consumer of Placement, and an owner in the ledger of one host. The API allocates it,
and the engine has the host hold it, follows it and ends it.
"""
