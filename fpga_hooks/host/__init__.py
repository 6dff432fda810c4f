# SPDX-License-Identifier: Apache-2.0
"""The regions of this host: the audit, and the reconcile of ledger, guests and instances."""
