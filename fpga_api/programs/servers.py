# SPDX-License-Identifier: Apache-2.0
"""Servers as Nova has them, whoever owns them."""

import dataclasses

from fpga_api import errors, peers
from fpga_api.service import Service

#: The status of a server whose cell is down.
_UNKNOWN = "UNKNOWN"


@dataclasses.dataclass(frozen=True)
class Server:
    """A server.

    :ivar host: None if it is on none
    :ivar task: what Nova does with it now; None if nothing
    """

    id: str
    project_id: str
    host: str | None
    task: str | None


def find(service: Service, server_id: str) -> Server | None:
    """A server; None if there is none.

    It is looked up in the list of all projects, which Nova refuses to whoever does not see them
    all: a server that this service may not see would else be one that is gone.

    :param server_id: a uuid
    :raises errors.CloudUnavailable: Nova does not answer, or its cell does not
    """
    path = f"/servers/detail?all_tenants=true&uuid={server_id}"
    answer = peers.Peers(service.adapter).get("compute", path, peers.COMPUTE)
    found = next((one for one in answer["servers"] if one["id"] == server_id), None)
    if found is None:
        return None
    if found["status"] == _UNKNOWN:
        raise errors.CloudUnavailable("the cell of the server does not answer")
    host, task = found.get("OS-EXT-SRV-ATTR:host"), found.get("OS-EXT-STS:task_state")
    return Server(server_id, found["tenant_id"], host, task)
