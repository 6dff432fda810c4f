# SPDX-License-Identifier: Apache-2.0
"""A dump has the connections to regions closed, and reports why that did not succeed."""

import pathlib

import pytest

from novadocker.live import command, errors, regions, settings
from tests.unit.novadocker.live.conftest import Host

OWNER = "0e8a4ac6-5f0c-4f9e-8a55-0d1c7a3c2b11"


@pytest.fixture
def cli(host: Host, tmp_path: pathlib.Path) -> pathlib.Path:
    """fpga-cli of the host: it shows what it was asked for, and fails if the test says why."""
    program = tmp_path / "fpga-cli.py"
    program.write_text(
        f'#!/bin/sh\necho "$@" "${{HOME-}}" > {tmp_path}/words\n'
        f"[ ! -e {tmp_path}/why ] || {{ cat {tmp_path}/why >&2; exit 127; }}\n"
    )
    program.chmod(0o755)
    host.file.write_text(host.file.read_text() + f'fpga_cli = "{program}"\n')
    return program


def test_the_regions_of_the_owner_are_disconnected(host: Host, cli: pathlib.Path) -> None:
    assert regions.disconnect(settings.read(host.file), OWNER) is None
    assert cli.with_name("words").read_text().split() == ["disconnect", "--owner", OWNER]


def test_a_server_without_regions_has_no_program_run(host: Host, cli: pathlib.Path) -> None:
    assert regions.disconnect(settings.read(host.file), None) is None
    assert not cli.with_name("words").exists()


def test_a_failure_is_reported_by_its_last_line(host: Host, cli: pathlib.Path) -> None:
    cli.with_name("why").write_text("Warning: more\nError: the region does not answer - region x\n")
    found = regions.disconnect(settings.read(host.file), OWNER)
    assert found == "the region does not answer - region x"


def test_a_program_that_cannot_be_run_is_reported(host: Host, cli: pathlib.Path) -> None:
    cli.unlink()
    assert "No such file" in str(regions.disconnect(settings.read(host.file), OWNER))


def test_a_program_that_hangs_is_ended(
    host: Host, cli: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regions, "_PATIENCE", 0.2)
    cli.write_text("#!/bin/sh\nexec sleep 99\n")
    assert "timed out" in str(regions.disconnect(settings.read(host.file), OWNER))


def test_a_host_without_the_program_closes_nothing(host: Host) -> None:
    assert settings.read(host.file).fpga_cli is None
    assert regions.disconnect(settings.read(host.file), OWNER) is None


@pytest.mark.parametrize("line", ['fpga_cli = "fpga-cli.py"', "fpga_cli = 1", 'other = "/x"'])
def test_the_program_is_a_path_of_root(host: Host, line: str) -> None:
    host.file.write_text(host.file.read_text() + f"{line}\n")
    with pytest.raises(errors.LiveError):
        settings.read(host.file)


@pytest.mark.parametrize("owner", ["x", "--all", f"{OWNER} {OWNER}", ""])
def test_an_owner_is_a_uuid(host: Host, owner: str) -> None:
    with pytest.raises(SystemExit):
        command.main(["--settings", str(host.file), "dump", "ab" * 32, "--owner", owner])
