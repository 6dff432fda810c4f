# SPDX-License-Identifier: Apache-2.0
"""Each verb is killed at every point that it passes, on every driver that can run here.

With the driver `fake` it is killed in the process of a server, too; so are replacements and holds
with the emulator, whose sockets go from one process to the next.

After the next command no region is owned twice, none is lost, none is used without an owner, and
what is free holds nothing; and the verb that was killed can be given again.
"""

import collections
import contextlib
import os
import sqlite3
import typing
import uuid
from pathlib import Path

import pytest

from fpga_regions.command import options
from fpga_regions.drivers import api
from fpga_regions.emulator import software
from fpga_regions.ledger import schema
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager import reconcile
from fpga_regions.manager.bitstreams import File
from fpga_regions.manager.manager import Manager
from fpga_regions.model import Claim, Region, State
from fpga_regions.package import reader
from tests.support import bitstreams, points
from tests.support.host import talk
from tests.support.wrapped import PROGRAM
from tests.unit.fpga_regions.conftest import owner, unpack

Verb = typing.Callable[[Manager], object]

LEDGER = [
    "fpga_regions.ledger.ledger:Ledger.register",
    "fpga_regions.ledger.ledger:Ledger.claim",
    "fpga_regions.ledger.ledger:Ledger.hold",
    "fpga_regions.ledger.ledger:Ledger.move",
    "fpga_regions.ledger.events:History.note",
]
STEPS = ["program", "replace", "read_back", "clear", "nodes", "reset"]
DRIVERS = {
    "emulator": (
        "fpga_regions.drivers.emulator:EmulatorDriver",
        ["fpga_regions.system.processes:end", "subprocess:Popen._execute_child"],
    ),
    "fake": ("fpga_regions.drivers.fake:FakeDriver", []),
    "opencl": (
        "fpga_regions.drivers.opencl:OpenclDriver",
        ["fpga_regions.system.processes:end", "subprocess:Popen._execute_child"],
    ),
    "command": (
        "fpga_regions.drivers.command:CommandDriver",
        [
            "fpga_nova.confined.processes:run",
            "fpga_regions.drivers.records:Records.write",
            "fpga_regions.drivers.records:Records.remove",
        ],
    ),
}


class Tried:
    """A host on which verbs are killed, with two regions."""

    def __init__(self, folder: Path, way: str, warm: bool = False) -> None:
        driver, _, server = way.partition(" ")
        self.served = bool(server)
        self.folder, self.driver, self.state = folder, driver, folder / "state"
        # A program that was killed before it told its region's identifier leaves a region of which
        # nobody can say what it holds.
        # The program then counts more than is on record, and no region of the card can be told.
        self.may_be_silent = driver == "command"
        self.settled = {"free", "programmed"} | ({"quarantined"} if self.may_be_silent else set())
        self._configure(warm)
        self.conf = options.load(str(folder / "fpga-cli.conf"))
        self.drivers = api.load(self.conf)
        self.packages = [self._package(number) for number in range(2)]

    def _configure(self, warm: bool) -> None:
        (self.folder / "fpga-cli.conf").write_text(
            f"[DEFAULT]\ndrivers = {self.driver}\nstate_dir = {self.state}\n"
            f"runtime_dir = {self.folder}/run\nprogram_retries = 20\nprogram_retry_pause = 0\n"
            f"warm = {warm}\n"
            f"[opencl]\nparts = source\n"
            f"[fake]\nprogram_failures = 0.4\nseed = 3\n"
            f"[command]\ncards = a\n"
            f"[command:a]\nexec = {self.folder}/tool/run\nboard = b\npart = p\n"
            f"nodes = char:{self.folder}/node{{index}}\nreset = reset {{id}}\n"
        )
        for index, device in enumerate(("null", "zero")):
            (self.folder / f"node{index}").symlink_to(f"/dev/{device}")
        (self.folder / "tool").mkdir()
        (self.folder / "tool" / "run").write_text(PROGRAM)
        (self.folder / "tool" / "run").chmod(0o755)

    def _package(self, number: int) -> reader.Package:
        core = ("lzo1x_compress", "crc32")[number]
        change: dict[str, typing.Any] = {}
        if self.driver == "fake":
            change["target"] = {"board": "fake", "part": "fake"}
        if self.driver == "command":
            change["target"] = {"board": "b", "part": "p"}
            change["exposes"] = [{"kind": "char", "name": "/dev/fpga0"}]
        if self.driver == "opencl":
            return unpack(bitstreams.opencl_package(function=core), self.conf)
        return unpack(bitstreams.package(core, **change), self.conf)

    @contextlib.contextmanager
    def open(self) -> typing.Iterator[Manager]:
        """A manager of its own, as each call of fpga-cli has one."""
        with contextlib.closing(Ledger(self.state, 5)) as ledger:
            yield Manager(self.conf, ledger, self.drivers)

    def kill(self, at: int, targets: list[str], verb: Verb) -> bool:
        """Give a verb and kill it at a point; whether it passed as many."""
        # Or a run with fewer failures by chance would pass for one that came to its end.
        for steps in (self.state / "drivers" / "fake").glob("*.steps"):
            steps.unlink()

        def call() -> None:
            with self.open() as manager:
                verb(manager)

        if self.served:
            return points.killed_in_server(call, targets, at, self.folder / "fpga-cli.conf")
        return points.killed(call, targets, at)

    def do(self, verb: Verb) -> typing.Any:
        """Give a verb that must succeed; what comes of it."""
        with self.open() as manager:
            return verb(manager)

    def burn(self, package: int, number: int = 0) -> str:
        """Burn for an owner; the region's id."""
        return str(self.do(lambda manager: manager.burn(self.file(package), Claim(owner(number)))))

    def file(self, package: int) -> File:
        """What a burn of a package from a file is given."""
        return File(self.packages[package])

    def erase(self, number: int = 0) -> None:
        """Erase what an owner holds."""
        self.do(lambda manager: manager.erase(None, owner(number)))

    def erase_all(self) -> None:
        """Erase every region, in the name of its owner where it has one."""
        for region in self.regions().values():
            self.do(lambda manager, one=region: manager.erase(one.id, one.owner))
            if region.quarantine:
                self.do(lambda manager, one=region: manager.erase(one.id))

    def regions(self) -> dict[str, Region]:
        """What the next command tells."""
        return {region.id: region for region, _ in self.do(lambda manager: manager.regions())}

    def reconcile(self, fix: bool = False) -> list[reconcile.Difference]:
        """Where ledger and hardware differ."""
        with self.open() as manager, contextlib.closing(Ledger(self.state, 5)) as ledger:
            return reconcile.Reconciler(ledger, manager, fix).run()

    def check(self) -> None:
        """See that ledger and hardware are true after the next command."""
        found = self.do(lambda manager: manager.regions())
        assert len(found) == 2
        owners = collections.Counter(
            (region.owner, region.number) for region, _ in found if region.owner is not None
        )
        assert all(count == 1 for count in owners.values())
        for region, healthy in found:
            assert region.state in self.settled, region
            used = region.state == State.PROGRAMMED
            assert used == (healthy is not None) or self.may_be_silent, region
            assert healthy is not False or region.lost, region
            assert region.state != State.CLAIMED or self.is_empty(region), region
            # What was handed out has an owner, be it used or in quarantine.
            assert (region.owner is not None) == (region.handed_out is not None), region
        silent = {reconcile.Kind.SILENT} if self.may_be_silent else set()
        assert {difference.kind for difference in self.reconcile()} <= silent

    def audit(self, granted: int) -> Region:
        """Do what an audit of nova-compute does about the first owner's region; the region then.

        :param granted: the package that Nova has on record
        """
        held = self._held()
        if held.lost is None:
            return held
        self.burn(granted)
        held = self._held()
        assert held.function == self.packages[granted].manifest.function
        return held

    def _held(self) -> Region:
        (held,) = [one for one in self.regions().values() if one.owner == owner()]
        return held

    def answers(self, region: Region) -> bool:
        """Whether a region does what the ledger says of it, for a guest that has its nodes."""
        if self.driver != "emulator":
            return bool(self.do(lambda manager: manager.worker.healthy(region)))
        (node,) = region.nodes
        return talk(node.path, b"guest") == software.CORES[region.function or ""](b"guest")

    def is_empty(self, region: Region) -> bool:
        """Whether a region shows that it holds nothing."""
        return bool(self.do(lambda manager: manager.worker.read_back(region)) is None)

    def mend(self) -> None:
        """Do what an operator does about a region in quarantine, or one that does not answer."""
        records = "".join(path.read_text() for path in self.state.glob("drivers/*/*.record"))
        for burnt in (self.folder / "tool").glob("burnt.*"):
            if burnt.suffix[1:] not in records:
                burnt.unlink()
        for region in self.regions().values():
            if region.state == State.QUARANTINED:
                self.do(lambda manager, one=region.id: manager.release(one))

    def targets(self) -> list[str]:
        """The functions before and after which there is a point."""
        driver, more = DRIVERS[self.driver]
        return [*LEDGER, *(f"{driver}.{step}" for step in STEPS), *more]


WAYS = [*(name for name in DRIVERS if name != "opencl"), "fake served"]
#: A region of OpenCL takes long to start, so it is tried where the driver has most to do.
EVERYWHERE = [*WAYS, *(["opencl"] if os.geteuid() == 0 else [])]
#: What hands sockets over, in the processes of the region manager, too.
SERVED = "emulator served"


@pytest.fixture(params=WAYS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> typing.Iterator[Tried]:
    host = Tried(tmp_path, request.param)
    host.regions()
    yield host
    for number in range(2):
        host.erase(number)


@pytest.fixture(params=WAYS)
def warm(request: pytest.FixtureRequest, tmp_path: Path) -> typing.Iterator[Tried]:
    """A host that keeps erased regions warm."""
    host = Tried(tmp_path, request.param, warm=True)
    host.regions()
    yield host
    host.conf.set_override("warm", False)
    host.erase_all()


def every_point(
    host: Tried, prepare: typing.Callable[[], Verb], least: int
) -> typing.Iterator[None]:
    """Kill a verb at each of its points; yields after each, when ledger and hardware were true.

    :param prepare: brings the host to the state before; gives the verb
    :param least: how many points there are, at the least
    """
    at = 1
    while host.kill(at, host.targets(), prepare()):
        host.check()
        host.mend()
        yield
        at += 1
    assert at > least, f"only {at} points were passed"


@pytest.mark.parametrize("host", EVERYWHERE, indirect=True)
def test_burn_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.erase()
        return lambda manager: manager.burn(host.file(0), Claim(owner()))

    for _ in every_point(host, prepare, 20):
        assert host.burn(0) in host.regions()


def test_burn_in_place_of_another_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.burn(0)
        host.burn(0, 1)
        return lambda manager: manager.burn(host.file(1), Claim(owner()))

    for _ in every_point(host, prepare, 15):
        burnt = host.burn(1)
        found = host.regions()
        assert (found[burnt].owner, found[burnt].function) == (owner(), "crc32")
        assert {region.owner for region in found.values()} <= {owner(), owner(1), None}


@pytest.mark.parametrize("host", [*EVERYWHERE, SERVED], indirect=True)
def test_replacement_can_be_killed_anywhere(host: Tried) -> None:
    place = host.burn(0)
    found_by_audit = set()

    def prepare() -> Verb:
        region_id = host.burn(0)
        host.burn(0, 1)
        return lambda manager: manager.replace(
            region_id, owner(), host.file(1), lambda _region: host.packages[0]
        )

    for _ in every_point(host, prepare, 10):
        held = host.audit(0)
        assert (held.id, held.lost) == (place, None)
        assert host.answers(held)
        found_by_audit.add(held.function)
        host.do(lambda manager: manager.replace(place, owner(), host.file(1), lambda _region: None))
        found = host.regions()
        assert (found[place].owner, found[place].function) == (owner(), "crc32")
        assert host.answers(found[place])
        assert len({region.owner for region in found.values()}) == 2
    assert found_by_audit == {"lzo1x_compress", "crc32"}


@pytest.mark.parametrize("warm", [*WAYS, SERVED], indirect=True)
def test_hold_can_be_killed_anywhere(warm: Tried) -> None:
    def prepare() -> Verb:
        warm.erase_all()
        warm.burn(0)
        warm.burn(0, 1)
        warm.erase_all()
        return lambda manager: manager.hold(Claim(owner()))

    warm.settled |= {"claimed"}
    for _ in every_point(warm, prepare, 8):
        held = warm.do(lambda manager: manager.hold(Claim(owner())))
        region = warm.regions()[held]
        assert (region.state, region.owner, region.function) == (State.CLAIMED, owner(), None)


def test_release_of_what_is_held_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.do(lambda manager: manager.hold(Claim(owner())))
        return lambda manager: manager.erase(None, owner())

    host.settled |= {"claimed"}
    for _ in every_point(host, prepare, 6):
        host.erase()
        assert {region.state for region in host.regions().values()} == {State.FREE}


def test_burn_of_another_number_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.erase()
        host.burn(0)
        return lambda manager: manager.burn(host.file(1), Claim(owner(), number=2))

    host.burn(0)
    for _ in every_point(host, prepare, 20):
        found = host.regions().values()
        assert {one.owner for one in found} <= {owner(), None}
        assert [one.function for one in found if one.number == 1] == ["lzo1x_compress"]


def test_erase_of_all_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.burn(0)
        host.do(lambda manager: manager.burn(host.file(1), Claim(owner(), number=2)))
        return lambda manager: manager.erase(None, owner())

    for _ in every_point(host, prepare, 20):
        host.erase()
        assert {region.owner for region in host.regions().values()} == {None}


@pytest.mark.parametrize("host", EVERYWHERE, indirect=True)
def test_erase_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.burn(0)
        host.burn(1, 1)
        return lambda manager: manager.erase(None, owner())

    for _ in every_point(host, prepare, 10):
        host.erase()
        assert {region.owner for region in host.regions().values()} == {None, owner(1)}


def test_quarantine_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.erase_all()
        host.burn(0, 1)
        region_id = host.burn(0)
        return lambda manager: manager.quarantine(region_id, "at random")

    host.settled |= {"quarantined"}
    for _ in every_point(host, prepare, 8):
        (region_id,) = [one.id for one in host.regions().values() if one.owner == owner()]
        host.do(lambda manager, one=region_id: manager.quarantine(one, "at random"))
        region = host.regions()[region_id]
        assert (region.state, region.owner) == (State.QUARANTINED, owner())


def test_release_can_be_killed_anywhere(host: Tried) -> None:
    first = next(iter(host.regions()))

    def prepare() -> Verb:
        host.do(lambda manager: manager.quarantine(first, "at random"))
        return lambda manager: manager.release(first)

    host.settled |= {"quarantined"}
    for _ in every_point(host, prepare, 8):
        host.do(lambda manager: manager.release(first))
        assert host.regions()[first].state == State.FREE


def test_erase_that_keeps_a_region_warm_can_be_killed_anywhere(warm: Tried) -> None:
    def prepare() -> Verb:
        warm.burn(0)
        warm.burn(1, 1)
        return lambda manager: manager.erase(None, owner())

    for _ in every_point(warm, prepare, 10):
        warm.erase()
        assert {region.owner for region in warm.regions().values()} == {None, owner(1)}


@pytest.mark.parametrize("warm", EVERYWHERE, indirect=True)
def test_burn_of_a_warm_region_can_be_killed_anywhere(warm: Tried) -> None:
    def prepare() -> Verb:
        warm.erase()
        warm.burn(0)
        warm.erase()
        assert any(region.warm for region in warm.regions().values())
        return lambda manager: manager.burn(warm.file(0), Claim(owner()))

    for _ in every_point(warm, prepare, 12):
        burnt = warm.burn(0)
        region = warm.regions()[burnt]
        assert (region.owner, region.warm) == (owner(), None)


def test_burn_in_place_of_what_is_warm_can_be_killed_anywhere(warm: Tried) -> None:
    def prepare() -> Verb:
        warm.erase()
        warm.burn(0)
        warm.burn(0, 1)
        warm.erase()
        return lambda manager: manager.burn(warm.file(1), Claim(owner()))

    for _ in every_point(warm, prepare, 20):
        burnt = warm.burn(1)
        assert warm.regions()[burnt].function == "crc32"


@pytest.mark.parametrize("host", ["fake"], indirect=True)
def test_reconcile_can_be_killed_anywhere(host: Tried) -> None:
    def prepare() -> Verb:
        host.erase_all()
        held = host.burn(0)
        (free,) = set(host.regions()) - {held}
        state = host.state / "drivers" / "fake"
        (state / held).rename(state / free)
        return lambda _manager: host.reconcile(fix=True)

    at = 1
    while host.kill(at, host.targets(), prepare()):
        host.reconcile(fix=True)
        assert host.reconcile() == []
        burnt = host.burn(0)
        found = host.regions()
        assert {one.owner for one in found.values()} == {owner(), None}
        assert found[burnt].lost is None
        at += 1
    assert at > 10


@pytest.mark.parametrize("host", ["fake"], indirect=True)
def test_upgrade_of_the_ledger_can_be_killed_anywhere(host: Tried) -> None:
    ids = [str(uuid.UUID(int=number + 1)) for number in range(2)]

    def prepare() -> Verb:
        ledger = host.state / "ledger.sqlite3"
        ledger.unlink()
        db = sqlite3.connect(ledger, isolation_level=None)
        schema._run(db, schema.STEPS[0])
        db.execute("PRAGMA user_version = 1")
        for number, region_id in enumerate(ids):
            db.execute(
                f"INSERT INTO regions VALUES (?, 'fake', 'fake0', {number}, 'fake', 'fake', NULL,"
                " 'char pipe socket', 1, 1, 'free', 'then', NULL, NULL, NULL, NULL, '[]')",
                (region_id,),
            )
        db.close()
        return lambda manager: manager.regions()

    at = 1
    while host.kill(at, ["fpga_regions.ledger.schema:sqlite3.complete_statement"], prepare()):
        assert list(host.regions()) == ids
        at += 1
    assert at > 100
