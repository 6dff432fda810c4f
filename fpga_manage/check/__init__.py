# SPDX-License-Identifier: Apache-2.0
"""The check: ledger, database and Placement compared, and mended in part."""
