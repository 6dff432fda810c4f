# SPDX-License-Identifier: Apache-2.0
"""What is published of the status: when, by whom it can be read, and what never is in it."""

import contextlib
import dataclasses
import grp
import json
import multiprocessing
import os
import stat
import typing
from pathlib import Path

import pytest

from fpga_nova import contract
from fpga_regions.command import options as configuration
from fpga_regions.ledger import events, status_file
from fpga_regions.ledger.ledger import Ledger
from fpga_regions.manager.bitstreams import File
from fpga_regions.manager.manager import Manager
from fpga_regions.model import Claim, Region, State
from fpga_regions.system import folders, locks
from tests.support import bitstreams, points
from tests.support.host import Host
from tests.unit.fpga_regions.conftest import owner, unpack
from tests.unit.fpga_regions.hardware import Hardware, slot

POINTS = [
    "fpga_regions.ledger.ledger:Ledger.register",
    "fpga_regions.ledger.ledger:Ledger.claim",
    "fpga_regions.ledger.ledger:Ledger.move",
    "fpga_regions.ledger.status_file:Publisher._publish",
    "fpga_regions.ledger.status_file:Publisher._replace",
    "os:fchmod",
]
FAR = 1e12  # seconds of uptime: later than any


class Published:
    """A host with two regions, whose status is published."""

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder, self.file = folder, folder / "run" / "status.json"
        defaults = {"runtime_dir": folder / "run", "lock_timeout": 1, "program_retry_pause": 0}
        lines = [f"{name} = {value}" for name, value in (defaults | options).items()]
        (folder / "fpga-cli.conf").write_text("\n".join(["[DEFAULT]", *lines]))
        self.conf = configuration.load(str(folder / "fpga-cli.conf"))
        self.hardware = Hardware([slot(0), slot(1)])
        self.package = unpack(bitstreams.package(), self.conf)

    @contextlib.contextmanager
    def command(self) -> typing.Iterator[tuple[Manager, Ledger]]:
        """What a command of its own opens, and does in the end."""
        publisher = status_file.Publisher(self.conf)
        with contextlib.closing(
            Ledger(self.folder / "state", 5, changed=publisher.changed)
        ) as opened:
            drivers = {"hardware": self.hardware}
            yield Manager(self.conf, opened, drivers), opened
            publisher.ended(opened)

    def burn(self, number: int = 0) -> str:
        """Burn for an owner."""
        with self.command() as (manager, _):
            return manager.burn(File(self.package), Claim(owner(number)))

    def erase(self, number: int = 0) -> None:
        """Erase what an owner holds."""
        with self.command() as (manager, _):
            manager.erase(None, owner(number))

    def look(self, began: float | None = None) -> None:
        """What `status` does."""
        began = status_file.uptime() if began is None else began
        with self.command() as (manager, opened):
            status_file.Publisher(self.conf).looked(opened, manager.regions(), began)

    def document(self) -> dict[str, typing.Any]:
        """What is published."""
        document: dict[str, typing.Any] = json.loads(self.file.read_text())
        return document

    def of(self, number: int = 0) -> dict[str, typing.Any] | None:
        """The region that is published as an owner's."""
        owned = (one for one in self.document()["regions"] if one["owner"] == owner(number))
        return next(owned, None)

    def known(self) -> list[Region]:
        """What the ledger says."""
        with contextlib.closing(Ledger(self.folder / "state", 5)) as opened:
            return opened.regions()


@pytest.fixture
def host(tmp_path: Path) -> Published:
    """A host on which no command was given yet."""
    return Published(tmp_path)


def test_a_burn_that_has_succeeded_is_published_as_healthy(host: Published) -> None:
    region_id = host.burn()
    assert host.of() == host.of() | {"id": region_id, "state": "programmed", "healthy": True}


def test_each_step_of_a_burn_is_published_before_the_next_is_made(
    host: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = host.hardware.program

    def program(*arguments: typing.Any) -> None:
        seen.append(host.of())
        real(*arguments)

    monkeypatch.setattr(host.hardware, "program", program)
    host.burn()
    assert [one and one["state"] for one in seen] == ["write"]


def test_a_region_is_not_published_as_its_owners_while_it_is_erased(
    host: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.burn()
    seen = []
    real = host.hardware.clear

    def clear(*arguments: typing.Any) -> None:
        seen.append(host.of())
        real(*arguments)

    monkeypatch.setattr(host.hardware, "clear", clear)
    host.erase()
    assert [one and one["state"] for one in seen] == ["reset"]
    assert host.of() is None


def test_it_tells_what_the_status_tells_and_when(tmp_path: Path) -> None:
    host = Host(tmp_path)
    try:
        status = host.status()
        document = json.loads((host.runtime / "status.json").read_text())
    finally:
        host.close()
    assert {name: document.pop(name) for name in status} == status
    assert document["format"] == contract.STATUS_FORMAT
    assert document["boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert 0 <= status_file.uptime() - document["uptime"] < 60
    assert sorted(document) == ["at", "boot", "format", "looked", "uptime"]


def test_a_look_that_finds_a_region_dead_is_published_and_kept(host: Published) -> None:
    region_id = host.burn()
    host.hardware.loaded.clear()
    host.look()
    host.burn(1)
    assert host.of() == host.of() | {"id": region_id, "healthy": False}
    assert host.of(1) == host.of(1) | {"healthy": True}


def test_a_region_that_is_marked_as_lost_is_not_published_as_healthy(host: Published) -> None:
    region_id = host.burn()
    with host.command() as (manager, opened):
        region = manager.known(region_id)
        opened.move(region, State.PROGRAMMED, "lost", lost=events.now())
    assert host.of() == host.of() | {"healthy": False}


def test_what_nobody_looked_at_since_the_host_started_is_not_published_as_healthy(
    host: Published,
) -> None:
    host.burn()
    host.file.write_text(json.dumps(host.document() | {"boot": "another"}))
    host.burn(1)
    assert host.of() == host.of() | {"healthy": None}


def test_an_older_look_does_not_take_the_place_of_a_newer_one(host: Published) -> None:
    host.burn()
    began = status_file.uptime()
    held = dict(host.hardware.loaded)
    host.hardware.loaded.clear()
    host.look()
    host.hardware.loaded.update(held)
    host.look(began)
    assert host.of() == host.of() | {"healthy": False}


def test_a_look_at_a_region_that_has_changed_since_is_not_published(host: Published) -> None:
    region_id = host.burn()
    with host.command() as (manager, opened):
        looked = [(region, False) for region, _ in manager.regions()]
        manager.erase(region_id, owner())
        status_file.Publisher(host.conf).looked(opened, looked, FAR)
    assert [one["healthy"] for one in host.document()["regions"]] == [None, None]


def test_a_process_that_was_held_up_publishes_what_is_true_then(
    host: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = locks.held

    @contextlib.contextmanager
    def slow(path: Path, *arguments: typing.Any) -> typing.Iterator[int]:
        if path.name == "published":
            monkeypatch.setattr(locks, "held", real)
            host.burn(1)
        with real(path, *arguments) as descriptor:
            yield descriptor

    with host.command() as (manager, opened):
        manager.refresh()
        monkeypatch.setattr(locks, "held", slow)
        status_file.Publisher(host.conf).changed(opened)
    assert host.of(1) == host.of(1) | {"state": "programmed"}


def test_what_many_processes_publish_at_once_is_what_the_last_of_them_left(
    host: Published,
) -> None:
    host.look()

    def work(number: int) -> None:
        for _ in range(10):
            with host.command() as (_, opened):
                region = opened.regions()[number]
                region = opened.claim(region.id, Claim(owner(number)), None)
                opened.move(region, State.FREE, "given back")

    fork = multiprocessing.get_context("fork")
    running = [fork.Process(target=work, args=(number,)) for number in range(2)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0, 0]
    assert [one["since"] for one in host.document()["regions"]] == [
        one.since for one in host.known()
    ]


def test_whenever_a_process_is_killed_no_region_is_published_as_that_of_another(
    tmp_path: Path,
) -> None:
    at, killed = 0, True
    while killed:
        at += 1
        (tmp_path / str(at)).mkdir()
        host = Published(tmp_path / str(at), drivers="fake")
        host.burn()

        def verbs(host: Published = host) -> None:
            host.erase()
            host.burn(1)

        killed = points.killed(verbs, POINTS, at)
        owners = {region.id: region.owner for region in host.known()}
        for region in host.document()["regions"]:
            if region["state"] == "programmed":
                assert owners[region["id"]] in (region["owner"], None)
        host.erase(5)
        truth = [(region.state, region.owner) for region in host.known()]
        assert [(one["state"], one["owner"]) for one in host.document()["regions"]] == truth
        assert list(host.file.parent.iterdir()) == [host.file]
    assert at > 20


def test_root_alone_may_read_it_unless_a_group_is_named(host: Published) -> None:
    host.look()
    found = host.file.stat()
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
    assert stat.S_IMODE(host.file.parent.stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to a group")
def test_the_group_that_is_named_may_read_it(tmp_path: Path) -> None:
    host = Published(tmp_path, status_group="daemon")
    host.look()
    assert grp.getgrgid(host.file.stat().st_gid).gr_name == "daemon"
    assert stat.S_IMODE(host.file.stat().st_mode) == 0o640


def test_a_link_in_its_place_is_replaced_and_not_followed(host: Published) -> None:
    elsewhere = host.folder / "elsewhere"
    elsewhere.write_text("kept")
    folders.make_public(host.file.parent)
    host.file.symlink_to(elsewhere)
    host.file.with_name("status.json.new").symlink_to(elsewhere)
    host.burn()
    assert elsewhere.read_text() == "kept"
    assert not host.file.is_symlink()


def _link(host: Published) -> None:
    (host.folder / "other").mkdir()
    host.file.parent.symlink_to(host.folder / "other")


def _writable(host: Published) -> None:
    host.file.parent.mkdir()
    host.file.parent.chmod(0o777)


def _file(host: Published) -> None:
    host.file.parent.write_text("")


@pytest.mark.parametrize("bad", [_link, _writable, _file])
def test_where_it_cannot_be_published_safely_a_burn_succeeds_with_a_warning(
    host: Published, bad: typing.Callable[[Published], None], caplog: pytest.LogCaptureFixture
) -> None:
    bad(host)
    host.burn()
    assert [region.state for region in host.known()] == [State.PROGRAMMED, State.FREE]
    assert "cannot publish the status" in caplog.text
    assert not host.file.exists()


def test_the_warning_is_a_line_on_standard_error_and_the_answer_stays(tmp_path: Path) -> None:
    host = Host(tmp_path, status_group="no-such-group")
    try:
        ran = host.run("status")
    finally:
        host.close()
    assert (ran.returncode, ran.stdout) == (0, "Used regions: 0/2\n")
    assert {line.partition(" - ")[2] for line in ran.stderr.splitlines()} == {
        "[Errno 22] there is no group no-such-group (status_group)"
    }
    assert ran.stderr.startswith("Warning: cannot publish the status in ")


def test_what_cannot_be_replaced_is_removed_because_it_is_not_true_any_more(
    host: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.burn()

    def full(*_arguments: typing.Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchown", full)
    host.erase()
    assert not host.file.exists()


def test_a_process_that_holds_the_lock_for_ever_stops_no_burn(
    host: Published, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(status_file, "_TIMEOUT", 0.0)
    host.look()
    with locks.held(host.folder / "state" / "locks" / "published"):
        host.burn()
    assert "another fpga-cli is at it" in caplog.text


def test_nothing_is_published_where_no_file_is_named(tmp_path: Path) -> None:
    host = Published(tmp_path, status_file="")
    host.burn()
    assert not host.file.parent.exists()


def test_a_command_that_changes_nothing_makes_up_for_one_that_died(host: Published) -> None:
    host.burn()
    truth = host.document()["regions"]
    host.file.unlink()
    host.burn()
    assert [one["id"] for one in host.document()["regions"]] == [one["id"] for one in truth]


def test_a_region_is_told_with_all_that_the_ledger_has(host: Published) -> None:
    region_id = host.burn()
    (region,) = (one for one in host.known() if one.id == region_id)
    published = host.of()
    assert published is not None
    assert published["nodes"] == [dataclasses.asdict(node) for node in region.nodes]
