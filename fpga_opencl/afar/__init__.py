# SPDX-License-Identifier: Apache-2.0
"""The way to a node on another machine: TLS, and a session's token before anything of OpenCL."""
