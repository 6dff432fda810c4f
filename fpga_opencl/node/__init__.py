# SPDX-License-Identifier: Apache-2.0
"""The node server: one confined worker for each session, which runs its kernels."""
