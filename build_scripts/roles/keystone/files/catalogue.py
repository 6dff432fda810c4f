#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the services' users, roles and catalogue entries; what is there already stays.

CATALOGUE is JSON: {"users": {NAME: [ROLE, ...]}, "services": {TYPE: {"name", "url"}}, "people":
{NAME: [ROLE, ...]}}; the users are in the project `service` and have the password SERVICE_PASSWORD.
Each of the people is in a project of the same name and has the password USER_PASSWORD. The file
HOST_USERS, if there is one, is JSON: {NAME: {"roles", "password"}}; they are in `service`, too.
"""

import json
import os
import typing
from pathlib import Path

import openstack


def main() -> None:
    """Do it, and print what was created, and the ids of people's projects."""
    catalogue = json.loads(os.environ["CATALOGUE"])
    identity = openstack.connect(cloud="envvars").identity
    _make_users(identity, "service", catalogue["users"], os.environ["SERVICE_PASSWORD"])
    file = os.environ.get("HOST_USERS")
    for name, user in (json.loads(Path(file).read_text()) if file else {}).items():
        _make_users(identity, "service", {name: user["roles"]}, user["password"])
    projects = {
        name: _make_users(identity, name, {name: roles}, os.environ["USER_PASSWORD"])
        for name, roles in catalogue["people"].items()
    }
    _make_services(identity, catalogue["services"], os.environ["OS_REGION_NAME"])
    print(f"projects {json.dumps(projects)}")


def _make_users(
    identity: typing.Any, project_name: str, users: dict[str, list[str]], password: str
) -> str:
    """See that there are users with these roles in a project; the project's id."""
    project = identity.find_project(project_name) or _created(
        identity.create_project(name=project_name, domain_id="default")
    )
    for name in sorted({role for roles in users.values() for role in roles}):
        if identity.find_role(name) is None:
            _created(identity.create_role(name=name))
    for name, roles in users.items():
        user = identity.find_user(name) or _created(
            identity.create_user(name=name, password=password, default_project_id=project.id)
        )
        for role in roles:
            found = identity.find_role(role, ignore_missing=False)
            identity.assign_project_role_to_user(project, user, found)
    return str(project.id)


def _make_services(identity: typing.Any, services: dict[str, dict[str, str]], region: str) -> None:
    known = {service.type: service for service in identity.services()}
    for kind, description in services.items():
        service = known.get(kind) or _created(
            identity.create_service(type=kind, name=description["name"])
        )
        for interface in ("public", "internal"):
            _make_endpoint(identity, service, interface, description["url"], region)


def _make_endpoint(
    identity: typing.Any, service: typing.Any, interface: str, url: str, region: str
) -> None:
    found = list(identity.endpoints(service_id=service.id, interface=interface))
    if not found:
        _created(
            identity.create_endpoint(
                service_id=service.id, interface=interface, url=url, region_id=region
            )
        )
    elif found[0].url != url:
        identity.update_endpoint(found[0], url=url)


def _created(what: typing.Any) -> typing.Any:
    print(f"created {type(what).__name__} {what.id}")
    return what


if __name__ == "__main__":
    main()
