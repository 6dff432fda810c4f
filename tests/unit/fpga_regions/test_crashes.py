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
from tests.support.host import Host, talk, wait_until
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
LISTENERS = "fpga_regions.served.listeners"
POINTS_OF_REPLACE = {
    "image fetched": ("after", 1, "fpga_regions.image.glance:fetch"),
    "previous package found": ("after", 1, "fpga_regions.image.sources:previous"),
    "programming written": ("after", 1, MOVE),
    "sockets handed over": ("after", 1, f"{LISTENERS}:handed_over"),
    "process still there": ("before", 1, f"{SERVERS}.end"),
    "process ended": ("after", 1, "fpga_regions.system.processes:end"),
    "sockets left alone": ("after", 1, f"{SERVERS}.end"),
    "process started": ("before", 1, f"{SERVERS}._record"),
    "process on record": ("after", 1, f"{SERVERS}._record"),
    "region programmed": ("after", 1, f"{EMULATOR}.replace"),
    "function read back": ("after", 1, f"{EMULATOR}.read_back"),
    "programmed not written": ("before", 2, MOVE),
    "programmed written": ("after", 2, MOVE),
}
POINTS_OF_HOLD = {
    "ledger looked at": ("after", 1, "fpga_regions.ledger.ledger:Ledger.register"),
    "claim not written": ("before", 1, "fpga_regions.ledger.ledger:Ledger.hold"),
    "claim written": ("after", 1, "fpga_regions.ledger.ledger:Ledger.hold"),
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


@pytest.mark.parametrize("point", POINTS_OF_REPLACE.values(), ids=list(POINTS_OF_REPLACE))
def test_replacement_that_is_killed_leaves_one_function_to_its_owner(
    host: Host, cloud: OpenStack, point: tuple[str, int, str]
) -> None:
    previous, new = cloud.add(bitstreams.package("passthrough")), cloud.add(bitstreams.package())
    place = host.burn(previous, "--owner", owner())
    crash(host, point, "replace", place, new, "--owner", owner())
    (region,) = [one for one in host.status()["regions"] if one["owner"]]
    assert region["image_id"] in (previous, new)
    if not region["healthy"]:
        # As an audit does, with what Nova has on record.
        assert host.burn(previous, "--owner", owner()) == place
    status = host.status()
    (region,) = [one for one in status["regions"] if one["owner"]]
    assert (region["id"], region["healthy"]) == (place, True)
    (node,) = region["nodes"]
    assert (talk(node["path"], b"guest") == b"guest") == (region["image_id"] == previous)
    # A process that lost its driver before it got its bitfile ends by itself.
    wait_until(lambda: servers_alive(status) == [place])
    assert [path.name for path in (host.runtime / "regions").glob("*")] == [place]


@pytest.mark.parametrize("point", POINTS_OF_HOLD.values(), ids=list(POINTS_OF_HOLD))
def test_hold_that_is_killed_can_be_made_again_and_given_back(
    host: Host, point: tuple[str, int, str]
) -> None:
    crash(host, point, "hold", "--owner", owner())
    found = [(one["state"], one["owner"]) for one in host.status()["regions"] if one["owner"]]
    assert found in ([], [("claimed", owner())])
    result = host.run("hold", "--owner", owner())
    (region,) = [one for one in host.status()["regions"] if one["owner"]]
    assert (region["id"], region["state"]) == (result.stdout.strip(), "claimed")
    assert host.run("erase", "--owner", owner()).returncode == 0
    assert host.states() == ["free", "free"]


def test_another_owners_burn_gets_the_region_of_one_that_was_killed(
    host: Host, cloud: OpenStack
) -> None:
    host.configure(emulator__regions=1)
    image = cloud.add(bitstreams.package())
    crash(host, POINTS_OF_BURN["process on record"], "burn", image, "--owner", owner(0))
    host.burn(image, "--owner", owner(1))
    assert [region["owner"] for region in host.status()["regions"]] == [owner(1)]
