# SPDX-License-Identifier: Apache-2.0
"""The published status: what is taken from it, and when fpga-cli is asked after all."""

import json
import os
import typing
from pathlib import Path

import pytest
from nova import exception

from fpga_hooks.instance import devices
from fpga_hooks.program import published
from fpga_nova import contract
from fpga_regions.ledger import status_file
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, Program, an_instance, region, status

BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
ANOTHER = {"kind": "socket", "path": "/run/asked/fpga0", "name": "/dev/fpga0"}


class File:
    """What fpga-cli published."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write()

    def write(self, *regions: dict[str, typing.Any], **changes: typing.Any) -> None:
        """Publish regions, with another heading."""
        head = {
            "format": contract.STATUS_FORMAT,
            "boot": BOOT,
            "uptime": status_file.uptime(),
            "at": "2026-01-02T03:04:05.678+00:00",
            "looked": None,
        }
        answer = json.loads(status(*(regions or (region(healthy=True),))))
        self.path.write_text(json.dumps(answer | head | changes))
        self.path.chmod(0o640)


@pytest.fixture
def file(
    tmp_path: Path,
    program: Program,
    config: typing.Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> File:
    """A file that is as it should be, and a program that tells another path of the node."""
    monkeypatch.setattr(published, "_OWNER", os.geteuid())
    config(status_file=str(tmp_path / "status.json"))
    program.answers(out=status(region(nodes=[ANOTHER])))
    return File(tmp_path / "status.json")


def _paths() -> list[str]:
    passed = devices.for_instance(an_instance({"hw:fpga_ip_id": IMAGE}))
    return [device.host_path for device in passed]


def test_the_devices_of_a_region_just_burnt_are_read_without_running_anything(
    file: File, program: Program
) -> None:
    assert _paths() == ["/run/r0/fpga0"]
    assert program.calls == []


def _absent(file: File) -> None:
    file.path.unlink()


def _of_somebody_else(file: File) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(file.path, 1, -1)


def _link(file: File) -> None:
    file.path.rename(file.path.with_name("real"))
    file.path.symlink_to("real")


def _pipe(file: File) -> None:
    file.path.unlink()
    os.mkfifo(file.path, 0o640)


def _content(text: str) -> typing.Callable[[File], None]:
    return lambda file: file.path.write_text(text) and None


def _published(
    *regions: dict[str, typing.Any], **changes: typing.Any
) -> typing.Callable[[File], None]:
    return lambda file: file.write(*regions, **changes)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(_absent, id="missing"),
        pytest.param(_of_somebody_else, id="not root's"),
        pytest.param(lambda file: file.path.chmod(0o660), id="writable by its group"),
        pytest.param(lambda file: file.path.chmod(0o642), id="writable by others"),
        pytest.param(_link, id="a link"),
        pytest.param(_pipe, id="a pipe"),
        pytest.param(_content(""), id="empty"),
        pytest.param(_content('{"format": 1, "boo'), id="cut off"),
        pytest.param(_content("[]"), id="a list"),
        pytest.param(_published(format=2), id="another format"),
        pytest.param(_published(boot="00000000-0000-0000-0000-000000000000"), id="another boot"),
        pytest.param(lambda file: file.write(uptime=status_file.uptime() - 61), id="old"),
        pytest.param(lambda file: file.write(uptime=status_file.uptime() + 60), id="of the future"),
        pytest.param(_published(regions=None), id="no regions"),
        pytest.param(_published(region(owner=IMAGE, healthy=True)), id="of another owner"),
        pytest.param(_published(region(state="write")), id="not programmed"),
        pytest.param(_published(region(healthy=None)), id="not looked at"),
        pytest.param(_published(region(healthy=False)), id="lost"),
    ],
)
def test_what_cannot_be_relied_on_is_asked_of_the_program_instead(
    file: File, program: Program, spoil: typing.Callable[[File], None]
) -> None:
    spoil(file)
    assert _paths() == ["/run/asked/fpga0"]
    assert program.calls == ["status --format json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_what_may_not_be_read_is_asked_of_the_program_instead(file: File, program: Program) -> None:
    # Threads have effective users of their own only in the kernel; the C library changes all.
    os.seteuid(65534)
    try:
        assert published.status() is None
    finally:
        os.seteuid(0)


def test_no_file_is_looked_for_where_none_is_named(
    file: File, program: Program, config: typing.Callable[..., None]
) -> None:
    config(status_file="")
    assert _paths() == ["/run/asked/fpga0"]


def test_a_region_that_both_say_is_lost_is_refused(file: File, program: Program) -> None:
    file.write(region(healthy=False))
    program.answers(out=status(region(healthy=False)))
    with pytest.raises(exception.InstanceDeployFailure, match="lost its configuration"):
        _paths()


def test_it_is_read_as_the_program_writes_it(tmp_path: Path, file: File) -> None:
    answer = published.status()
    assert answer is not None
    regions = answer.owned_by(OWNER)
    assert regions[1].healthy


def test_all_regions_of_an_instance_are_read_or_none(file: File, program: Program) -> None:
    first, second = region(number=1, healthy=True), region(id="second", number=2)
    file.write(first, second | {"healthy": True})
    assert list(published.owned_by(OWNER, {1: IMAGE, 2: IMAGE}) or ()) == [1, 2]
    file.write(first, second | {"healthy": None})
    assert published.owned_by(OWNER, {1: IMAGE, 2: IMAGE}) is None
    file.write(first)
    assert published.owned_by(OWNER, {1: IMAGE, 2: IMAGE}) is None
