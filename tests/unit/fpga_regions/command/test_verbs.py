# SPDX-License-Identifier: Apache-2.0
"""The operator's verbs as a person meets them: answers, exit statuses, one line of error."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import jsonschema
import pytest

from fpga_regions.command import arguments, examples
from fpga_regions.system import processes
from tests.support import bitstreams
from tests.support.host import Host, talk, wait_until
from tests.unit.fpga_regions.command.test_main import UNKNOWN, UUID, refusal
from tests.unit.fpga_regions.conftest import owner

STATUS = {"id", "device", "driver", "board", "part", "simulated", "state", "healthy", "owner"}
STATUS |= {"image_id", "function", "digest", "nodes", "since", "number", "quarantine", "reason"}
STATUS |= {"vendor", "address", "handed_out"}
EVENT = {
    "type": "object",
    "properties": {
        "sequence": {"type": "integer"},
        "at": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$"},
        "region_id": {"type": "string"},
        "before": {"type": ["string", "null"]},
        "state": {"type": "string"},
        "owner": {"type": ["string", "null"]},
        "image_id": {"type": ["string", "null"]},
        "digest": {"type": ["string", "null"]},
        "note": {"type": "string"},
    },
    "additionalProperties": False,
}
EVENT["required"] = list(EVENT["properties"])  # type: ignore[call-overload]


@pytest.fixture
def package(tmp_path: Path) -> str:
    """A package in a file."""
    path = tmp_path / "package.zip"
    path.write_bytes(bitstreams.package())
    return str(path)


@pytest.fixture
def alone(tmp_path: Path) -> Host:
    """A host that knows of no OpenStack."""
    return Host(tmp_path)


@pytest.fixture(autouse=True)
def end_processes(alone: Host) -> object:
    yield
    alone.close()


def answer(ran: "subprocess.CompletedProcess[str]", code: int = 0) -> str:
    """What a command printed that ended as it should."""
    assert ran.returncode == code, ran.stderr
    assert (ran.stderr == "") == (code == 0)
    return ran.stdout


def test_package_from_a_file_is_burnt_and_used_with_no_openstack(alone: Host, package: str) -> None:
    ran = alone.run("burn", "--file", package, "--owner", owner())
    assert UUID.fullmatch(answer(ran))
    (region,) = [r for r in alone.status()["regions"] if r["owner"]]
    assert (region["image_id"], region["healthy"]) == (None, True)
    assert talk(region["nodes"][0]["path"], b"abc" * 100)
    assert answer(alone.run("burn", "--file", package, "--owner", owner())) == ran.stdout


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nosuch.zip", 66, "cannot be read: No such file"),
        (".", 66, "it is not a file"),
        ("pipe", 66, "it is not a file"),
        ("other.zip", 66, "not a zip"),
    ],
)
def test_file_that_cannot_be_burnt_is_told(
    alone: Host, tmp_path: Path, name: str, code: int, words: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "other.zip").write_bytes(b"something else" * 100)
    path = str(tmp_path / name)
    line = refusal(alone.run("burn", "--file", path), code)
    assert line.startswith(f"Error: cannot program `{path}' - ")
    assert words in line


@pytest.mark.parametrize(
    "options", [("burn",), ("burn", UNKNOWN, "--file", "x"), ("events", "--last", "0")]
)
def test_options_that_do_not_go_together_are_told(alone: Host, options: tuple[str, ...]) -> None:
    assert refusal(alone.run(*options), 2).startswith("Error: wrong command line - ")


def test_dry_run_tells_the_region_and_takes_none(alone: Host, package: str) -> None:
    choices = answer(alone.run("burn", "--dry-run", "--file", package)).splitlines()
    assert alone.states() == ["free", "free"]
    assert re.fullmatch(r"would take \S+ \(emulator0, 0\): it is free", choices[0])
    assert re.fullmatch(r"not \S+ \(emulator0, 1\): it would do as well", choices[1])
    assert answer(alone.run("burn", "--file", package)).strip() in choices[0]


def test_dry_run_that_finds_no_region_tells_why_and_fails_as_the_burn(
    alone: Host, package: str
) -> None:
    alone.configure(emulator__part="hx8k")
    ran = alone.run("burn", "--dry-run", "--file", package)
    assert "part hx8k" in answer(ran, 64)
    assert ran.stderr == alone.run("burn", "--file", package).stderr


def test_region_is_described_for_programs_and_for_people(alone: Host, package: str) -> None:
    region_id = alone.burn("--file", package, "--owner", owner())
    fields = json.loads(answer(alone.run("describe", region_id, "--format", "json")))
    assert set(fields) == STATUS | {"index", "interface", "kinds", "lost", "reason"}
    (known,) = [region for region in alone.status()["regions"] if region["owner"]]
    assert {name: fields[name] for name in STATUS} == known
    assert (fields["index"], fields["kinds"], fields["reason"]) == (0, ["socket"], "programmed")
    lines = answer(alone.run("describe", region_id)).splitlines()
    words = dict(line.split(maxsplit=1) for line in lines)
    assert (words["owner"], words["healthy"], words["lost"]) == (owner(), "yes", "-")
    assert words["nodes"].startswith("/dev/fpga0 is ")


def test_events_tell_what_happened_oldest_first(alone: Host, package: str) -> None:
    region_id = alone.burn("--file", package, "--owner", owner())
    alone.run("erase", region_id, "--owner", owner())
    found = json.loads(answer(alone.run("events", region_id, "--format", "json")))["events"]
    for event in found:
        jsonschema.validate(event, EVENT)
    assert [(event["before"], event["state"]) for event in found] == [
        (None, "free"),
        ("free", "firmware request"),
        ("firmware request", "write"),
        ("write", "programmed"),
        ("programmed", "reset"),
        ("reset", "free"),
    ]
    assert {event["region_id"] for event in found} == {region_id}
    assert found[-1]["owner"] == owner()
    text = answer(alone.run("events", region_id, "--last", "2")).splitlines()
    assert len(text) == 3
    assert text[-1].split()[2:] == ["reset", "free", owner(), "erased"]


def test_reconcile_lists_a_lost_configuration_and_marks_it(alone: Host, package: str) -> None:
    region_id = alone.burn("--file", package, "--owner", owner())
    (server,) = alone.servers()
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not processes.alive(server))
    ran = alone.run("reconcile")
    assert answer(ran, 32).startswith(f"lost: {region_id} (emulator0, 0): ")
    assert ran.stderr == (
        "Error: ledger and hardware differ - in 1 of the regions; reconcile --fix settles what it"
        " can\n"
    )
    assert "; marked as lost" in answer(alone.run("reconcile", "--fix"))
    assert answer(alone.run("reconcile")) == ""
    assert json.loads(answer(alone.run("reconcile", "--format", "json"))) == {"differences": []}
    assert alone.run("describe", region_id).stdout.count("configuration lost") == 1


def test_region_is_put_into_quarantine_and_released(alone: Host, package: str) -> None:
    region_id = alone.burn("--file", package)
    assert answer(alone.run("quarantine", region_id, "--reason", "fan is broken")) == ""
    assert sorted(alone.states()) == ["free", "quarantined"]
    assert alone.run("describe", region_id).stdout.endswith("fan is broken\n")
    assert answer(alone.run("release", region_id)) == ""
    assert alone.states() == ["free", "free"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_answer_that_nobody_reads_ends_as_other_programs_do(alone: Host, unbuffered: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    command = alone.command("status", "--format", "json")
    ran = subprocess.run(command, env=environment, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize("verb", ["describe", "events", "quarantine", "release"])
def test_unknown_region_is_told_by_every_verb(alone: Host, verb: str) -> None:
    assert refusal(alone.run(verb, UNKNOWN), 33).endswith(" - unknown region")


@pytest.mark.parametrize("verb", [verb for verb in examples.EXAMPLES if verb])
def test_help_of_every_verb_has_examples_that_are_right(alone: Host, verb: str) -> None:
    text = answer(alone.run(verb, "--help"))
    for line, meaning in examples.EXAMPLES[verb]:
        assert f"  fpga-cli.py {line}\n      {meaning}" in text


def test_every_verb_has_examples() -> None:
    assert set(arguments.verbs_of(arguments.parser())) == set(examples.EXAMPLES) - {""}
