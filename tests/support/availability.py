# SPDX-License-Identifier: Apache-2.0
"""Flavors as the engine publishes them in the document ``availability``."""

import typing

import pytest

from fpga_api.service import Service
from tests.support import api
from tests.support.clouds import Services


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


def allow(service: Service, servers: int, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Have Nova's quota allow the project of the members so many more servers."""
    nova = Services()
    unlimited = {"totalCoresUsed": 0, "totalRAMUsed": 0, "maxTotalCores": -1, "maxTotalRAMSize": -1}
    absolute = {"maxTotalInstances": servers + 2, "totalInstancesUsed": 2, **unlimited}
    nova.documents["compute", f"/limits?tenant_id={api.PROJECT}"] = {
        "limits": {"absolute": absolute}
    }
    monkeypatch.setattr(service, "adapter", nova.adapter)
    return nova


def limit_regions(service: Service, used: int, limit: int, cloud: Services) -> None:
    """Have Keystone limit the regions of the members' project."""
    service.conf.set_override("unified_limits", True, "availability")
    name = "class:CUSTOM_FPGA_REGION"
    cloud.documents |= {
        ("identity", "/v3/registered_limits"): {"registered_limits": []},
        ("identity", f"/v3/limits?project_id={api.PROJECT}"): {
            "limits": [{"resource_name": name, "resource_limit": limit}]
        },
        ("placement", f"/usages?project_id={api.PROJECT}"): {
            "usages": {"CUSTOM_FPGA_REGION": used}
        },
    }
