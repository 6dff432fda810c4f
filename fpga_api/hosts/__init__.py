# SPDX-License-Identifier: Apache-2.0
"""The cards and regions of all hosts: asked of each nova-compute, published as one document."""
