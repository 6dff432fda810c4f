# SPDX-License-Identifier: Apache-2.0
"""Nova, Placement and their like as an HTTP client meets them: documents by path."""

import typing

import requests
import requests_mock
from keystoneauth1 import adapter as adapters
from keystoneauth1 import noauth, session

from fpga_api.availability.cloud import Cloud

Document = typing.Any


class Services:
    """Services that answer each path with one document; others answer 404.

    :ivar documents: by service type and path; a number is the status of a failure
    :ivar asked: what was asked for, in its order
    """

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], Document] = {}
        self.asked: list[tuple[str, str]] = []
        self._requests = requests.Session()
        answers = requests_mock.Adapter()
        answers.register_uri(requests_mock.ANY, requests_mock.ANY, json=self._answer)
        self._requests.mount("http://", answers)

    def _answer(self, request: typing.Any, context: typing.Any) -> Document:
        url = request.url.removeprefix("http://")
        service, _, path = url.partition("/")
        self.asked.append((service, f"/{path}"))
        document = self.documents.get((service, f"/{path}"), 404)
        if isinstance(document, int):
            context.status_code = document
            return {}
        return document

    def adapter(self, service: str) -> adapters.Adapter:
        """The client of a service type."""
        auth = noauth.NoAuth(endpoint=f"http://{service}")
        return adapters.Adapter(
            session.Session(auth=auth, session=self._requests), service_type=service
        )

    def cloud(self) -> Cloud:
        """The cloud of these services."""
        return Cloud(self.adapter)


class Nova(Services):
    """A Nova with flavors, hosts, aggregates and servers."""

    def __init__(self) -> None:
        super().__init__()
        self.flavors: list[Document] = []
        self.services: list[Document] = []
        self.aggregates: list[Document] = []
        self.update()

    def update(self) -> None:
        """Answer what the lists have now."""
        compute = {
            "/flavors/detail?is_public=None&limit=1000": {"flavors": self.flavors},
            "/os-services?binary=nova-compute": {"services": self.services},
            "/os-aggregates": {"aggregates": self.aggregates},
        }
        self.documents |= {("compute", path): document for path, document in compute.items()}

    def add_flavor(self, flavor_id: str, name: str, **members: Document) -> None:
        """Add a flavor; members with : in their names have __ for it."""
        sizes = {"vcpus": 4, "ram": 8192, "disk": 20, "swap": 0, "extra_specs": {}}
        more = {key.replace("__", ":"): value for key, value in members.items()}
        self.flavors.append({"id": flavor_id, "name": name, **sizes, **more})

    def add_host(
        self, name: str, state: str = "up", status: str = "enabled", node: Document = None
    ) -> None:
        """Add a compute service, with its compute node."""
        self.services.append({"host": name, "state": state, "status": status})
        if node is not None:
            document = {"id": f"node-{name}", "service": {"host": name}, **node}
            pattern = "/os-hypervisors/detail?hypervisor_hostname_pattern="
            self.documents["compute", f"{pattern}{name.partition('.')[0]}"] = {
                "hypervisors": [document]
            }
            self.documents["compute", f"/os-hypervisors/node-{name}"] = {"hypervisor": document}
        self.add_servers(name)

    def add_servers(self, host: str, *extra_specs: dict[str, str]) -> None:
        """Have these servers on a host, and no others."""
        servers = [{"id": f"{n}", "flavor": {"extra_specs": e}} for n, e in enumerate(extra_specs)]
        path = f"/servers/detail?all_tenants=1&host={host}&limit=1000"
        self.documents["compute", path] = {"servers": servers}
