#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What it costs to count a large cloud, and to answer from what was counted.

A Nova and a Placement in this process have simulated hosts: each fifth with FPGA cards, each fifth
with GPUs, and servers on all. The engine's way and the one of OpenstackGPUService (all servers, all
hypervisors) ask the same Nova. Then the application answers from memcached, and by a route that
does nothing. Run it in the environment `functional`, where `memcached` is installed:

    .tox/functional/bin/python benchmarks/api.py
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import logging
import os
import socket
import subprocess
import sys
import time
import typing
import unittest
import uuid
from pathlib import Path

# As Nova's own functional tests of this series run: with threads, and before eventlet is there.
os.environ["OS_NOVA_DISABLE_EVENTLET_PATCHING"] = "true"
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from nova import monkey_patch  # noqa: E402

monkey_patch.patch()

import figures  # noqa: E402
import sqlalchemy as sa  # noqa: E402
from nova import objects  # noqa: E402
from nova.db.api import api as api_db_api  # noqa: E402
from nova.db.main import api as main_db_api  # noqa: E402
from placement import db_api as placement_db_api  # noqa: E402

from fpga_api import handlers, publication  # noqa: E402
from fpga_api.availability.cloud import Cloud  # noqa: E402
from fpga_api.availability.refresh import Refresh  # noqa: E402
from fpga_api.routing import Route  # noqa: E402
from fpga_api.service import Service  # noqa: E402
from tests.functional import base  # noqa: E402
from tests.support import api as support  # noqa: E402
from tests.support.nova_api import adapters  # noqa: E402

#: In UTC and without a zone, as both services write times.
_NOW = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
REGION, GPU = "CUSTOM_FPGA_REGION", "CUSTOM_PCI_10DE_20B0"
_ALIAS = '{"name": "V100", "vendor_id": "10de", "product_id": "20b0"}'
_THEIRS = "OpenstackGPUService"
_COUNTED = "OpenstackGPUService / refresh, at least 10"
_ANSWERED = "availability / empty route, at most 2"
_BOARDS = ("CUSTOM_FPGA_BOARD_U250", "CUSTOM_FPGA_BOARD_VCK5000")
_SIZES = {"VCPU": (64, 0, 64, 4.0), "MEMORY_MB": (262144, 512, 262144, 1.0)}
_SIZES["DISK_GB"] = (2000, 0, 2000, 1.0)
_FLAVORS: dict[str, dict[str, str]] = {
    "fpga.any": {f"resources1:{REGION}": "1"},
    "fpga.u250": {f"resources1:{REGION}": "1", f"trait1:{_BOARDS[0]}": "required"},
    "fpga.vck": {f"resources1:{REGION}": "1", f"trait1:{_BOARDS[1]}": "required"},
    "fpga.x2": {f"resources{n}:{REGION}": "1" for n in (1, 2)} | {"group_policy": "none"},
    "gpu.1": {"pci_passthrough:alias": "V100:1"},
    "gpu.2": {"pci_passthrough:alias": "V100:2"},
    "plain": {},
}


@dataclasses.dataclass
class Host:
    """A simulated host: cards by uuid, and the class and number that each has."""

    number: int
    uuid: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))

    def __post_init__(self) -> None:
        self.kind = ("fpga", "gpu", "plain", "plain", "plain")[self.number % 5]
        count = 0 if self.kind == "plain" else 4
        self.cards = [str(uuid.uuid4()) for _ in range(count)]
        self.offer = (REGION, 2) if self.kind == "fpga" else (GPU, 1)

    @property
    def name(self) -> str:
        """What Nova and Placement call it."""
        return f"bench-{self.number:04}"

    def servers(self) -> list[tuple[str, str | None]]:
        """The flavor and the card of each server: up to as many as there are devices."""
        devices = [card for card in self.cards for _ in range(self.offer[1])]
        used = devices[: self.number % (len(devices) + 1)]
        flavor = "fpga.any" if self.kind == "fpga" else "gpu.1"
        return [(flavor, card) for card in used] + [("plain", None)] * 3


class Simulation:
    """Fills the databases of a Nova and a Placement, row by row as they would themselves."""

    def __init__(self, test: typing.Any, hosts: int) -> None:
        self._test = test
        self.hosts = [Host(number) for number in range(hosts)]
        self.servers = 0

    def fill(self) -> None:
        """Add all hosts and servers."""
        for name, specs in _FLAVORS.items():
            self._test._create_flavor(
                name=name, vcpu=4, memory_mb=8192, disk=20, ephemeral=0, extra_spec=specs
            )
        small = self._test._create_flavor(
            name="template", vcpu=1, memory_mb=64, disk=1, ephemeral=0, extra_spec={}
        )
        template = self._test.boot(small)["id"]
        with self._test.in_cell() as context:
            engine = main_db_api.get_engine(context=context)
            self._copy_servers(context, engine, template)
        self._fill_placement()

    def _copy_servers(self, context: typing.Any, engine: sa.Engine, template: str) -> None:
        tables = sa.MetaData()
        names = ("services", "compute_nodes", "instances", "instance_extra")
        tables.reflect(engine, only=[*names, "instance_info_caches"])
        with engine.begin() as connection:
            for name in ("services", "compute_nodes"):
                row = _one(connection, tables.tables[name], host="host1")
                rows = [
                    row | {"host": h.name, "uuid": h.uuid, "hypervisor_hostname": h.name}
                    for h in self.hosts
                ]
                _insert(connection, tables.tables[name], rows)
            instance = _one(connection, tables.tables["instances"], uuid=template)
            extra = _one(connection, tables.tables["instance_extra"], instance_uuid=template)
            cache = _one(connection, tables.tables["instance_info_caches"], instance_uuid=template)
            texts = {name: _flavor_text(context, name) for name in _FLAVORS}
            instances, extras, caches = [], [], []
            for host in self.hosts:
                for flavor, _card in host.servers():
                    new = str(uuid.uuid4())
                    place = {"host": host.name, "node": host.name, "uuid": new}
                    instances.append(instance | place)
                    extras.append(extra | {"instance_uuid": new, "flavor": texts[flavor]})
                    caches.append(cache | {"instance_uuid": new})
            _insert(connection, tables.tables["instances"], instances)
            _insert(connection, tables.tables["instance_extra"], extras)
            _insert(connection, tables.tables["instance_info_caches"], caches)
            self.servers = len(instances)
        self._map(template, [row["uuid"] for row in instances])
        for host in self.hosts:
            objects.HostMapping(
                self._test.admin_context(),
                host=host.name,
                cell_mapping=self._test.cell_mappings["cell1"],
            ).create()

    def _map(self, template: str, servers: list[str]) -> None:
        """Have Nova's API find the cell of each server: it goes from page to page by them."""
        engine = api_db_api.get_engine()
        tables = sa.MetaData()
        tables.reflect(engine, only=["instance_mappings"])
        with engine.begin() as connection:
            row = _one(connection, tables.tables["instance_mappings"], instance_uuid=template)
            rows = [row | {"instance_uuid": server} for server in servers]
            _insert(connection, tables.tables["instance_mappings"], rows)

    def _fill_placement(self) -> None:
        placement = self._test.placement
        for name in (REGION, GPU):
            placement.put(f"/resource_classes/{name}", None, version="1.39")
        for trait in _BOARDS:
            placement.put(f"/traits/{trait}", None, version="1.39")
        engine = placement_db_api.placement_context_manager.writer.get_engine()
        tables = sa.MetaData()
        tables.reflect(engine)
        _Placement(tables.tables, engine).add(self.hosts)


class _Placement:
    """Rows of Placement's database."""

    def __init__(self, tables: typing.Any, engine: sa.Engine) -> None:
        self._tables = tables
        self._engine = engine

    def add(self, hosts: list[Host]) -> None:
        with self._engine.begin() as connection:
            classes, traits = (
                {row.name: row.id for row in connection.execute(sa.select(self._tables[name]))}
                for name in ("resource_classes", "traits")
            )
            ids = self._add_providers(connection, hosts)
            inventories, own = [], []
            for host in hosts:
                for name, (total, reserved, unit, ratio) in _SIZES.items():
                    inventories.append(
                        _inventory(ids[host.uuid], classes[name], total, reserved, unit, ratio)
                    )
                for index, card in enumerate(host.cards):
                    name, total = host.offer
                    inventories.append(_inventory(ids[card], classes[name], total, 0, total, 1.0))
                    if host.kind == "fpga":
                        trait = traits[_BOARDS[index == 3]]
                        own.append({"resource_provider_id": ids[card], "trait_id": trait})
            _insert(connection, self._tables["inventories"], inventories)
            _insert(connection, self._tables["resource_provider_traits"], own)
            self._allocate(connection, hosts, ids, classes)

    def _add_providers(self, connection: sa.Connection, hosts: list[Host]) -> dict[str, int]:
        table = self._tables["resource_providers"]
        start = 1 + (connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0)
        ids: dict[str, int] = {}
        rows = []
        for host in hosts:
            root = ids[host.uuid] = start + len(rows)
            rows.append(_provider(root, host.uuid, host.name, root, None))
            for index, card in enumerate(host.cards):
                ids[card] = start + len(rows)
                rows.append(_provider(ids[card], card, f"{host.name}_{index}", root, root))
        _insert(connection, table, rows)
        return ids

    def _allocate(
        self,
        connection: sa.Connection,
        hosts: list[Host],
        ids: dict[str, int],
        classes: dict[str, int],
    ) -> None:
        rows = []
        for host in hosts:
            for _flavor, card in host.servers():
                consumer = str(uuid.uuid4())
                taken = [(host.uuid, "VCPU", 4), (host.uuid, "MEMORY_MB", 8192)]
                taken.append((host.uuid, "DISK_GB", 20))
                if card is not None:
                    taken.append((card, host.offer[0], 1))
                rows += [
                    {
                        "resource_provider_id": ids[provider],
                        "consumer_id": consumer,
                        "resource_class_id": classes[name],
                        "used": amount,
                    }
                    for provider, name, amount in taken
                ]
        _insert(connection, self._tables["allocations"], rows)


def _provider(
    number: int, name: str, label: str, root: int, parent: int | None
) -> dict[str, typing.Any]:
    return {
        "id": number,
        "uuid": name,
        "name": label,
        "generation": 1,
        "root_provider_id": root,
        "parent_provider_id": parent,
    }


def _inventory(
    provider: int, name: int, total: int, reserved: int, unit: int, ratio: float
) -> dict[str, typing.Any]:
    return {
        "resource_provider_id": provider,
        "resource_class_id": name,
        "total": total,
        "reserved": reserved,
        "min_unit": 1,
        "max_unit": unit,
        "step_size": 1,
        "allocation_ratio": ratio,
    }


def _one(connection: sa.Connection, table: sa.Table, **values: str) -> dict[str, typing.Any]:
    """The row with these values, without its number."""
    wanted = [table.c[name] == value for name, value in values.items()]
    row = connection.execute(sa.select(table).where(*wanted)).mappings().first()
    assert row is not None  # noqa: S101
    return {name: value for name, value in row.items() if name != "id"}


def _insert(connection: sa.Connection, table: sa.Table, rows: list[dict[str, typing.Any]]) -> None:
    known = set(table.columns.keys())
    complete = ({"created_at": _NOW} | row for row in rows)
    connection.execute(
        sa.insert(table), [{k: v for k, v in row.items() if k in known} for row in complete]
    )


def _flavor_text(context: typing.Any, name: str) -> str:
    flavor = objects.Flavor.get_by_name(context, name)
    return json.dumps({"cur": flavor.obj_to_primitive(), "old": None, "new": None})


def gpu_service_way(nova: typing.Any) -> int:
    """Ask as OpenstackGPUService does; the number of servers."""
    nova.get("/os-aggregates", "2.79")
    servers = _pages(nova, "/servers/detail?all_tenants=True", "servers")
    _pages(nova, "/os-hypervisors/detail", "hypervisors")
    nova.get("/flavors/detail", "2.79")
    return len(servers)


def _pages(nova: typing.Any, path: str, key: str) -> list[typing.Any]:
    found: list[typing.Any] = []
    marker = ""
    sign = "&" if "?" in path else "?"
    while True:
        page = nova.get(f"{path}{sign}limit=1000{marker}", "2.79").json()[key]
        found += page
        if len(page) < 1000:
            return found
        marker = f"&marker={page[-1]['id']}"


@contextlib.contextmanager
def memcached() -> typing.Iterator[str]:
    """A memcached on loopback; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    words = ["memcached", "-u", "nobody", "-l", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(words) as process:  # noqa: S603
        try:
            while True:
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.02)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def answers(document: typing.Any, count: int) -> dict[str, figures.Times]:
    """Times of the application's answers: from memcached, and from a route that does nothing."""
    listed = handlers.list_routes()
    (real,) = (one for one in listed if one.name == "GET /v1/availability")
    empty: Route = dataclasses.replace(
        real, path="/v1/empty", handler=lambda _request: (200, {}), answers={200: {}}
    )
    handlers.list_routes = lambda: [*listed, empty]
    with memcached() as address, support.Tokens():
        conf = support.configuration(
            cache={"backend": "dogpile.cache.pymemcache", "memcache_servers": [address]}
        )
        service = Service(conf)
        service.publication.publish("availability", document, 15)
        client = support.Api(service).app.test_client()
        headers = support.PERSONAS["reader"].headers

        def ask(path: str) -> None:
            response = client.get(path, headers=headers)
            assert response.status_code == 200, response.text  # noqa: S101

        ways = {path: lambda path=path: ask(path) for path in ("/v1/availability", "/v1/empty")}
        return figures.in_turns(ways, count)


class Bench(base.FunctionalTestCase):  # type: ignore[misc]
    """The cloud of the benchmark."""

    number = 1000
    turns = 3
    report: dict[str, typing.Any] = {}  # noqa: RUF012

    def configure(self) -> None:
        """Have the simulated hosts stay up, which report nothing."""
        self.flags(service_down_time=10**6)

    def test_all(self) -> None:
        """Measure."""
        simulation = Simulation(self, self.number)
        start = time.perf_counter()
        simulation.fill()
        print(
            f"{self.number} hosts, {simulation.servers} servers: "
            f"{time.perf_counter() - start:.0f} s",
            file=sys.stderr,
        )
        adapter = adapters(self.api, self.placement)
        conf = support.configuration(availability={"pci_alias": [_ALIAS]})
        start = time.perf_counter()
        refresh = Refresh(Cloud(adapter), conf, publication.Publication.of(conf))
        document = refresh.count()
        first = time.perf_counter() - start
        while not document["complete"]:
            document = refresh.count()
        times = figures.in_turns(
            {
                "refresh": refresh.count,
                _THEIRS: lambda: gpu_service_way(adapter("compute")),
            },
            self.turns,
        )
        api = answers(document, 500)
        Bench.report |= {
            "first refresh": {"ms": round(1000 * first)},
            **{name: one.summary() for name, one in (times | api).items()},
            "free/total": {
                one["name"]: f"{one['free']}/{one['total']}" for one in document["flavors"]
            },
            _COUNTED: figures.ratio(times[_THEIRS].median, times["refresh"].median),
            _ANSWERED: figures.ratio(api["/v1/availability"].median, api["/v1/empty"].median),
        }


def main() -> int:
    """Run the benchmark; 1 if it could not be run, or a bound of its own is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=Bench.number)
    parser.add_argument("-n", type=int, default=Bench.turns, help="turns of the two ways")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    Bench.number, Bench.turns = arguments.hosts, arguments.n
    logging.disable(logging.WARNING)
    result = unittest.TextTestRunner(verbosity=0).run(Bench("test_all"))
    if not result.wasSuccessful():
        return 1
    figures.report(Bench.report, arguments.json, hosts=Bench.number)
    return 0 if Bench.report[_COUNTED] >= 10 and Bench.report[_ANSWERED] <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
