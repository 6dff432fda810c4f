# SPDX-License-Identifier: Apache-2.0
"""OpenCL for containers: kernels run in a sandboxed worker on the host's own accelerator."""
