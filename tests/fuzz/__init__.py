# SPDX-License-Identifier: Apache-2.0
"""Readers of what strangers made, against inputs of all shapes."""
