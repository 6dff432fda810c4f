# SPDX-License-Identifier: Apache-2.0
"""What Nova, Glance and Neutron would answer to who has live images."""

import typing

import pytest
from keystoneauth1 import fixture as keystone

KEYSTONE = "http://keystone.invalid/v3"
COMPUTE = "http://compute.invalid/v2.1"
IMAGE = "http://image.invalid"
NETWORK = "http://network.invalid"
_PLAIN = {"id": "image-2", "name": "plain", "status": "active", "container_format": "docker"}
LIVE = {
    **_PLAIN,
    "id": "image-1",
    "name": "warm",
    "container_format": "live",
    "live_flavor": "small",
}
SERVER = {"id": "server-1", "name": "one", "status": "ACTIVE", "image": {"id": "image-1"}}


class Cloud:
    """A Nova and a Glance that answer, and keep what they were asked for."""

    def __init__(self, mock: typing.Any) -> None:
        self.mock = mock
        self.servers: list[dict[str, typing.Any]] = []
        version = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.96",
            "min_version": "2.1",
            "links": [{"rel": "self", "href": f"{COMPUTE}/"}],
        }
        for url in (COMPUTE, f"{COMPUTE}/"):
            mock.get(url, json={"version": version})
        mock.get(
            f"{IMAGE}/",
            json={
                "versions": [
                    {
                        "id": "v2.16",
                        "status": "CURRENT",
                        "links": [{"rel": "self", "href": f"{IMAGE}/v2/"}],
                    }
                ]
            },
        )
        mock.get(f"{IMAGE}/v2/images", json={"images": [LIVE, _PLAIN]})
        for image in (LIVE, _PLAIN):
            mock.get(f"{IMAGE}/v2/images/{image['name']}", status_code=404)
            mock.get(f"{IMAGE}/v2/images/{image['id']}", json=image)
            mock.get(
                f"{IMAGE}/v2/images?name={image['name']}",
                json={"images": [image]},
                complete_qs=False,
            )
        mock.get(f"{NETWORK}/", json={"versions": [{"id": "v2.0", "status": "CURRENT"}]})
        for kind in ("network", "port"):
            found = {"id": f"{kind}-1", "name": kind}
            mock.get(f"{NETWORK}/v2.0/{kind}s/{kind}", status_code=404)
            mock.get(f"{NETWORK}/v2.0/{kind}s/{kind}-1", json={kind: found})
            mock.get(f"{NETWORK}/v2.0/{kind}s?name={kind}", json={f"{kind}s": [found]})
        group = {"id": "group-1", "name": "group"}
        mock.get(f"{COMPUTE}/os-server-groups/group", status_code=404)
        mock.get(f"{COMPUTE}/os-server-groups", json={"server_groups": [group]})
        mock.delete(f"{IMAGE}/v2/images/image-1", status_code=204)
        mock.get(f"{COMPUTE}/servers/server-1", json={"server": SERVER})
        mock.get(f"{COMPUTE}/servers/detail", json=lambda *_: {"servers": self.servers})
        mock.post(
            f"{COMPUTE}/servers/server-1/action",
            status_code=202,
            json={"image_id": "image-1"},
        )
        mock.get(f"{COMPUTE}/flavors/small", json={"flavor": {"id": "small", "name": "small"}})
        mock.post(f"{COMPUTE}/servers", status_code=202, json={"server": {"id": "server-1"}})

    def sent(self, path: str) -> list[dict[str, typing.Any]]:
        """The bodies that were posted to a path."""
        return [
            one.json()
            for one in self.mock.request_history
            if one.method == "POST" and one.url.startswith(f"{COMPUTE}{path}")
        ]


def installed(mock: typing.Any, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud that commands ask.

    :param mock: what answers requests
    """
    sign_in(mock, monkeypatch, compute=COMPUTE, image=IMAGE, network=NETWORK)
    return Cloud(mock)


def sign_in(mock: typing.Any, monkeypatch: pytest.MonkeyPatch, **services: str) -> None:
    """A Keystone, and the user's variables for it.

    :param services: the addresses in its catalogue, by the services' types
    """
    token = keystone.V3Token(project_id="1")
    for kind, url in services.items():
        token.add_service(kind).add_standard_endpoints(public=url)
    mock.get(KEYSTONE, json={"version": keystone.V3Discovery(KEYSTONE)})
    mock.post(f"{KEYSTONE}/auth/tokens", json=token, headers={"X-Subject-Token": "1"})
    for name, value in {
        "OS_AUTH_URL": KEYSTONE,
        "OS_USERNAME": "u",
        "OS_PASSWORD": "p",
        "OS_PROJECT_ID": "1",
        "OS_USER_DOMAIN_ID": "default",
    }.items():
        monkeypatch.setenv(name, value)
