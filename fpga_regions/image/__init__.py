# SPDX-License-Identifier: Apache-2.0
"""Packages as Glance has them: fetched, kept, uploaded, and the operator's policy on them."""
