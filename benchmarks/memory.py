#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What fpga-nova adds to the memory of a compute host.

    python benchmarks/memory.py [-n 50] [--regions DEMO_DIR/venv/regions/bin/python] [--json]

A stock Nova's modules in one process, and in another the patched one's with the hooks, which burn
and erase `-n` times, two at once, by sudo and rootwrap's daemon with a resident region manager. The
driver is `emulator`; what the functions in the regions take is not counted. It fails above the
limit.

Memory of a program is proportional (PSS): pages that processes share are divided among them. Of
nova-compute, it is the pages that are of no file. Run it as root in an environment that has a
patched Nova and both sides of fpga-nova.
"""

import argparse
import concurrent.futures
import importlib
import json
import subprocess
import sys
import tempfile
import time
import types
import typing
import uuid
from pathlib import Path

import psutil

CHECKOUT = Path(__file__).parents[1]
sys.path.insert(0, str(CHECKOUT))

#: MiB that a compute host may have less.
LIMIT = 60

#: Of a nova-compute; the virt driver is not counted.
_NOVA = ("nova.cmd.compute", "nova.compute.manager", "nova.virt.driver")
_HOST = "node"
_AT_ONCE = 2
_MIB = 2**20


class Stub(types.ModuleType):
    """Stands for what a stock Nova does not import."""

    def __getattr__(self, name: str) -> typing.Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_arguments, **_more: None


def nova(patched: bool) -> None:
    """Import what a nova-compute has.

    :param patched: False for a stock one
    """
    if not patched:
        calls = Stub("fpga_hooks.calls")
        package = types.ModuleType("fpga_hooks")
        package.calls = calls  # type: ignore[attr-defined]
        sys.modules |= {"fpga_hooks": package, "fpga_hooks.calls": calls}
    for name in _NOVA:
        importlib.import_module(name)
    from nova import objects
    from oslo_config import cfg

    objects.register_all()
    cfg.CONF([], project="nova", default_config_files=[])


class Hooks:
    """The hooks of a nova-compute whose instances are saved nowhere.

    :param settings: folder and image
    """

    def __init__(self, settings: dict[str, str]) -> None:
        from nova import context, objects
        from oslo_config import cfg

        from fpga_hooks import calls
        from fpga_hooks.program import root

        self._image = settings["image"]
        cfg.CONF.set_override("access", True, "fpga")
        cfg.CONF.set_override("transport_url", "fake:///", "fpga")
        # This process is root's; a nova-compute is not, and so has a daemon.
        root._daemon_wanted = lambda: True
        program = str(Path(sys.executable).with_name("nova-rootwrap-daemon"))
        root._daemon_command = lambda: ["sudo", program, f"{settings['folder']}/rootwrap.conf"]
        objects.Instance.save = lambda instance, **_more: instance.obj_reset_changes()
        self._context = context.get_admin_context()
        self._calls = calls
        status = next(hook for hook in calls._hooks() if hook.name == "status")
        status.obj.init_host(_HOST)

    def life(self) -> None:
        """Build an instance and delete it."""
        from nova import objects

        from fpga_hooks.program import client

        instance = objects.Instance(
            uuid=str(uuid.uuid4()),
            flavor=objects.Flavor(extra_specs={"hw:fpga_ip_id": self._image}),
            old_flavor=None,
            new_flavor=None,
            fpga_device=None,
            host=_HOST,
            vm_state="building",
            task_state="spawning",
            system_metadata={},
        )
        self._calls.build_instance(self._context, instance, objects.ImageMeta())
        if client.status().owned_by(instance.uuid)[1].state != "programmed":
            raise SystemExit("Error: the region is not programmed")
        self._calls.delete_instance(self._context, instance)


def child(settings: dict[str, typing.Any]) -> None:
    """Be a nova-compute until the parent process has looked."""
    nova(settings["patched"])
    if settings["patched"]:
        hooks = Hooks(settings)
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda _number: hooks.life(), range(settings["count"])))
    print("ready", flush=True)
    sys.stdin.read()


def share(process: psutil.Process) -> float:
    """MiB of a process."""
    return float(process.memory_full_info().pss / _MIB)


def with_those_below(process: psutil.Process) -> float:
    """MiB of a process and of all below it."""
    return sum(map(share, [process, *process.children(recursive=True)]))


def look(settings: dict[str, typing.Any], manager: psutil.Process) -> dict[str, float]:
    """MiB of a nova-compute, of the daemons below it, and of the region manager."""
    command = [sys.executable, "-W", "ignore", __file__, "--child", json.dumps(settings)]
    pipe = subprocess.PIPE
    with psutil.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        if next(iter(process.stdout or ()), "") != "ready\n":
            raise SystemExit("Error: the process in the place of nova-compute has failed")
        daemons = sorted(map(with_those_below, process.children()))
        if len(daemons) != (_AT_ONCE if settings["patched"] else 0):
            raise SystemExit(f"Error: {len(daemons)} processes below nova-compute, not {_AT_ONCE}")
        while manager.children():  # what it does for itself, from time to time
            time.sleep(0.05)
        own = sum(one.anonymous for one in process.memory_maps()) / _MIB
        found = {"nova-compute": own, "region manager": share(manager)}
        names = (f"rootwrap's daemon {number + 1}" for number in range(len(daemons)))
        found |= dict(zip(names, daemons, strict=True))
        process.communicate()
    return found


def measure(count: int, regions: str) -> dict[str, float]:
    """MiB that each part adds, and all of them.

    :param regions: what runs fpga-cli
    """
    from tests.support import bitstreams
    from tests.support.host import Host
    from tests.support.openstack import OpenStack

    with tempfile.TemporaryDirectory(prefix="fpga-bench-") as name, OpenStack() as cloud:
        folder = Path(name)
        host = Host(folder, cloud.options())
        host.python = regions
        host.wrapper()
        (folder / "rootwrap.conf").write_text(
            f"[DEFAULT]\nfilters_path = {CHECKOUT}/etc/rootwrap.d\nexec_dirs = {folder}\n"
            "use_syslog = False\n"
        )
        settings = {"folder": name, "image": cloud.add(bitstreams.package()), "count": count}
        with host.served() as server:
            manager = psutil.Process(server.pid)
            stock = look(settings | {"patched": False}, manager)
            ours = look(settings | {"patched": True}, manager)
        host.close()
    parts = {"hooks in nova-compute": ours.pop("nova-compute") - stock["nova-compute"], **ours}
    return {part: round(size, 1) for part, size in (parts | {"all": sum(parts.values())}).items()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=50, help="burns and erases (default: 50)")
    parser.add_argument(
        "--regions", default=sys.executable, help="interpreter of fpga-cli (default: this one)"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        child(arguments.child)
        return
    import figures

    found = measure(arguments.n, arguments.regions)
    figures.report(found, arguments.json, n=arguments.n, unit="MiB", limit=LIMIT)
    if found["all"] >= LIMIT:
        sys.exit(f"Error: a compute host has {found['all']} MiB less, not less than {LIMIT}")


if __name__ == "__main__":
    main()
