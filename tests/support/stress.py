# SPDX-License-Identifier: Apache-2.0
"""Many processes burn and erase at random on one host; each checks what it sees, so does the end.

The hardware is the driver `fake`, whose state is in files, so that all processes see the same. No
two processes may work on one region at a time, an owner holds what it burnt and nothing else, and
whatever dies in between is put right by the others.
"""

import collections
import contextlib
import dataclasses
import io
import multiprocessing
import os
import random
import signal
import time
import traceback
import typing
import uuid
from multiprocessing.process import BaseProcess
from pathlib import Path

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.command import options
from fpga_regions.drivers.fake import FakeDriver
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager import reconcile
from fpga_regions.manager.bitstreams import Image
from fpga_regions.manager.manager import Manager
from fpga_regions.model import Claim, Loaded, Region, State
from fpga_regions.package import reader
from fpga_regions.system import processes
from tests.support import bitstreams

IMAGES = [str(uuid.UUID(int=number + 1)) for number in range(3)]
_NUMBERS = (1, 1, 2)
_VERBS = {"burn": 10, "erase": 6, "look": 2, "reconcile": 1, "quarantine": 1, "release": 3}
_FORK = multiprocessing.get_context("fork")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is run.

    :param operations: by all processes together
    :param kills: how many processes are killed (SIGKILL) and started again
    :param failures: share of the hardware's steps that fail
    :param warm: whether regions are kept warm
    :param timeout: seconds after which a run counts as a deadlock
    """

    processes: int = 32
    operations: int = 10_000
    regions: int = 8
    kills: int = 0
    failures: float = 0.0
    warm: bool = False
    seed: int = 0
    timeout: float = 3600


@dataclasses.dataclass
class Outcome:
    """What came of it.

    :param ended: how often each verb ended with each exit status, "burn 0" and the like
    :param broken: what was not as it must be, in words
    """

    seconds: float
    killed: int
    slowest: float
    ended: dict[str, int]
    broken: list[str]


class _Watched(FakeDriver):
    """Sees that a region is worked on by one process at a time."""

    def program(self, region: Region, package: reader.Package, deadline: Deadline) -> None:
        with self._alone(region):
            super().program(region, package, deadline)

    def clear(self, region: Region, deadline: Deadline) -> None:
        with self._alone(region):
            super().clear(region, deadline)

    def reset(self, region: Region, deadline: Deadline) -> None:
        with self._alone(region):
            super().reset(region, deadline)

    @contextlib.contextmanager
    def _alone(self, region: Region) -> typing.Iterator[None]:
        mark = Path(self.conf.runtime_dir) / f"{region.id}.mark"
        with contextlib.suppress(FileNotFoundError, ValueError):
            other = int(mark.read_text())
            # One that was killed left its mark; the kernel may have given its number to another.
            if other != os.getpid() and processes.identify(other) is not None:
                raise AssertionError(f"{region.id} is worked on by {other} and {os.getpid()}")
        mark.write_text(str(os.getpid()))
        try:
            yield
        finally:
            mark.unlink()


class _Host:
    """One process's view of the host."""

    def __init__(self, folder: Path) -> None:
        self.conf = options.load(str(folder / "fpga-cli.conf"))
        self.ledger = Ledger(folder / "state", self.conf.ledger_timeout, self.conf.events_kept)
        self.driver = _Watched("fake", self.conf)
        self.manager = Manager(self.conf, self.ledger, {"fake": self.driver})
        limits = reader.Limits.of(self.conf)
        self._packages = {
            image: reader.read(io.BytesIO(_package(number)), limits)
            for number, image in enumerate(IMAGES)
        }

    def fetch(self, image_id: str) -> reader.Package:
        """The package of an image."""
        return self._packages[image_id]

    def holds(self, image_id: str) -> Loaded:
        """What a region shows that holds an image."""
        return self._packages[image_id].loaded


def run(plan: Plan, folder: Path) -> Outcome:
    """Run it.

    :param folder: an empty one
    """
    _configure(plan, folder)
    _Host(folder).manager.refresh()
    shares = [plan.operations // plan.processes] * plan.processes
    shares[0] += plan.operations - sum(shares)
    done = _FORK.Array("i", plan.processes)
    chance = random.Random(plan.seed)
    started = time.monotonic()
    running = {number: _start(plan, folder, number, shares, done) for number in range(len(shares))}
    killed = 0
    while running and time.monotonic() < started + plan.timeout:
        time.sleep(0.02)
        due = plan.kills * sum(done) / plan.operations
        if killed < due and len(running) > 1:
            victim = running[chance.choice(sorted(running))]
            if victim.pid is not None:
                os.kill(victim.pid, signal.SIGKILL)
                killed += 1
        for number, process in list(running.items()):
            if process.exitcode is None:
                continue
            del running[number]
            if process.exitcode == -signal.SIGKILL:
                running[number] = _start(plan, folder, number, shares, done)
    seconds = time.monotonic() - started
    broken = [f"process {number} did not end" for number in running]
    for process in running.values():
        process.kill()
    return _conclude(plan, folder, seconds, killed, broken)


def _conclude(plan: Plan, folder: Path, seconds: float, killed: int, broken: list[str]) -> Outcome:
    ended: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    for log in folder.glob("*.log"):
        for line in log.read_text().splitlines():
            verb, code, duration = line.split()
            ended[f"{verb} {code}"] += 1
            slowest = max(slowest, float(duration))
    broken += [file.read_text() for file in folder.glob("*.broken")]
    return Outcome(
        seconds, killed, slowest, dict(sorted(ended.items())), broken + _broken(plan, folder)
    )


def _broken(plan: Plan, folder: Path) -> list[str]:
    """What is wrong at the end, after one look of a command that undoes what was left undone."""
    host = _Host(folder)
    broken = []
    host.manager.refresh()
    regions = host.ledger.regions()
    if len(regions) != plan.regions:
        broken.append(f"there are {len(regions)} regions, not {plan.regions}")
    owners = [(region.owner, region.number) for region in regions if region.owner is not None]
    if len(set(owners)) < len(owners):
        broken.append("an owner has two regions of one number")
    for region in regions:
        if region.used and (region.state != State.PROGRAMMED or region.owner is None):
            broken.append(f"{region.id} is {region.state} for {region.owner}")
    differences = reconcile.Reconciler(host.ledger, host.manager, fix=False).run()
    broken += [f"{one.region_id}: {one.ledger} but {one.hardware}" for one in differences]
    last: dict[str, str | None] = {}
    for event in host.ledger.events():
        if last.get(event.region_id) != event.before:
            broken.append(f"event {event.sequence} does not follow the one before it")
        last[event.region_id] = event.state
    return broken


def _start(
    plan: Plan, folder: Path, number: int, shares: list[int], done: typing.Any
) -> BaseProcess:
    process = _FORK.Process(target=_work, args=(plan, folder, number, shares[number], done))
    process.start()
    return process


def _work(plan: Plan, folder: Path, number: int, share: int, done: typing.Any) -> None:
    host = _Host(folder)
    owner = str(uuid.UUID(int=1000 + number))
    try:
        with (folder / f"{number}.log").open("a", buffering=1) as log:
            while done[number] < share:
                chance = random.Random(f"{plan.seed} {number} {done[number]}")
                (verb,) = chance.choices(list(_VERBS), list(_VERBS.values()))
                started = time.monotonic()
                code = _one(host, verb, owner, chance)
                log.write(f"{verb} {code} {time.monotonic() - started:.4f}\n")
                done[number] += 1
    except BaseException:
        (folder / f"{number}.broken").write_text(traceback.format_exc())
        raise


def _one(host: _Host, verb: str, owner: str, chance: random.Random) -> int:
    """One operation for an owner whom no other process serves; its exit status."""
    try:
        if verb == "burn":
            _burn(host, owner, chance.choice(IMAGES), chance.choice(_NUMBERS))
        elif verb == "erase":
            host.manager.erase(None, owner)
        elif verb == "look":
            host.manager.regions()
        elif verb == "reconcile":
            reconcile.Reconciler(host.ledger, host.manager, fix=True).run()
        elif verb == "quarantine":
            for held in host.ledger.held_by(owner):
                host.manager.quarantine(held.id, "at random")
        else:
            _release(host)
    except errors.RegionError as e:
        if not isinstance(e, (errors.LedgerUnusable, errors.NotAccessible)):
            return e.code
        raise
    if verb == "erase":
        assert not host.ledger.held_by(owner), f"{owner} holds a region after erase"
    return 0


def _burn(host: _Host, owner: str, image_id: str, number: int) -> None:
    claim = Claim(owner, number=number)
    region_id = host.manager.burn(Image(image_id, host.fetch), claim)
    held = host.ledger.held_for(claim)
    assert held is not None, f"{owner} does not hold what it burnt"
    assert held.id == region_id, f"{owner} was told {region_id} and holds {held.id}"
    assert (held.state, held.image_id) == (State.PROGRAMMED, image_id), f"{held}"
    assert host.driver.read_back(held) == host.holds(image_id), f"{held.id} shows another function"


def _release(host: _Host) -> None:
    for region in host.ledger.regions():
        if region.state == State.QUARANTINED:
            host.manager.release(region.id)
            return


def _package(number: int) -> bytes:
    return bitstreams.package(
        f"core{number}",
        content=b"bitfile %d" % number,
        target={"board": "fake", "part": "fake"},
        exposes=[{"kind": "pipe", "name": "/dev/fpga0"}],
    )


def _configure(plan: Plan, folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "fpga-cli.conf").write_text(
        f"[DEFAULT]\ndrivers = fake\nstate_dir = {folder}/state\nruntime_dir = {folder}/run\n"
        f"lock_timeout = 60\nledger_timeout = 60\nevents_kept = {10 * plan.operations}\n"
        f"program_retry_pause = 0\nwarm = {plan.warm}\n"
        f"[fake]\nregions = {plan.regions}\nprogram_failures = {plan.failures}\n"
        f"clear_failures = {plan.failures}\nsilent_clears = {plan.failures}\n"
        f"wrong_read_backs = {plan.failures}\nseed = {plan.seed}\n"
    )
