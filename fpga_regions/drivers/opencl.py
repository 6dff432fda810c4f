# SPDX-License-Identifier: Apache-2.0
"""Regions that run kernels of OpenCL: each is a node server on a device of the host's OpenCL.

A package of part `binary` brings a binary for the device, and its region runs that one only. One of
part `source` permits its region to compile what clients send. docs/opencl-regions.md has more.
"""

import contextlib
import os
import pathlib
import typing

from oslo_config import cfg, types

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import served, settings
from fpga_regions.model import Region, Slot
from fpga_regions.opencl import BINARY, PERMISSION, SOURCE
from fpga_regions.package.reader import Package
from fpga_regions.served.server import Load
from fpga_regions.system import folders

GROUP = BOARD = "opencl"
_MOST = 64  # cards, regions of each and sessions of each of these
_MORE_PROCESSES = 16  # of a region, beside those of its workers
_MORE_ADDRESSES = 4  # times the memory that a worker may use: libraries, stacks of threads
_GIB = 1 << 30

OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "cards",
        default=1,
        min=1,
        max=_MOST,
        help="Devices of the host's OpenCL, in the order of `clinfo -l`: opencl0, opencl1, ...",
    ),
    cfg.IntOpt("regions", default=2, min=1, max=_MOST, help="Regions of each device."),
    cfg.ListOpt(
        "parts",
        default=[BINARY],
        item_type=types.String(choices=[BINARY, SOURCE]),
        help="""
Parts that a region can be; the burnt package says which. `binary` runs the binary of the package
and no other. `source` compiles and runs whatever its clients send, which needs the host's compiler.
""",
    ),
    cfg.StrOpt(
        "agent",
        help="""
Path of the socket of `fpga-opencl-agent`. With it, kernels of regions run on nodes from afar, in
sessions of the agent's project, and a region is `source` whatever `parts` says.
""",
    ),
    settings.interface_option(),
    settings.vendor_option(),
    cfg.BoolOpt(
        "simulated",
        default=True,
        help="""
Whether the devices are processors, as those of pocl are. nova-compute refuses their regions without
`[fpga] simulation_mode`. Set this to False if the devices are accelerators.
""",
    ),
    cfg.IntOpt(
        "first_uid",
        default=2050000000,
        min=1,
        max=2147483647 - _MOST**3,
        help="""
Number of the first user that runs kernels. Each session has one of the 262,144 users from it on.
They need no entry in passwd and must belong to nobody else.
""",
    ),
    cfg.IntOpt(
        "sessions",
        default=4,
        min=1,
        max=_MOST,
        help="Programs that use a region at the same time. A region turns others away.",
    ),
    cfg.IntOpt(
        "max_memory",
        default=2 * _GIB,
        min=_GIB // 4,
        help="""
Bytes of memory that all processes of a region may have together, by a control group. If the host
allows no control groups, each process may have four times as much address space.
""",
    ),
    cfg.IntOpt(
        "cpu_percent",
        default=400,
        min=1,
        help="Percent of one processor that all processes of a region may have together.",
    ),
    cfg.IntOpt(
        "cpu_seconds",
        default=86400,
        min=1,
        help="Seconds of processor time of a session, after which it is ended.",
    ),
    cfg.IntOpt(
        "processes",
        default=256,
        min=16,
        help="Processes of a session, with their threads.",
    ),
]


class OpenclDriver(served.ServedDriver):
    """A number of devices, each with a number of regions, as group `opencl` says."""

    noun = "node server"

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self._options = settings.register(conf, GROUP, OPTIONS)

    def discover(self) -> list[Slot]:
        """The regions that are configured; a burn finds out whether their device is there."""
        options = self._options
        return [
            Slot(
                driver=self.name,
                device=f"{BOARD}{card}",
                index=index,
                board=BOARD,
                part=SOURCE if options.agent else ",".join(options.parts),
                interface=options.interface and options.interface.lower(),
                kinds=frozenset({"socket"}),
                simulated=options.simulated,
                vendor=options.vendor,
            )
            for card in range(options.cards)
            for index in range(options.regions)
        ]

    def put(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Start a node server that runs the package's binary, or compiles."""
        source = package.manifest.part == SOURCE
        if len(package.manifest.exposes) != 1:
            raise errors.BadPackage("a package for OpenCL exposes one socket")
        if source and package.bitfile != PERMISSION:
            raise errors.BadPackage(
                f"the bitfile of a package for part {SOURCE} must be the line OpenCL C"
            )
        parameters: dict[str, typing.Any] = {
            "function": package.manifest.function,
            "digest": package.digest,
            "source": source,
            "binary": None,
        }
        with contextlib.ExitStack() as files:
            try:
                binary = () if source else (_in_memory(package.bitfile, files),)
                if binary:
                    parameters["binary"] = binary[0]
                self._serve(region, Load("process", parameters, 1, files=binary), deadline)
            except OSError as e:
                raise errors.ProgrammingFailed(f"the node server cannot be started: {e}") from e

    def put_again(self, region: Region, load: Load, deadline: Deadline) -> None:
        """The device took its binary already."""
        parameters = load.parameters | {"binary": None}
        self._serve(region, Load(load.module, parameters, load.sockets), deadline)

    def _serve(self, region: Region, load: Load, deadline: Deadline) -> None:
        from fpga_nova.confined import groups

        options = self._options
        folder = pathlib.Path(self.conf.runtime_dir) / "opencl"
        folders.make_private(folder)
        card = int(region.slot.device.removeprefix(BOARD))
        worker = {
            # Whatever is configured later, no two regions ever have a user in common.
            "uid": options.first_uid + (card * _MOST + region.slot.index) * _MOST,
            "memory": options.max_memory,
            "address_space": _MORE_ADDRESSES * options.max_memory,
            "cpu_percent": options.cpu_percent,
            "cpu_seconds": options.cpu_seconds,
            "processes": options.processes,
            "device": card,
        }
        given = {
            "folder": str(folder),
            "sessions": options.sessions,
            "worker": worker,
            "agent": options.agent,
        }
        processes = options.sessions * options.processes + _MORE_PROCESSES
        limits = groups.Limits(options.max_memory, options.cpu_percent, processes)
        self.start(region, load, given, limits, deadline)


def _in_memory(content: bytes, files: contextlib.ExitStack) -> int:
    """A descriptor of a file that has no name, for the node server to read."""
    file = files.enter_context(os.fdopen(os.memfd_create("binary"), "wb"))
    file.write(content)
    file.flush()
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return file.fileno()
