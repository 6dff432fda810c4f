# SPDX-License-Identifier: Apache-2.0
"""Tempest, OpenStack's own tests of a cloud, against the demo cloud."""
