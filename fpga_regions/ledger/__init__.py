# SPDX-License-Identifier: Apache-2.0
"""The ledger of this host's regions, its events, and the status that it gives."""
