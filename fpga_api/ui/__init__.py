# SPDX-License-Identifier: Apache-2.0
"""The page of the availability: files for a browser, and what serves them."""
