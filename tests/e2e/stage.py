# SPDX-License-Identifier: Apache-2.0
"""Two compute hosts that a test may harm, and what is true of their regions whatever happens."""

import time
import typing
import uuid

from cloud import Cloud

from tests.e2e.hosts import ComputeHost
from tests.support.host import wait_until

#: A migration in one of these asks nothing more of either host.
_OVER = {"confirmed", "reverted", "failed", "completed", "cancelled", "done", "error"}
#: What Nova says of a server whose allocations Placement has not deleted.
_HELD_BACK = "Failed to delete allocations"


class Stage:
    """Two compute hosts, and what the paths do with servers on them."""

    def __init__(self, cloud: Cloud, hosts: list[ComputeHost], flavors: dict[str, str]) -> None:
        self.cloud = cloud
        self.here, self.there = hosts
        self.hosts = hosts
        self.flavors = flavors
        self.compute = cloud.api.compute
        self.image = cloud.api.image.find_image("ubuntu_lzo", ignore_missing=False)
        self.servers: list[str] = []
        self._disabled: list[typing.Any] = []

    def create(
        self, flavor: str = "fpga", host: ComputeHost | None = None, **more: typing.Any
    ) -> str:
        """Ask for a server on a host; its id."""
        server = self.compute.create_server(
            name=f"harm-{uuid.uuid4().hex[:8]}",
            flavor_id=self.flavors[flavor],
            networks="none",
            availability_zone=f"nova:{(host or self.here).name}",
            **({"image_id": self.image.id} | more),
        )
        self.servers.append(server.id)
        return str(server.id)

    def active(self, flavor: str = "fpga") -> str:
        """A server that runs on the first host."""
        server = self.create(flavor)
        self.state(server, "ACTIVE")
        return server

    def state(self, server: str, *states: str) -> None:
        """Wait for a state of a server, and that nothing is done to it."""
        end = time.monotonic() + 120
        while True:
            found = self.compute.get_server(server)
            if found.status in states and not found.task_state:
                return
            assert time.monotonic() < end, f"{found.status}, {found.task_state}: {found.fault}"
            time.sleep(0.2)

    def moved(self, flavor: str | None = None) -> str:
        """A server that was moved to the second host and is not confirmed yet."""
        server = self.active("plain" if flavor else "fpga")
        self.move(server, flavor)
        self.state(server, "VERIFY_RESIZE")
        return server

    def move(self, server: str, flavor: str | None = None) -> None:
        """Migrate or resize a server to the second host."""
        if flavor:
            self._leave_out_all_but(self.there)  # a resize names no host
            body = {"flavorRef": self.flavors[flavor]}
            self._act(server, {"resize": body})
        else:
            self._act(server, {"migrate": {"host": self.there.name}})

    def evacuate(self, server: str) -> None:
        """Have a server of the first host, which is down, made anew on the second."""
        self._act(server, {"evacuate": {"host": self.there.name}})

    def unshelve(self, server: str) -> None:
        """Have a shelved server made anew on the first host."""
        self._act(server, {"unshelve": {"host": self.here.name}})

    def _act(self, server: str, body: dict[str, typing.Any]) -> None:
        answer = self.compute.post(f"/servers/{server}/action", json=body, microversion="2.93")
        assert answer.status_code < 300, answer.text

    def down(self, host: ComputeHost, down: bool = True) -> None:
        """Tell Nova that a host is down, or that it is not."""
        (service,) = self.compute.services(binary="nova-compute", host=host.name)
        self.compute.put(
            f"/os-services/{service.id}", json={"forced_down": down}, microversion="2.53"
        )

    def _leave_out_all_but(self, host: ComputeHost) -> None:
        """Have the scheduler choose one host, until all is cleaned."""
        for service in self.compute.services(binary="nova-compute"):
            if service.host != host.name and service.status == "enabled":
                self._disabled.append(service)
                self.compute.disable_service(service)

    def let_choose(self) -> None:
        """Have the scheduler choose among all hosts again."""
        while self._disabled:
            self.compute.enable_service(self._disabled.pop())

    def regions(self) -> list[tuple[str, dict[str, typing.Any]]]:
        """All regions that are not free, each with the name of its host."""
        return [
            (host.name, region)
            for host in self.hosts
            for region in host.cli.status()["regions"]
            if region["state"] != "free"
        ]

    def check(self) -> None:
        """Nobody's region is used, no server has two on a host, none runs without its own."""
        servers = {server.id: server for server in self.compute.servers(details=True)}
        regions = self.regions()
        owners = [(host, region["owner"]) for host, region in regions]
        assert len(set(owners)) == len(owners), f"owned twice: {owners}"
        assert {region["state"] for _host, region in regions} <= {"programmed"}, regions
        for host, owner in owners:
            assert owner in servers, f"leaked on {host}: {owner}"
            at = (servers[owner].compute_host, servers[owner].status)
            used = at[0] == host or self._moving(owner, host) or self._has_guest(owner, host)
            assert used, f"leaked on {host}: {owner} is {at}"
        for server in servers.values():
            wants = server.flavor["extra_specs"].get("hw:fpga_ip_id")
            if server.status != "ACTIVE" or server.id not in self.servers or not wants:
                continue
            held = [
                r["id"]
                for host, r in regions
                if (host, r["owner"]) == (server.compute_host, server.id)
            ]
            assert len(held) == 1, f"{server.id} runs without a region"
            assert self.cloud.row_of(server.id)["fpga_device"] == held[0]

    def _has_guest(self, server: str, name: str) -> bool:
        """Whether a guest that Nova has lost track of is still on a host."""
        return any(host.name == name and host.keeps_guest(server) for host in self.hosts)

    def _moving(self, server: str, host: str) -> bool:
        """Whether a server is on its way from or to a host, or has not come to an end there."""
        answer = self.compute.get("/os-migrations", microversion="2.80").json()["migrations"]
        return any(
            one["instance_uuid"] == server
            and host in (one["source_compute"], one["dest_compute"])
            and one["status"] not in _OVER
            for one in answer
        )

    def _are_gone(self) -> bool:
        """Whether no server is left; those are deleted again that Placement held back.

        It answers 409 when many allocations at one host are deleted at once. Nova puts the server
        into ERROR then, and deletes it when it is asked again.
        """
        servers = self.compute.servers(details=True)
        remainder = [found for found in servers if found.id in self.servers]
        for server in remainder:
            fault = server.fault or {}
            if not server.task_state and _HELD_BACK in fault.get("message", ""):
                self.compute.delete_server(server.id, ignore_missing=True)
        return not remainder

    def clean(self) -> None:
        """Delete all servers, of which nothing may be left; all hosts may be chosen again."""
        for server in self.servers:
            self.compute.delete_server(server, ignore_missing=True)
        wait_until(self._are_gone, 120)
        # What a server that was on its way left on another host is found by an audit there.
        wait_until(lambda: self.regions() == [], 60)
        for server in self.servers:
            assert self.cloud.allocations_of(server) == {}
        self.servers.clear()
        self.let_choose()
