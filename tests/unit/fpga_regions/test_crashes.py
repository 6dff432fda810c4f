# SPDX-License-Identifier: Apache-2.0
"""The command is killed at each point; the next one finds, or makes, a ledger that is true."""

import os
import signal
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from tests.support import bitstreams
from tests.support.host import Host, wait_until
from tests.support.openstack import OpenStack
from tests.unit.fpga_regions.conftest import owner

CRASH = Path(__file__).with_name("crash.py")
MOVE = "fpga_regions.ledger.ledger:Ledger.move"
EMULATOR = "fpga_regions.drivers.emulator:EmulatorDriver"
SERVERS = "fpga_regions.served.server:Servers"
POINTS_OF_BURN = {
    "ledger made": ("after", 1, "fpga_regions.ledger.ledger:Ledger.register"),
    "image fetched": ("after", 1, "fpga_regions.image.glance:fetch"),
    "package read": ("after", 1, "fpga_regions.package.once:read"),
    "claim not written": ("before", 1, "fpga_regions.ledger.ledger:Ledger.claim"),
    "claim written": ("after", 1, "fpga_regions.ledger.ledger:Ledger.claim"),
    "programming written": ("after", 1, MOVE),
    "folder made": ("after", 1, f"{SERVERS}._make_folder"),
    "process started": ("before", 1, f"{SERVERS}._record"),
    "process on record": ("after", 1, f"{SERVERS}._record"),
    "region programmed": ("after", 1, f"{EMULATOR}.program"),
    "function read back": ("after", 1, f"{EMULATOR}.read_back"),
    "programmed not written": ("before", 2, MOVE),
}
POINTS_OF_ERASE = {
    "erasing not written": ("before", 1, MOVE),
    "erasing written": ("after", 1, MOVE),
    "process still there": ("before", 1, f"{SERVERS}.end"),
    "process ended": ("after", 1, "fpga_regions.system.processes:end"),
    "region cleared": ("after", 1, f"{EMULATOR}.clear"),
    "free not written": ("before", 2, MOVE),
    "free written": ("after", 2, MOVE),
}


def crash(host: Host, point: tuple[str, int, str], *arguments: str) -> None:
    """Run the command and see that it was killed where it should be."""
    when, number, target = point
    command = [sys.executable, str(CRASH), when, str(number), target]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    ran = subprocess.run(
        [*command, "--config-file", str(host.config), *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stderr) == (-signal.SIGKILL, "")


def servers_alive(status: dict[str, typing.Any]) -> list[str]:
    """The regions, of those that a status told, that have a process, on record or not."""
    ids = {region["id"] for region in status["regions"]}
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_text().split("\0")
        except OSError:
            continue
        found += [word for word in words if word in ids]
    return found


@pytest.mark.parametrize("point", POINTS_OF_BURN.values(), ids=list(POINTS_OF_BURN))
def test_burn_that_is_killed_is_undone_by_the_next_command(
    host: Host, cloud: OpenStack, point: tuple[str, int, str]
) -> None:
    image = cloud.add(bitstreams.package())
    crash(host, point, "burn", image, "--owner", owner())
    status = host.status()
    assert [region["state"] for region in status["regions"]] == ["free", "free"]
    # A process that lost its driver before it got its bitfile ends by itself.
    wait_until(lambda: servers_alive(status) == [])
    assert list((host.runtime / "regions").glob("*")) == []
    host.burn(image, "--owner", owner())


def test_burn_that_is_killed_after_its_last_step_is_done(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    crash(host, ("after", 2, MOVE), "burn", image, "--owner", owner())
    (held,) = [region for region in host.status()["regions"] if region["owner"]]
    assert held["healthy"] is True
    assert host.burn(image, "--owner", owner()) == held["id"]
    assert cloud.downloads == 1


@pytest.mark.parametrize("point", POINTS_OF_ERASE.values(), ids=list(POINTS_OF_ERASE))
def test_erase_that_is_killed_can_be_made_again(
    host: Host, cloud: OpenStack, point: tuple[str, int, str]
) -> None:
    image = cloud.add(bitstreams.package())
    burning = [host.start("burn", image, "--owner", owner(number)) for number in range(2)]
    _, other = [process.communicate()[0].strip() for process in burning]
    crash(host, point, "erase", "--owner", owner(0))
    assert host.run("erase", "--owner", owner(0)).returncode == 0
    status = host.status()
    assert servers_alive(status) == [other]
    (region,) = [region for region in status["regions"] if region["state"] != "free"]
    assert (region["id"], region["owner"], region["healthy"]) == (other, owner(1), True)


def test_another_owners_burn_gets_the_region_of_one_that_was_killed(
    host: Host, cloud: OpenStack
) -> None:
    host.configure(emulator__regions=1)
    image = cloud.add(bitstreams.package())
    crash(host, POINTS_OF_BURN["process on record"], "burn", image, "--owner", owner(0))
    host.burn(image, "--owner", owner(1))
    assert [region["owner"] for region in host.status()["regions"]] == [owner(1)]
