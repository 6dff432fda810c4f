# SPDX-License-Identifier: Apache-2.0
"""What Placement knows of this host's regions: providers, inventories, traits."""
