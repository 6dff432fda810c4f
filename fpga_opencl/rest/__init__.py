# SPDX-License-Identifier: Apache-2.0
"""The 37 calls as requests of HTTP, with the original's names, for programs without our library."""
