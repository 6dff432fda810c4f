# SPDX-License-Identifier: Apache-2.0
"""What the levels of tests share."""
