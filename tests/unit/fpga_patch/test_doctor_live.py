# SPDX-License-Identifier: Apache-2.0
"""The doctor says whether a host can dump and restore, and why it cannot."""

import os
import pathlib

import nova  # noqa: F401 - the doctor looks for it where the tests run
import pytest

from fpga_patch import releases
from fpga_patch.doctor import Settings, live


@pytest.fixture
def etc(tmp_path: pathlib.Path) -> pathlib.Path:
    """A host with live images."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "rootwrap.conf").write_text(f"[DEFAULT]\nexec_dirs={tmp_path}/bin\n")
    (tmp_path / "nova.conf").write_text(
        f"[DEFAULT]\nrootwrap_config = {tmp_path}/rootwrap.conf\n[docker]\nlive_images = True\n"
    )
    return tmp_path


def _found(etc: pathlib.Path, program: str | None = None) -> tuple[str, str]:
    if program is not None:
        path = etc / "bin" / "fpga-live"
        path.write_text(f"#!/bin/sh\n{program}\n")
        path.chmod(0o755)
    (finding,) = live.images(Settings(releases.find_nova(None), etc))
    return finding.level, finding.text


def test_a_host_without_live_images_is_not_tried(etc: pathlib.Path) -> None:
    (etc / "nova.conf").write_text("[DEFAULT]\n")
    assert _found(etc, "exit 1") == ("skipped", "[docker] live_images is off")


def test_a_missing_program_is_named(etc: pathlib.Path) -> None:
    level, text = _found(etc)
    assert (level, "fpga-live is in none of" in text) == ("missing", True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run it")
def test_the_reason_of_a_failure_is_told(etc: pathlib.Path) -> None:
    found = _found(etc, 'echo "Error: criu dump failed: no sockets" >&2; exit 1')
    assert found == ("missing", "this host has no live images: criu dump failed: no sockets")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run it")
def test_a_host_that_can_is_ok(etc: pathlib.Path) -> None:
    assert _found(etc, 'echo \'{"criu": "4.2.1"}\'')[0] == "ok"
