# SPDX-License-Identifier: Apache-2.0
"""A program with the interface of fpga-cli.py, whose answers a test chooses."""

import json
import stat
import textwrap
import typing
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from nova import exception, objects
from nova.objects import base as nova_base
from oslo_config import cfg
from oslo_config import fixture as config_fixture

import fpga_nova
from fpga_hooks import calls  # noqa: F401 - registers the options
from fpga_hooks.functions import catalogue
from fpga_hooks.instance import background, guests, needs
from fpga_hooks.placement import claims, function_traits

OWNER = "11111111-2222-3333-4444-555555555555"
IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
REGION = "a0399bc1-cb67-4548-b0b8-aa95a91402d3"

SINCE = "2026-01-01T00:00:00.000+00:00"
SCHEMA = json.loads((Path(fpga_nova.__file__).parent / "status.schema.json").read_text())

objects.register_all()


@nova_base.NovaObjectRegistry.register_if(False)
class Instance(objects.Instance):
    """An instance as a patched Nova has it, whose save goes nowhere."""

    fields = objects.Instance.fields | {"fpga_device": objects.fields.StringField(nullable=True)}

    def save(self, expected_task_state=None) -> None:  # type: ignore[no-untyped-def]
        self.obj_reset_changes()


def an_instance(extra_specs: dict[str, str], device: str | None = None) -> Instance:
    """An instance of this host with a flavor of these extra specs."""
    flavor = objects.Flavor(extra_specs=extra_specs)
    return Instance(
        uuid=OWNER,
        flavor=flavor,
        old_flavor=None,
        new_flavor=None,
        fpga_device=device,
        host="node",
        vm_state="building",
        task_state="spawning",
        system_metadata={},
    )


def region(**changes: typing.Any) -> dict[str, typing.Any]:
    """A programmed region as fpga-cli's status tells it."""
    node = {"kind": "socket", "path": "/run/r0/fpga0", "name": "/dev/fpga0"}
    entry = {
        "id": REGION,
        "state": "programmed",
        "owner": OWNER,
        "simulated": False,
        "nodes": [node],
        "quarantine": None,
        "handed_out": SINCE,
    }
    entry |= changes
    if entry["state"] == "free":
        entry["nodes"] = None
    if entry["owner"] is None or entry["state"] in ("free", "firmware request"):
        entry["handed_out"] = None
    return entry


def status(*regions: dict[str, typing.Any], quarantined: int = 0) -> str:
    """What ``status --format json`` prints for these regions, if it ever prints the like."""
    used = sum(r["state"] not in ("free", "quarantined") for r in regions)
    answer = {
        "total": len(regions),
        "used": used,
        "quarantined": quarantined,
        "regions": list(regions),
    }
    jsonschema.validate(answer, SCHEMA)
    return json.dumps(answer)


class Program:
    """Stands where fpga-cli.py would, and notes how it was called."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "fpga-cli.py"
        self._calls = folder / "calls"
        self.answers()

    def answers(self, out: str = "", err: str = "", code: int = 0, first: str = "") -> None:
        """Say this from now on; ``first`` is shell to run before."""
        self.path.write_text(
            textwrap.dedent(f"""\
            #!/bin/sh
            echo "$*" >> {self._calls}
            env > {self._calls}.env
            {first}
            cat <<'END_OF_OUT'
            """)
            + f"{out}\nEND_OF_OUT\ncat >&2 <<'END_OF_ERR'\n{err}\nEND_OF_ERR\nexit {code}\n"
        )
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)

    @property
    def calls(self) -> list[str]:
        """The arguments of each call so far."""
        return self._calls.read_text().splitlines() if self._calls.exists() else []

    @property
    def environment(self) -> set[str]:
        """The names of the variables that the last call saw."""
        lines = Path(f"{self._calls}.env").read_text().splitlines()
        return {line.partition("=")[0] for line in lines}


class Nova:
    """What Nova's database has, as far as the reconcile asks.

    :ivar here: the instances of this host, by uuid
    :ivar elsewhere: any others; one that is in neither is being built
    :ivar migrations: those of every instance
    :ivar up: the hosts whose nova-compute runs
    """

    def __init__(self) -> None:
        self.here: dict[str, typing.Any] = {}
        self.elsewhere: dict[str, typing.Any] = {}
        self.migrations: list[typing.Any] = []
        self.up: set[str] = set()

    def instance(self, _context: typing.Any, uuid: str, **_options: typing.Any) -> typing.Any:
        """One instance, a deleted one too."""
        building = SimpleNamespace(deleted=False, host=None, task_state="spawning")
        instance = (self.here | self.elsewhere).get(uuid, building)
        if instance is None:
            raise exception.InstanceNotFound(instance_id=uuid)
        if not hasattr(instance, "fields"):
            instance.fields = ()
        return instance

    def service(self, _context: typing.Any, host: str) -> typing.Any:
        """The record of a host's nova-compute."""
        if host not in self.up:
            raise exception.ComputeHostNotFound(host=host)
        return SimpleNamespace(forced_down=False, host=host)


@pytest.fixture(autouse=True)
def nova(monkeypatch: pytest.MonkeyPatch) -> Nova:
    """A Nova without instances, until a test adds one."""
    nova = Nova()
    monkeypatch.setattr(
        needs,
        "objects",
        SimpleNamespace(
            InstanceList=SimpleNamespace(get_by_host=lambda *a, **o: list(nova.here.values())),
            Instance=SimpleNamespace(get_by_uuid=nova.instance),
            MigrationList=SimpleNamespace(get_by_filters=lambda *a: nova.migrations),
            Service=SimpleNamespace(get_by_compute_host=nova.service),
        ),
    )
    up = SimpleNamespace(API=lambda: SimpleNamespace(service_is_up=lambda service: True))
    monkeypatch.setattr(needs, "servicegroup", up)
    return nova


@pytest.fixture(autouse=True)
def sweep(monkeypatch: pytest.MonkeyPatch) -> function_traits.Sweep:
    """Nothing to sweep is left from another test."""
    sweep = function_traits.Sweep()
    monkeypatch.setattr(function_traits, "sweep", sweep)
    return sweep


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> typing.Callable[..., None]:
    """Have Glance have these bitstreams."""
    ours = catalogue.Catalogue()
    monkeypatch.setattr(catalogue, "ours", ours)
    monkeypatch.setattr(ours, "refresh", lambda: None)

    def known(*bitstreams: catalogue.Bitstream) -> None:
        ours._bitstreams = {one.id: one for one in bitstreams}
        ours._whole_at = 0.0

    return known


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> guests.Machine:
    """This machine, without a virt driver that passes regions on, until a test registers one."""
    machine = guests.Machine()
    monkeypatch.setattr(guests, "machine", machine)
    return machine


@pytest.fixture(autouse=True)
def burns(monkeypatch: pytest.MonkeyPatch) -> background.Burns:
    """No burn goes on from another test."""
    burns = background.Burns()
    monkeypatch.setattr(background, "burns", burns)
    return burns


@pytest.fixture(autouse=True)
def _placement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Placement without claims."""
    monkeypatch.setattr(claims, "may_have_region_here", lambda claim: False)


@pytest.fixture
def config() -> typing.Iterator[typing.Callable[..., None]]:
    """Set options of [fpga] for the test."""
    fixture = config_fixture.Config(cfg.CONF)
    fixture.setUp()
    yield lambda **options: fixture.config(group="fpga", **options)
    fixture.cleanUp()


@pytest.fixture
def program(tmp_path: Path, config: typing.Callable[..., None]) -> Program:
    """The program, with [fpga] pointing at it."""
    program = Program(tmp_path)
    config(access=True, exec=str(program.path), status_file="")
    return program
