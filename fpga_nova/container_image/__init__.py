# SPDX-License-Identifier: Apache-2.0
"""Reads archives of container images that strangers made, and writes one that is safe to load.

`reading.rewrite` is what others call; all that looks at the bytes runs in a process of its own
(`fpga_nova.confined`). What is written has one image, under a name of the caller's or none, with
plain layers whose digests and sizes were checked, and nothing else.

Formats: https://github.com/moby/docker-image-spec, https://github.com/opencontainers/image-spec.
"""
