# SPDX-License-Identifier: Apache-2.0
"""OpenCL from afar: what node servers register, and the sessions of projects on their devices."""
