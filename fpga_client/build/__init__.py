# SPDX-License-Identifier: Apache-2.0
"""Makes bitstreams, and packages of them, for regions that are there."""
