# SPDX-License-Identifier: Apache-2.0
"""Flavors as the engine publishes them in the document ``availability``."""

import typing


def flavor(
    name: str, free: int | None, total: int | None, **rest: typing.Any
) -> dict[str, typing.Any]:
    """A flavor; its id is its name."""
    return {
        "id": name,
        "name": name,
        "vcpus": 1,
        "ram": 512,
        "public": True,
        "projects": [],
        "free": free,
        "total": total,
        "counts": {},
        "accelerators": {"CUSTOM_FPGA_REGION": 1},
        "limited": {},
        "source": "placement",
        "error": None,
        **rest,
    }
