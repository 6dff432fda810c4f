# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga claim|program …``, asked of the real application."""

import json
import pathlib
import typing

import pytest
from osc_lib import exceptions

from fpga_api.db import claims, programs, schema
from fpga_client.build import package, synthesis
from fpga_client.osc import program
from fpga_client.resources import Region
from tests.support import api as support
from tests.support import api_database as rows
from tests.support.client import OpenStack

ROOT = pathlib.Path(__file__).parents[3]
PROJECT = support.PERSONAS["admin"].project
CLAIM, PROGRAM = (f"00000000-0000-0000-0000-0000000000{number}" for number in (31, 41))


class As(typing.Protocol):
    """The command of somebody: its status, its rows, and its warnings."""

    def __call__(self, persona: str, *words: str) -> tuple[int, typing.Any, str]:
        """Run it."""


@pytest.fixture
def api(tmp_path: pathlib.Path) -> typing.Iterator[support.Api]:
    from fpga_api import service

    url = f"sqlite:///{tmp_path / 'fpga.sqlite'}"
    with support.Tokens():
        found = service.Service(support.configuration(database={"connection": url}))
        schema.sync(found.database)
        region = {"region": "r1", "address": "0000:3b:00.0", "nodes": [{"kind": "char"}]}
        claim = rows.claim(CLAIM, PROJECT, state=claims.ACTIVE, region=region, host="node-1")
        claims.add(found.database, claim, rows.permit)
        fault = {"code": "exit.72", "fault": "no", "restored": True}
        programs.add(found.database, rows.program(PROGRAM, project_id=support.PROJECT, **fault))
        yield support.Api(found)


@pytest.fixture
def run(openstack: OpenStack, address: str, monkeypatch: pytest.MonkeyPatch) -> As:
    def run(persona: str, *words: str) -> tuple[int, typing.Any, str]:
        monkeypatch.setenv("OS_TOKEN", persona)
        formats = () if "delete" in words or "set" in words else ("-f", "json")
        result = openstack("fpga", *words, *formats)
        return result.status, json.loads(result.out or "null"), result.err

    return run


def test_claims_are_their_owner_s(run: As) -> None:
    _, found, _ = run("admin", "claim", "list")
    assert [(one["ID"], one["Address"]) for one in found] == [(CLAIM, "0000:3b:00.0")]
    assert run("admin", "claim", "list", "--state", "released")[1] == []
    assert run("reader", "claim", "list")[1] == []
    status, claim, _ = run("admin", "claim", "show", CLAIM)
    assert (status, claim["Host"], claim["Nodes"]) == (0, "node-1", [{"kind": "char"}])
    status, _, why = run("service", "claim", "show", CLAIM)
    assert status == 1
    assert "no claim" in why


def test_claim_is_renewed_and_released(run: As, api: support.Api) -> None:
    assert run("admin", "claim", "set", "--ttl", "77", CLAIM)[0] == 0
    found = claims.get(api.service.database, CLAIM)
    assert found is not None and found.ttl == 77
    assert run("admin", "claim", "delete", CLAIM, PROGRAM)[0] == 1
    found = claims.get(api.service.database, CLAIM)
    assert found is not None and found.state == claims.RELEASING


def test_claim_that_is_refused_says_why(run: As) -> None:
    status, _, why = run("member", "claim", "create")
    assert status == 1
    assert "Ask for the role" in why
    status, _, why = run("admin", "claim", "create", "--ttl", "1000000000")
    assert status == 1
    assert "try again" in why


def test_programs_are_their_project_s(run: As) -> None:
    _, found, _ = run("member", "program", "list")
    assert [(one["ID"], one["State"]) for one in found] == [(PROGRAM, "requested")]
    assert run("other-member", "program", "list")[1] == []
    status, program, _ = run("member", "program", "show", PROGRAM)
    assert (status, program["Restored"]) == (0, True)
    assert program["Fault"] == {"code": "exit.72", "detail": "no"}


# The package of what is built here.


def _region(**changes: typing.Any) -> Region:
    members = {
        "id": "r1",
        "board": "emulator",
        "part": "hx8k",
        "vendor": "fpga-nova",
        "nodes": [{"kind": "socket", "name": "/dev/fpga0", "path": None}],
    }
    return Region.existing(**members | changes)


def test_package_is_one_that_the_service_takes(tmp_path: pathlib.Path) -> None:
    from fpga_api.bitstreams import packages

    conf = support.configuration()
    for bitfile in (b"\0" * 200_000, bytes(range(256)) * 50):
        fields = package.manifest(_region(), "hx8k", "-my core!", "core v", bitfile)
        with (tmp_path / "package").open("w+b") as file:
            file.write(package.write(fields, bitfile).read())
            file.seek(0)
            found = packages.check(conf, file)
        assert (found.manifest["name"], found.manifest["function"]) == ("my_core_", "core_v")
        assert found.manifest["target"] == {"board": "emulator", "part": "hx8k"}


@pytest.mark.parametrize("unknown", [{"board": None}, {"nodes": []}])
def test_region_of_which_little_is_known_gets_no_package(unknown) -> None:
    with pytest.raises(package.UnknownRegionError):
        package.manifest(_region(**unknown), "hx8k", "core", "core", b"x")


@pytest.mark.parametrize(
    ("parts", "source", "found"),
    [("hx8k", False, "hx8k"), ("hx8k,software", True, "hx8k"), ("xcu250", True, "xcu250")],
)
def test_part_is_the_region_s(parts: str, source: bool, found: str) -> None:
    assert program._part(_region(part=parts), source) == found


@pytest.mark.parametrize(
    ("parts", "source"), [("hx8k,software", False), (None, True), ("hx1k,hx8k", True)]
)
def test_part_has_to_be_chosen_where_there_are_several(parts: str, source: bool) -> None:
    with pytest.raises(exceptions.CommandError, match="choose by --part"):
        program._part(_region(part=parts), source)


def test_pins_are_those_of_the_emulator() -> None:
    for part in synthesis.PARTS:
        ours = ROOT / f"fpga_client/build/shells/{part}.pcf"
        assert ours.read_bytes() == (ROOT / f"fpga_regions/emulator/shell/{part}.pcf").read_bytes()


def test_verilog_becomes_the_bitstream_that_ships() -> None:
    bitstream = synthesis.build([ROOT / "cores/packbits.v"], "top", "hx1k")
    assert len(bitstream) == (ROOT / "cores/packbits-hx1k.bin").stat().st_size


def test_build_that_fails_says_why(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "core.v"
    source.write_text("module top(; endmodule")
    with pytest.raises(synthesis.BuildError, match="yosys failed"):
        synthesis.build([source], "top", "hx1k")
    with pytest.raises(synthesis.BuildError, match="not the name of a module"):
        synthesis.build([source], "top; shell rm", "hx1k")
    with pytest.raises(synthesis.BuildError, match="give a bitfile"):
        synthesis.build([source], "top", "xcu250")
    with pytest.raises(synthesis.BuildError, match="cannot be read"):
        synthesis.build([source], "top", "hx1k", tmp_path / "none.pcf")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(synthesis.BuildError, match="apt-get install yosys nextpnr-ice40 fpga-ice"):
        synthesis.build([source], "top", "hx1k")
