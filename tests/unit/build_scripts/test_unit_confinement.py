# SPDX-License-Identifier: Apache-2.0
"""What the units of a cloud may do: each one as its role writes it, by systemd's own judgement."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import exposure
from tests.unit.build_scripts import units

UNITS = units.of_roles(Path("/cloud"))
#: The same on a host with live images.
OF_LIVE_HOST = units.of_roles(Path("/cloud"), live_ready=True)
OF_CRIU = ("docker/main: containerd", "nova_compute/main: nova-compute")
#: Those that start programs as root, which nothing may bind that binds only sometimes.
OF_ROOT = (
    "docker/main: containerd",
    "docker/main: dockerd",
    "fpga_cli/main: fpga-regions",
    "nova_compute/main: nova-compute",
    "ovn_metadata/main: neutron-ovn-agent",
)

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze"
)


def analysis(text: str, daemon: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What systemd finds in a unit; the exit status says whether it is within its limit."""
    file = folder / "fpga-nova-unit.service"
    file.write_text(text)
    limit = exposure.limit(daemon)
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={limit}", file]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def settings(text: str) -> dict[str, str]:
    """The settings of a unit; of one that is there more than once, the last."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value for key, _, value in pairs}


def test_roles_run_all_daemons() -> None:
    names = {name.partition(": ")[2] for name in UNITS}
    assert {"database", "epmd", "rabbitmq", "containerd", "dockerd", "nova-compute"} <= names
    assert len(UNITS) == 22


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_unit_is_exposed_no_more_than_the_page_says(name: str, tmp_path: Path) -> None:
    done = analysis(UNITS[name], name.partition(": ")[2], tmp_path)
    assert done.returncode == 0, done.stdout


def test_only_what_starts_criu_may_set_clocks_and_only_on_hosts_with_live_images() -> None:
    setting = "CapabilityBoundingSet=CAP_SYS_TIME"
    assert not any(setting in text.splitlines() for text in UNITS.values())
    may = {name for name, text in OF_LIVE_HOST.items() if setting in text.splitlines()}
    assert may == {name for name in UNITS if UNITS[name] != OF_LIVE_HOST[name]} == set(OF_CRIU)


@needs_systemd
@pytest.mark.parametrize("name", OF_CRIU)
def test_unit_that_may_set_clocks_is_exposed_no_more_than_the_page_says(
    name: str, tmp_path: Path
) -> None:
    daemon = name.partition(": ")[2]
    done = analysis(OF_LIVE_HOST[name], daemon, tmp_path)
    # The page says 0.1 more.
    assert exposure.exposure(done.stdout) <= exposure.limit(daemon) + 1


@needs_systemd
def test_unit_that_leaves_one_protection_out_is_exposed_too_much(tmp_path: Path) -> None:
    others = [
        line for line in UNITS["rabbitmq/main: epmd"].splitlines() if "Capability" not in line
    ]
    done = analysis("\n".join(others), "epmd", tmp_path)
    assert done.returncode == 1
    assert exposure.exposure(done.stdout) > exposure.limit("epmd")


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_knows_each_setting(name: str, tmp_path: Path) -> None:
    file = tmp_path / "fpga-nova-unit.service"
    file.write_text(UNITS[name])
    done = subprocess.run(
        ["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=60
    )
    lines = [line for line in done.stderr.splitlines() if f"/{file.name}:" in line]
    assert lines == []


def test_page_has_no_limit_for_a_daemon_that_no_role_runs() -> None:
    names = {name.partition(": ")[2] for name in UNITS}
    assert exposure.limits().keys() - names == {"all others"}


@pytest.mark.parametrize("name", OF_ROOT)
def test_programs_of_root_have_the_mounts_of_the_host_and_no_filter(name: str) -> None:
    allowed = {"CapabilityBoundingSet", "OOMPolicy", "Delegate", "KillMode", "TasksMax"}
    set_here = settings(UNITS[name]).keys() - settings(units.render(Path("/"), PLAIN)).keys()
    assert set_here - {"After", "Group", "ExecStop"} <= allowed
    assert settings(UNITS[name])["KillMode"] == "process"


PLAIN = {"name": "plain", "command": ["/bin/true"], "log": "/log"}


def test_unit_starts_behind_those_that_it_needs() -> None:
    text = units.render(Path("/"), PLAIN | {"unit": {"After": ["database", "rabbitmq"]}})
    section = text[text.index("[Unit]") : text.index("[Service]")]
    assert "After=fpga-nova-database.service fpga-nova-rabbitmq.service" in section.splitlines()


def test_setting_of_a_description_replaces_that_of_all() -> None:
    confinement = {"ProtectHome": "yes", "SystemCallFilter": ["@system-service", "~@privileged"]}
    description = PLAIN | {"unit": {"ProtectHome": "no"}}
    lines = units.render(Path("/"), description, confinement).splitlines()
    assert [line for line in lines if "ProtectHome" in line] == ["ProtectHome=no"]
    filters = [line for line in lines if line.startswith("SystemCallFilter")]
    assert filters == ["SystemCallFilter=@system-service", "SystemCallFilter=~@privileged"]
