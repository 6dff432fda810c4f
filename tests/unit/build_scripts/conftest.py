# SPDX-License-Identifier: Apache-2.0
"""A cloud of three hosts without the hosts."""

from pathlib import Path

import pytest
from deployment.folder import Folder

from tests.unit.build_scripts.cloud_hosts import SSH, Hosts


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    programs = tmp_path / "bin"
    (programs / "answers").mkdir(parents=True)
    (programs / "ssh").write_text(SSH)
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    return Hosts(programs)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "cloud")
    found.make()
    return found
