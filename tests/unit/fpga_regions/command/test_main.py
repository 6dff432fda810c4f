# SPDX-License-Identifier: Apache-2.0
"""The command line as people and Nova meet it: exit statuses, one line of error, clean output."""

import contextlib
import os
import re
import signal
import subprocess
import typing

import lzallright
import pytest

from fpga_nova import contract
from fpga_regions.system import processes
from tests.support import bitstreams
from tests.support.host import Host, talk, wait_until
from tests.support.openstack import OpenStack
from tests.unit.fpga_regions.conftest import owner

UNKNOWN = "99999999-9999-4999-8999-999999999999"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n")


def refusal(ran: "subprocess.CompletedProcess[str]", code: int) -> str:
    """The one line that a failed command prints; nothing else may be printed."""
    assert (ran.returncode, ran.stdout) == (code, "")
    assert re.fullmatch(r"Error: [^\n]+ - [^\n]+\n", ran.stderr)
    return ran.stderr.rstrip("\n")


def test_region_is_burnt_used_and_erased(host: Host, cloud: OpenStack) -> None:
    assert host.run("status").stdout == "Used regions: 0/2\n"
    ran = host.run("burn", cloud.add(bitstreams.package()), "--owner", owner())
    assert UUID.fullmatch(ran.stdout)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert host.run("status").stdout == "Used regions: 1/2\n"
    (region,) = [r for r in host.status()["regions"] if r["owner"]]
    answer = talk(region["nodes"][0]["path"], b"abc" * 1000)
    assert lzallright.LZOCompressor.decompress(answer, 3000) == b"abc" * 1000
    erased = host.run("erase", ran.stdout.strip(), "--owner", owner())
    assert (erased.returncode, erased.stdout, erased.stderr) == (0, "", "")
    assert host.run("status").stdout == "Used regions: 0/2\n"


def test_third_region_of_two_is_refused(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    host.burn(image, "--owner", owner(0))
    host.burn(image, "--owner", owner(1))
    assert refusal(host.run("burn", image, "--owner", owner(2)), 65) == (
        f"Error: cannot program `{image}' - no free region: all 2 that match are taken"
    )


def test_burns_at_the_same_time_take_a_region_each(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    running = [host.start("burn", image, "--owner", owner(number)) for number in range(3)]
    outputs = [process.communicate() for process in running]
    assert sorted(process.returncode for process in running) == [0, 0, 65]
    assert len({out for out, _ in outputs if out}) == 2


def test_burns_for_one_owner_at_the_same_time_take_one_region(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    running = [host.start("burn", image, "--owner", owner()) for _ in range(2)]
    outputs = {process.communicate() for process in running}
    assert len(outputs) == 1
    assert host.run("status").stdout == "Used regions: 1/2\n"


@pytest.mark.parametrize(
    ("data", "properties", "code", "words"),
    [
        (b"no zip" * 10, {}, 66, "not a zip"),
        (bitstreams.without_manifest(), {}, 66, "it has no manifest.json at its top"),
        (bitstreams.package(), {"container_format": "docker"}, 67, "container format is docker"),
        (bitstreams.package(), {"os_hash_value": "00"}, 67, "digest"),
        (bitstreams.package(target={"board": "x", "part": "y"}), {}, 64, "no matching hardware"),
        (bitstreams.package(content=b"{}"), {}, 66, "; the region was cleared"),
        (bitstreams.package(content=bitstreams.bitfile("crc32")), {}, 69, "shows crc32, not lzo"),
    ],
    ids=["no zip", "no manifest", "format", "digest", "hardware", "bitfile", "function"],
)
def test_package_that_cannot_be_burnt_is_told_and_takes_no_region(
    host: Host, cloud: OpenStack, data: bytes, properties: dict[str, str], code: int, words: str
) -> None:
    image = cloud.add(data, **properties)
    line = refusal(host.run("burn", image, "--owner", owner()), code)
    assert line.startswith(f"Error: cannot program `{image}' - ")
    assert words in line
    assert host.run("status").stdout == "Used regions: 0/2\n"


def test_unknown_image_is_told(host: Host) -> None:
    assert "Glance has no such image" in refusal(host.run("burn", UNKNOWN), 67)


def test_image_id_that_is_none_is_told(host: Host) -> None:
    assert "which is a UUID" in refusal(host.run("burn", "lzo"), 67)


def test_glance_that_is_down_is_told(host: Host, cloud: OpenStack) -> None:
    cloud.stop()
    assert "cannot be reached: Connection refused" in refusal(host.run("burn", UNKNOWN), 73)


def test_unknown_region_is_told(host: Host) -> None:
    assert refusal(host.run("erase", UNKNOWN), 33) == (
        f"Error: cannot erase FPGA device with id `{UNKNOWN}' - unknown region"
    )


def test_region_that_does_not_erase_is_told(host: Host, cloud: OpenStack) -> None:
    region_id = host.burn(cloud.add(bitstreams.package()))
    record = host.state / "emulator" / region_id
    text = record.read_text()
    record.write_text("{")
    assert refusal(host.run("erase", region_id), 31).endswith("; the region is in quarantine")
    assert sorted(host.states()) == ["free", "quarantined"]
    record.write_text(text)
    assert host.run("erase", region_id).returncode == 0
    assert host.states() == ["free", "free"]


def test_region_that_a_guest_may_have_is_not_erased_by_its_id_alone(
    host: Host, cloud: OpenStack
) -> None:
    region_id = host.burn(cloud.add(bitstreams.package()), "--owner", owner())
    line = refusal(host.run("erase", region_id), 74)
    assert line.endswith(f"name the owner: erase {region_id} --owner {owner()}")
    assert host.run("status").stdout == "Used regions: 1/2\n"


def test_erasing_for_an_owner_of_nothing_is_done(host: Host) -> None:
    ran = host.run("erase", "--owner", owner())
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("verb", [("status",), ("erase", UNKNOWN), ("burn", UNKNOWN)])
@pytest.mark.parametrize("drivers", ["", "nosuchdriver"])
def test_host_without_a_driver_is_told(host: Host, verb: tuple[str, ...], drivers: str) -> None:
    host.configure(drivers=drivers)
    line = refusal(host.run(*verb), 127)
    assert line.startswith("Error: FPGA device is not accessible - ")
    assert drivers in line


def test_configuration_that_is_not_there_is_told(host: Host) -> None:
    host.config.unlink()
    assert "cannot be used" in refusal(host.run("status"), 127)


def test_value_that_cannot_be_used_is_named(host: Host) -> None:
    host.configure(emulator__regions="many")
    assert "regions" in refusal(host.run("status"), 127)


def test_ledger_that_is_damaged_is_told(host: Host) -> None:
    host.run("status")
    (host.state / "ledger.sqlite3").write_bytes(b"something else" * 100)
    assert refusal(host.run("status"), 71) == (
        "Error: cannot report the status of the FPGA regions - the ledger "
        f"{host.state}/ledger.sqlite3 is not a ledger: move it away and restore a copy"
    )


@pytest.mark.parametrize(
    "arguments",
    [(), ("melt",), ("burn",), ("erase",), ("burn", UNKNOWN, "--owner", "me"), ("stat",)],
)
def test_wrong_command_line_is_told_in_one_line(host: Host, arguments: tuple[str, ...]) -> None:
    line = refusal(host.run(*arguments), 2)
    assert line.startswith("Error: wrong command line - ")


def test_help_lists_every_exit_status(host: Host) -> None:
    text = host.run("--help").stdout
    assert all(f"{code} " in text for code in contract.Exit)


def test_values_in_the_callers_environment_are_not_used(host: Host, cloud: OpenStack) -> None:
    ran = subprocess.run(
        host.command("status"),
        env={**os.environ, "OS_EMULATOR__REGIONS": "7", "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("Used regions: 0/2\n", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_burn_that_is_interrupted_while_it_fetches_claims_nothing(
    host: Host, cloud: OpenStack, number: signal.Signals
) -> None:
    cloud.delay = 1.5
    running = host.start("burn", cloud.add(bitstreams.package()), "--owner", owner())
    wait_until(lambda: cloud.downloads > 0)
    running.send_signal(number)
    out, err = running.communicate()
    assert (running.returncode, out) == (-number, "")
    assert re.fullmatch(r"Error: cannot program `.*' - interrupted by SIG\w+; what .*\n", err)
    assert host.states() == ["free", "free"]


def test_burn_that_is_interrupted_while_it_programs_is_undone(host: Host, cloud: OpenStack) -> None:
    host.configure(drivers="fake", fake__program_delay=30)
    image = cloud.add(bitstreams.package(target={"board": "fake", "part": "fake"}))
    running = host.start("burn", image, "--owner", owner())
    published = host.runtime / "status.json"
    wait_until(lambda: published.exists() and '"write"' in published.read_text())
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate()
    assert (running.returncode, "interrupted by SIGTERM" in err) == (-signal.SIGTERM, True)
    # Without another command, which would undo it, too.
    assert '"write"' not in published.read_text()
    assert host.states() == ["free", "free"]


@pytest.mark.parametrize("way", [contextlib.nullcontext, Host.served], ids=["alone", "served"])
def test_burn_that_takes_too_long_is_undone(
    host: Host,
    cloud: OpenStack,
    way: typing.Callable[[Host], contextlib.AbstractContextManager[object]],
) -> None:
    host.configure(drivers="fake", fake__program_delay=30, burn_timeout=2)
    image = cloud.add(bitstreams.package(target={"board": "fake", "part": "fake"}))
    with way(host):
        line = refusal(host.run("burn", image, "--owner", owner()), 70)
        assert line.endswith("it took longer than burn_timeout allows; what was begun is undone")
    assert '"write"' not in (host.runtime / "status.json").read_text()
    assert host.states() == ["free", "free"]


def test_crash_of_a_regions_process_shows_in_the_status(host: Host, cloud: OpenStack) -> None:
    image = cloud.add(bitstreams.package())
    region_id = host.burn(image, "--owner", owner())
    (server,) = host.servers()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(server))
    (region,) = [r for r in host.status()["regions"] if r["id"] == region_id]
    assert (region["state"], region["healthy"]) == ("programmed", False)
    assert host.burn(image, "--owner", owner()) == region_id
    (region,) = [r for r in host.status()["regions"] if r["id"] == region_id]
    assert region["healthy"] is True
