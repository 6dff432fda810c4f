# SPDX-License-Identifier: Apache-2.0
"""The engine: looks at the cloud at intervals, and publishes what it found.

Several engines may run, on several hosts. One of them is active: the one that has the lease.
"""
