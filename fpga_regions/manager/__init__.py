# SPDX-License-Identifier: Apache-2.0
"""Burns and erases: claims regions and works on them, step by step."""
