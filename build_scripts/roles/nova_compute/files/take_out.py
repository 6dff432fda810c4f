#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes a compute host out of Nova and Placement; one with servers is refused.

    take_out.py HOST            credentials from the environment (openrc)
    take_out.py HOST --check    look for servers alone, change nothing

Exit status: 0 done, or there is no such host; 1 it has servers.
"""

import sys
import typing

import openstack

#: The query of a tree, and the parent in each answer, came with it.
_PLACEMENT = "1.14"


def main() -> int:
    """Do it, and print what was removed."""
    host, *options = sys.argv[1:]
    cloud = openstack.connect(cloud="envvars")
    servers = list(cloud.compute.servers(all_projects=True, compute_host=host))
    if servers:
        names = ", ".join(f"{server.name} ({server.id})" for server in servers)
        print(f"Error: {host} has servers, delete or migrate them: {names}", file=sys.stderr)
        return 1
    if "--check" in options:
        return 0
    for service in cloud.compute.services(binary="nova-compute", host=host):
        cloud.compute.delete_service(service)
        print(f"removed service {host}")
    _remove_providers(cloud.placement, host)
    return 0


def _remove_providers(placement: typing.Any, host: str) -> None:
    """Remove what is left of a host's providers: Nova does not remove those of its cards."""
    for root in _providers(placement, name=host):
        tree = _providers(placement, in_tree=root["uuid"])
        for provider in sorted(tree, key=lambda one: one["parent_provider_uuid"] is None):
            placement.delete(f"/resource_providers/{provider['uuid']}").raise_for_status()
            print(f"removed provider {provider['name']}")


def _providers(placement: typing.Any, **query: str) -> list[dict[str, typing.Any]]:
    answer = placement.get("/resource_providers", params=query, microversion=_PLACEMENT)
    answer.raise_for_status()
    return typing.cast(list[dict[str, typing.Any]], answer.json()["resource_providers"])


if __name__ == "__main__":
    sys.exit(main())
