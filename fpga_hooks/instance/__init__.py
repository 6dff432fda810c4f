# SPDX-License-Identifier: Apache-2.0
"""What an instance is granted and holds: its burn, its devices, its guests."""
