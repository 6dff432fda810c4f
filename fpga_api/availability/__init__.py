# SPDX-License-Identifier: Apache-2.0
"""How many servers of each accelerator flavor the cloud has room for."""
