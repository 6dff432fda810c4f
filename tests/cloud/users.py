# SPDX-License-Identifier: Apache-2.0
"""A cloud on local hosts that is up, as its users reach it: servers, regions, allocations."""

import datetime
import functools
import json
import re
import time
import typing
import uuid

import openstack

from tests.cloud.site import FOLDER, INSTALL, Site, Text

#: Where hosts have this project's programs for operators.
PROGRAMS = {"venv": f"{FOLDER}/venv/cloud/bin", "packages": "/usr/bin"}[INSTALL]

_PATIENCE = 180  # seconds

#: What nova-compute logs when it starts.
_STARTED = "Starting compute node"

#: Seconds from one audit to the next, and what one takes.
_AUDIT = 60 + 10

Condition = typing.Callable[[], typing.Any]


def wait_for(what: str, condition: Condition, seconds: float = _PATIENCE) -> typing.Any:
    """What a condition gives once that is true.

    An answer of the cloud that is an error counts as false: it may be down for a while.
    """
    end = time.monotonic() + seconds
    while True:
        last: object = None
        try:
            if found := condition():
                return found
        except (openstack.exceptions.SDKException, AssertionError) as e:
            last = e
        assert time.monotonic() < end, f"not within {seconds} s: {what} {last or ''}"
        time.sleep(1)


class CloudOfHosts:
    """The cloud of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def is_there(self) -> bool:
        """Whether the controller has a cloud."""
        found = self.site.ssh("controller", f"test -e {FOLDER}/openrc", check=False)
        return found.returncode == 0

    @functools.cached_property
    def api(self) -> openstack.connection.Connection:
        """The SDK, as the administrator; for this machine, which reaches the controller."""
        return self._connected("openrc")

    @functools.cached_property
    def user(self) -> openstack.connection.Connection:
        """The same as an ordinary user."""
        return self._connected("openrc-demo")

    def _connected(self, credentials: str) -> openstack.connection.Connection:
        lines = self.site.ask("controller", f"cat {FOLDER}/{credentials}").splitlines()
        found = dict(
            line.removeprefix("export OS_").split("=", 1)
            for line in lines
            if line.startswith("export OS_")
        )
        return openstack.connect(
            auth_url=found["AUTH_URL"],
            username=found["USERNAME"],
            password=found["PASSWORD"],
            project_name=found["PROJECT_NAME"],
            user_domain_name=found["USER_DOMAIN_NAME"],
            project_domain_name=found["PROJECT_DOMAIN_NAME"],
            region_name=found["REGION_NAME"],
        )

    def client(self, line: str, check: bool = True) -> Text:
        """Run a line of shell with openrc on the controller: nova, openstack, nova-manage …"""
        return self.site.ssh("controller", f". {FOLDER}/openrc && {line}", check)

    def create(
        self,
        flavor: str = "fpga-lzo",
        host: str | None = None,
        networks: typing.Any = "none",
        **more: typing.Any,
    ) -> str:
        """Ask for a server; its id. It is not waited for.

        :param host: where it has to be; the scheduler's choice if None
        :param networks: as Nova's API has them
        """
        compute = self.api.compute
        image = more.pop("image_id", None)
        placed = {"host": host} if host else {}
        server = compute.create_server(
            name=f"e2e-{uuid.uuid4().hex[:8]}",
            flavor_id=compute.find_flavor(flavor, ignore_missing=False).id,
            image_id=image or self.api.image.find_image("ubuntu_lzo", ignore_missing=False).id,
            networks=networks,
            **placed,
            **more,
        )
        return str(server.id)

    def boot(self, flavor: str = "fpga-lzo", host: str | None = None) -> typing.Any:
        """Boot a server and wait until it is ACTIVE or ERROR; the SDK's server."""
        return self.settled(self.create(flavor, host))

    def settled(self, server: str, *states: str, seconds: float = _PATIENCE) -> typing.Any:
        """Wait until a server is in one of the states and has no task; the SDK's server.

        :param states: ACTIVE or ERROR if there are none
        """
        wanted = states or ("ACTIVE", "ERROR")

        def look() -> typing.Any:
            found = self.api.compute.get_server(server)
            return found if found.status in wanted and not found.task_state else None

        return wait_for(f"server {server} is {' or '.join(wanted)}", look, seconds)

    def fault(self, server: str) -> str:
        """The message of a server's fault."""
        return str((self.api.compute.get_server(server).fault or {}).get("message", ""))

    def servers(self) -> dict[str, typing.Any]:
        """All servers by their ids."""
        return {one.id: one for one in self.api.compute.servers(all_projects=True)}

    def act(self, server: str, body: dict[str, typing.Any]) -> None:
        """Ask for an action of Nova's API, such as {"evacuate": {}}."""
        answer = self.api.compute.post(f"/servers/{server}/action", json=body, microversion="2.93")
        assert answer.status_code < 300, answer.text

    def delete(self, *servers: str) -> None:
        """Delete servers, and wait until they are gone."""
        for server in servers:
            self.api.compute.delete_server(server, ignore_missing=True)
        wait_for("the servers are gone", lambda: not self.servers().keys() & set(servers))

    def service(self, host: str) -> typing.Any:
        """Nova's record of a compute service; None if there is none."""
        return next(iter(self.api.compute.services(binary="nova-compute", host=host)), None)

    def is_up(self, host: str) -> bool:
        """Whether Nova takes a compute service for alive."""
        found = self.service(host)
        return found is not None and found.state == "up"

    def force_down(self, host: str, is_down: bool = True) -> None:
        """Tell Nova that a host is down, or that it is not."""
        url, body = f"/os-services/{self.service(host).id}", {"forced_down": is_down}
        answer = self.api.compute.put(url, json=body, microversion="2.53")
        assert answer.status_code < 300, answer.text

    def audited(self, host: str) -> bool:
        """Whether the nova-compute of a host has run for longer than from one audit to the next."""
        unit = "$(systemctl show --property=MainPID --value fpga-nova-nova-compute)"
        age = self.site.ssh(host, f"ps --no-headers -o etimes --pid {unit}", check=False).stdout
        return int(age or 0) > _AUDIT

    def since_start(self, host: str) -> str:
        """What nova-compute of a host has logged since its last start."""
        return self.log(host).rpartition(_STARTED)[2]

    def ledger(self, host: str) -> list[dict[str, typing.Any]]:
        """The regions of a host, as fpga-cli.py reports them; none where it is not."""
        program = f"{FOLDER}/bin/fpga-cli.py"
        if self.site.ssh(host, f"test -e {program}", check=False).returncode:
            return []
        text = self.site.ask(host, f"{program} status --format json")
        return typing.cast(list[dict[str, typing.Any]], json.loads(text)["regions"])

    def owners(self, host: str) -> list[str]:
        """The owners of a host's regions that are not free, in the order of the regions."""
        return [str(one["owner"]) for one in self.ledger(host) if one["state"] != "free"]

    def docker(self, host: str, line: str, check: bool = True) -> str:
        """What docker prints on a host, with the engine of the cloud."""
        socket = f"DOCKER_HOST=unix://{FOLDER}/run/docker.sock"
        return self.site.ssh(host, f"{socket} docker {line}", check).stdout.strip()

    def containers(self, host: str, running: bool = False) -> set[str]:
        """The ids of the servers whose containers a host has; stopped ones too."""
        names = self.docker(host, f"ps {'' if running else '--all '}--format '{{{{.Names}}}}'")
        return {name.removeprefix("nova-") for name in names.split() if name.startswith("nova-")}

    def started(self, host: str, server: str) -> datetime.datetime:
        """When the container of a server was started."""
        text = self.docker(host, f"inspect --format '{{{{.State.StartedAt}}}}' nova-{server}")
        # The engine writes nanoseconds, which Python does not read.
        return datetime.datetime.fromisoformat(f"{text[:26].rstrip('Z')}+00:00")

    def compressed(self, host: str, server: str) -> int:
        """The bytes that the function of a server's region makes of 4000 zeros."""
        script = "head -c 4000 /dev/zero | fpga-client /dev/fpga0 | wc -c"
        return int(self.docker(host, f'exec nova-{server} sh -c "{script}"'))

    def allocations(self) -> dict[str, set[str]]:
        """The names of the hosts that Placement has allocations on, by the id of the consumer."""
        found: dict[str, set[str]] = {}
        providers = self.api.placement.get("/resource_providers", microversion="1.14").json()
        for one in providers["resource_providers"]:
            url = f"/resource_providers/{one['uuid']}/allocations"
            for consumer in self.api.placement.get(url).json()["allocations"]:
                found.setdefault(consumer, set()).add(_host_of(one, providers))
        return found

    def is_clean(self, *hosts: str) -> bool:
        """Whether regions, containers and allocations belong to servers that there are.

        :param hosts: those that are looked at
        """
        servers = self.servers()
        at = {host: {i for i, s in servers.items() if s.compute_host == host} for host in hosts}
        return (
            all(set(self.owners(host)) <= at[host] for host in hosts)
            and all(self.containers(host) <= at[host] for host in hosts)
            and self.allocations().keys() <= servers.keys()
        )

    def log(self, host: str, service: str = "nova-compute") -> str:
        """All that a service of a host has logged."""
        return self.site.ask(host, f"cat {FOLDER}/log/{service}.log")


def counts(output: str) -> dict[str, tuple[int, int, int]]:
    """Ansible's counts by host in the output of `up`: ok, changed, failed."""
    form = re.compile(r"^ +(\S+) +(\d+) ok, (\d+) changed, (\d+) failed", re.MULTILINE)
    return {m[1].split(".")[0]: (int(m[2]), int(m[3]), int(m[4])) for m in form.finditer(output)}


def _host_of(provider: dict[str, typing.Any], all_of_them: dict[str, typing.Any]) -> str:
    by_id = {one["uuid"]: one for one in all_of_them["resource_providers"]}
    return str(by_id[provider["root_provider_uuid"]]["name"])
