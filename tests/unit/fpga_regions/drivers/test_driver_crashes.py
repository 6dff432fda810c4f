# SPDX-License-Identifier: Apache-2.0
"""fpga-cli is killed at each step of a driver; the next command finds, or makes, what is true."""

import os
import pathlib
import signal
import time

import pytest

from tests.support import bitstreams
from tests.support.host import Host, wait_until
from tests.unit.fpga_regions.conftest import owner
from tests.unit.fpga_regions.drivers.tools import Tool
from tests.unit.fpga_regions.test_crashes import crash

HARDWARE = "fpga_regions.drivers.hardware:HardwareDriver"
COMMAND = "fpga_regions.drivers.command:CommandDriver"
RECORDS = "fpga_regions.drivers.records:Records"
FAKE = "fpga_regions.drivers.fake:FakeDriver"
BURN = {
    "nothing done": ("before", 1, f"{HARDWARE}.program"),
    "card locked": ("after", 1, f"{HARDWARE}.card_locked"),
    "bitfile written": ("before", 1, f"{COMMAND}.put"),
    "record not written": ("before", 1, f"{RECORDS}.write"),
    "record written": ("after", 1, f"{RECORDS}.write"),
    "programmed": ("after", 1, f"{HARDWARE}.program"),
    "read back": ("after", 1, f"{HARDWARE}.read_back"),
}
ERASE = {
    "nothing done": ("before", 1, f"{HARDWARE}.clear"),
    "not wiped": ("before", 1, f"{COMMAND}.wipe"),
    "wiped": ("after", 1, f"{COMMAND}.wipe"),
    "record of the erasure written": ("after", 1, f"{RECORDS}.write"),
    "cleared": ("after", 1, f"{HARDWARE}.clear"),
}
FAKE_STEPS = {
    "rubbish written": ("after", 1, f"{FAKE}._hold"),
    "nodes made": ("after", 1, f"{FAKE}._make_nodes"),
    "programmed": ("after", 1, f"{FAKE}.program"),
}


class Scripted:
    """A host whose card is a script that counts what it has burnt."""

    def __init__(self, folder: pathlib.Path, erase: str) -> None:
        self.burnt = folder / "burnt"
        self.burnt.mkdir()
        self.tool = Tool(folder / "tool")
        count = f'echo "Used regions: $(ls {self.burnt} | wc -l)/1"'
        self.tool.answer("status", then=count)
        self.tool.answer("burn *", "core\n", then=f"cp $2 {self.burnt}/core")
        self.tool.answer("erase *", then=f"rm -f {self.burnt}/core")
        self.package = folder / "package.zip"
        target = {"board": "b", "part": "p"}
        exposes = [{"kind": "char", "name": "/dev/fpga0"}]
        self.package.write_bytes(bitstreams.package(target=target, exposes=exposes))
        card = {
            "exec": self.tool.path,
            "board": "b",
            "part": "p",
            "nodes": "char:/dev/null",
            "erase": erase,
        }
        self.host = Host(
            folder,
            drivers="command",
            clear_timeout=2,
            command__cards="a",
            **{f"command:a__{name}": value for name, value in card.items()},
        )

    @property
    def burn(self) -> tuple[str, ...]:
        """The command line of a burn."""
        return "burn", "--file", str(self.package), "--owner", owner()

    def remains(self) -> list[str]:
        """Files that the driver must not leave: bitfiles."""
        return [path.name for path in (self.host.state / "drivers/command").glob("*.bin")]


@pytest.fixture(params=["erase {id}", "erase {index}"])
def scripted(tmp_path: pathlib.Path, request: pytest.FixtureRequest) -> Scripted:
    return Scripted(tmp_path, request.param)


@pytest.mark.parametrize("point", BURN)
def test_region_of_a_killed_burn_is_cleared_by_the_next_look(
    scripted: Scripted, point: str
) -> None:
    crash(scripted.host, BURN[point], *scripted.burn)
    state = scripted.host.states()
    by_id = "{id}" in scripted.host.config.read_text()
    if point == "record not written" and by_id:
        # Nobody knows the identifier, so nobody can erase it: out of use, and not given to anyone.
        assert state == ["quarantined"]
        return
    assert state == ["free"]
    assert list(scripted.burnt.iterdir()) == scripted.remains() == []
    scripted.host.burn(*scripted.burn[1:])
    assert scripted.host.states() == ["programmed"]


@pytest.mark.parametrize("point", ERASE)
def test_region_of_a_killed_erase_is_erased_by_the_next_look(
    scripted: Scripted, point: str
) -> None:
    region_id = scripted.host.burn(*scripted.burn[1:])
    crash(scripted.host, ERASE[point], "erase", region_id, "--owner", owner())
    assert scripted.host.states() == ["free"]
    assert list(scripted.burnt.iterdir()) == []


@pytest.mark.parametrize("scripted", ["erase {index}"], indirect=True)
def test_program_that_was_burning_is_dead_before_the_region_is_given_out(
    scripted: Scripted,
) -> None:
    pid = scripted.burnt.parent / "pid"
    scripted.tool.answer("burn *", then=f"echo $$ > {pid}; exec sleep 60")
    burning = scripted.host.start(*scripted.burn)
    wait_until(lambda: pid.exists() and pid.read_text() != "")
    burning.kill()
    burning.communicate()
    assert scripted.host.states() == ["free"]
    assert not pathlib.Path(f"/proc/{pid.read_text().strip()}/exe").exists()


@pytest.mark.parametrize("scripted", ["erase {index}"], indirect=True)
def test_card_on_which_a_left_over_still_works_is_not_given_out(scripted: Scripted) -> None:
    pid = scripted.burnt.parent / "pid"
    scripted.tool.answer("burn *", then=f"sleep 60 & echo $! > {pid}; wait")
    burning = scripted.host.start(*scripted.burn)
    wait_until(lambda: pid.exists() and pid.read_text() != "")
    burning.kill()
    burning.communicate()
    left_over = int(pid.read_text())
    start = time.monotonic()
    assert scripted.host.states() == ["quarantined"]
    assert time.monotonic() - start > 2
    os.kill(left_over, signal.SIGKILL)
    (region,) = scripted.host.status()["regions"]
    assert scripted.host.run("erase", region["id"]).returncode == 0
    assert scripted.host.states() == ["free"]


@pytest.mark.parametrize("point", FAKE_STEPS)
def test_fake_region_of_a_killed_burn_is_cleared_by_the_next_look(
    tmp_path: pathlib.Path, point: str
) -> None:
    host = Host(tmp_path, drivers="fake", fake__board="emulator", fake__part="software")
    package = tmp_path / "package.zip"
    package.write_bytes(bitstreams.package())
    crash(host, FAKE_STEPS[point], "burn", "--file", str(package), "--owner", owner())
    assert host.states() == ["free", "free"]
    assert list((tmp_path / "run").rglob("fpga*")) == []
