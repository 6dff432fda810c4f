# SPDX-License-Identifier: Apache-2.0
"""What nova.conf names as compute_driver."""
