#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What FPGA flavors cost the scheduler of a large cloud.

The demo cloud's database and Placement get simulated compute hosts with regions; its real scheduler
is asked where to put servers with and without an FPGA flavor, in turns. What was added is taken out
again. Run it with the Python of the demo cloud, as root:

    DEMO_DIR/venv/cloud/bin/python benchmarks/scale.py DEMO_DIR
"""

import argparse
import concurrent.futures
import json
import statistics
import sys
import tempfile
import time
import typing
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "build_scripts")]

import sqlalchemy as sa  # noqa: E402
from cloud import Cloud  # noqa: E402
from nova import config, objects, rpc  # noqa: E402
from nova import context as nova_context  # noqa: E402
from nova.scheduler import host_manager  # noqa: E402
from nova.scheduler.client import query  # noqa: E402
from oslo_config import cfg  # noqa: E402

from scheduler_filters.fpga_filter import FpgaFilter  # noqa: E402
from tests.e2e.hosts import Schedulers  # noqa: E402

PREFIX = "scale-"
REGIONS = 4
BITSTREAM = str(uuid.uuid4())
_SIZE = {"VCPU": 64, "MEMORY_MB": 262144, "DISK_GB": 2000}
#: Traits of a host that the scheduler asks for, or may ask for.
_TRAITS = ["CUSTOM_FPGA", "OWNER_NOVA"]

Flavor = typing.Any


class Hosts:
    """Simulated compute hosts in Nova's databases and in Placement."""

    def __init__(self, cloud: Cloud) -> None:
        self._placement = cloud.api.placement
        self._hosts: list[tuple[str, str]] = []
        self._context = nova_context.get_admin_context()
        cells = objects.CellMappingList.get_all(self._context)
        self._cell = next(cell for cell in cells if not cell.is_cell0())

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._hosts)

    def grow(self, count: int) -> None:
        """Add hosts until there are so many."""
        names = [f"{PREFIX}{number:04}" for number in range(self.count, count)]
        for name in names:  # before the scheduler finds hosts without one
            mapping = objects.HostMapping(self._context, host=name, cell_mapping=self._cell)
            mapping.create()
        with nova_context.target_cell(self._context, self._cell) as context:
            hosts = [(name, self._record(context, name)) for name in names]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(self._provide, hosts))
        self._hosts += hosts

    @staticmethod
    def _record(context: typing.Any, name: str) -> str:
        service = objects.Service(
            context, host=name, binary="nova-compute", topic="compute", report_count=1
        )
        service.disabled = False
        service.create()
        node = objects.ComputeNode(
            context,
            uuid=str(uuid.uuid4()),
            service_id=service.id,
            host=name,
            hypervisor_hostname=name,
            vcpus=_SIZE["VCPU"],
            memory_mb=_SIZE["MEMORY_MB"],
            local_gb=_SIZE["DISK_GB"],
            vcpus_used=0,
            memory_mb_used=0,
            local_gb_used=0,
            free_ram_mb=_SIZE["MEMORY_MB"],
            free_disk_gb=_SIZE["DISK_GB"],
            disk_available_least=_SIZE["DISK_GB"],
            hypervisor_type="docker",
            hypervisor_version=1,
            cpu_info="{}",
            running_vms=0,
            current_workload=0,
            cpu_allocation_ratio=1.0,
            ram_allocation_ratio=1.0,
            disk_allocation_ratio=1.0,
            host_ip="127.0.0.1",
            stats={"fpga_images": ""},
            supported_hv_specs=[],
        )
        node.fpga_regions, node.fpga_regions_used = REGIONS, 0
        node.create()
        return str(node.uuid)

    def _provide(self, host: tuple[str, str]) -> None:
        name, provider = host
        version = {"headers": {"OpenStack-API-Version": "placement 1.39"}}
        answers = [
            self._placement.post(
                "/resource_providers", json={"uuid": provider, "name": name}, **version
            )
        ]
        sizes = _SIZE | {"CUSTOM_FPGA_REGION": REGIONS}
        inventories = {kind: {"total": total} for kind, total in sizes.items()}
        body = {"resource_provider_generation": 0, "inventories": inventories}
        url = f"/resource_providers/{provider}"
        answers.append(self._placement.put(f"{url}/inventories", json=body, **version))
        body = {"resource_provider_generation": 1, "traits": _TRAITS}
        answers.append(self._placement.put(f"{url}/traits", json=body, **version))
        for answer in answers:
            answer.raise_for_status()

    def beat(self) -> None:
        """Have all of them seen alive just now."""
        with self._engine().begin() as connection:
            connection.execute(
                sa.text(
                    "update services set last_seen_up = utc_timestamp() where host like :hosts"
                ),
                {"hosts": f"{PREFIX}%"},
            )

    def _engine(self) -> sa.Engine:
        return sa.create_engine(self._cell.database_connection)

    def remove(self) -> None:
        """Take all of them out, those of an earlier run that was interrupted, too."""
        hosts = {"hosts": f"{PREFIX}%"}
        with self._engine().begin() as connection:
            for table in ("compute_nodes", "services"):
                connection.execute(sa.text(f"delete from {table} where host like :hosts"), hosts)  # noqa: S608
        with sa.create_engine(cfg.CONF.api_database.connection).begin() as connection:
            connection.execute(sa.text("delete from host_mappings where host like :hosts"), hosts)
        for provider in self._placement.get("/resource_providers").json()["resource_providers"]:
            if provider["name"].startswith(PREFIX):
                self._placement.delete(f"/resource_providers/{provider['uuid']}")
        self._hosts.clear()


class Asker:
    """Asks the scheduler for a host, as the conductor does."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._client = query.SchedulerQueryClient()
        self._context = nova_context.get_admin_context()

    def ask(self, extra_specs: dict[str, str]) -> float:
        """Seconds that a decision takes; what was allocated is given back."""
        server = str(uuid.uuid4())
        flavor = objects.Flavor(
            flavorid="scale",
            name="scale",
            memory_mb=64,
            vcpus=1,
            root_gb=1,
            ephemeral_gb=0,
            swap=0,
            extra_specs=extra_specs,
            is_public=True,
        )
        spec = objects.RequestSpec.from_components(
            self._context,
            server,
            {"id": BITSTREAM, "properties": {}},
            flavor,
            None,
            objects.InstancePCIRequests(requests=[]),
            {},
            None,
            None,
            project_id=self._cloud.api.current_project_id,
            user_id="scale",
        )
        start = time.perf_counter()
        found = self._client.select_destinations(
            self._context, spec, [server], return_objects=True, return_alternates=True
        )
        duration = time.perf_counter() - start
        if not found[0]:
            raise SystemExit("Error: the scheduler found no host")
        self._cloud.api.placement.delete(f"/allocations/{server}").raise_for_status()
        return duration


def of_filter(hosts: int = 1000, turns: int = 20) -> float:
    """Seconds that FpgaFilter takes for one host."""
    states = []
    for number in range(hosts):
        state = host_manager.HostState(f"host{number}", f"host{number}", None)
        state.fpga_regions, state.fpga_regions_used = REGIONS, 0
        states.append(state)
    flavor = objects.Flavor(extra_specs={"hw:fpga_ip_id": BITSTREAM})
    spec = objects.RequestSpec(flavor=flavor)
    one = FpgaFilter()
    durations = []
    for _turn in range(turns):
        start = time.perf_counter()
        passed = sum(one.host_passes(state, spec) for state in states)
        durations.append((time.perf_counter() - start) / passed)
    return statistics.median(durations)


def memory(pid: int) -> int:
    """The memory that a process and its children have to themselves, in MiB."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if int(stat.parent.name) != pid and parent != pid:
                continue
            lines = (stat.parent / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total // 1024


def measure(cloud: Cloud, hosts: Hosts, placement: bool, turns: int) -> dict[str, typing.Any]:
    """Medians of a scheduler of its own with so many hosts."""
    kinds: dict[str, dict[str, str]] = {"plain": {}, "fpga": {"hw:fpga_ip_id": BITSTREAM}}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        schedulers = Schedulers(cloud, Path(folder), 1, request_placement=placement)
        schedulers.start()
        try:
            asker = Asker(cloud)
            for turn in range(turns + 2):
                hosts.beat()
                for kind, specs in kinds.items():
                    duration = asker.ask(specs)
                    if turn > 1:  # the first ones warm up
                        times[kind].append(duration)
            used = memory(schedulers.pid)
        finally:
            schedulers.stop()
    medians = {kind: 1000 * statistics.median(duration) for kind, duration in times.items()}
    return {
        "hosts": hosts.count,
        "asks": "Placement" if placement else "FpgaFilter",
        **{f"{kind}_ms": round(duration, 1) for kind, duration in medians.items()},
        "ratio": round(medians["fpga"] / medians["plain"], 3),
        "scheduler_mib": used,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("--hosts", type=int, nargs="+", default=[100, 500, 1000])
    parser.add_argument("-n", type=int, default=30, help="decisions of each kind (default: 30)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cloud = Cloud(arguments.demo_dir)
    conf = str(cloud.folder / "etc" / "nova" / "nova.conf")
    config.parse_args(["scale", "--config-file", conf])
    rpc.init(cfg.CONF)
    objects.register_all()
    hosts = Hosts(cloud)
    hosts.remove()
    rows = []
    try:
        for count in arguments.hosts:
            hosts.grow(count)
            for placement in (False, True):
                rows.append(measure(cloud, hosts, placement, arguments.n))
                print(rows[-1] if not arguments.json else "", file=sys.stderr)
    finally:
        hosts.remove()
    per_host = 1e6 * of_filter()
    if arguments.json:
        print(json.dumps({"decisions": rows, "filter_us_per_host": per_host}, indent=2))
        return
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    print(f"FpgaFilter, per host: {per_host:.2f} us")


if __name__ == "__main__":
    main()
