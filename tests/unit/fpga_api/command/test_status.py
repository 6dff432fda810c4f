# SPDX-License-Identifier: Apache-2.0
"""fpga-status sees what would keep a new release from its work."""

import sys
from pathlib import Path

import pytest

from fpga_api.command import status
from fpga_api.db import schema
from tests.support import api as support

_HOSTS = """[hosts]
transport_url = rabbit://fpga:secret@127.0.0.1:1/fpga
"""
_GOOD = f"""
[keystone_authtoken]
auth_type = password
auth_url = http://127.0.0.1:1
[service_credentials]
auth_type = password
auth_url = http://127.0.0.1:1
{_HOSTS}"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def check(text: str = "", synced: bool = True, rules: str = "{}") -> tuple[int, list[str]]:
        url = f"sqlite:///{tmp_path}/fpga.sqlite"
        if synced:
            schema.sync(support.database(url))
        (tmp_path / "policy.yaml").write_text(rules)
        file = tmp_path / "fpga-api.conf"
        policy = f"[oslo_policy]\npolicy_file = {tmp_path}/policy.yaml\n"
        file.write_text(f"[database]\nconnection = {url}\n{policy}{text}")
        words = ["fpga-status", "upgrade", "check", "--config-file", str(file)]
        monkeypatch.setattr(sys, "argv", ["fpga-status", "--config-file", str(file), *words[1:3]])
        code = status.main()
        return code, capsys.readouterr().out.splitlines()

    return check


def _failed(lines: list[str]) -> list[str]:
    names = [line.split(":")[1].strip(" |") for line in lines if "| Check:" in line]
    results = [line.split(":")[1].strip(" |") for line in lines if "| Result:" in line]
    return [name for name, result in zip(names, results, strict=True) if result != "Success"]


def test_good_service_is_ready(run) -> None:
    code, lines = run(_GOOD)
    assert (code, _failed(lines)) == (0, [])


@pytest.mark.parametrize(
    ("text", "synced", "rules", "code", "failed"),
    [
        (_GOOD, False, "{}", 2, "Database"),
        (f"{_GOOD}[cache]\nenabled = false\n", True, "{}", 2, "Cache"),
        (f"{_GOOD}[cache]\nbackend = dogpile.cache.memory\n", True, "{}", 1, "Cache"),
        (_GOOD.partition("[service")[0] + _HOSTS, True, "{}", 2, "Credentials"),
        (_GOOD.replace("auth_url", "url", 1), True, "{}", 2, "Credentials"),
        (_GOOD.replace("= password", "= passwort", 1), True, "{}", 2, "Credentials"),
        (_GOOD, True, '"fpga:admin": "rule:nobody"', 2, "Policy"),
        (_GOOD, True, '"fpga:admin": "role:admin\n- x', 2, "Policy"),
        (f"{_GOOD}[availability]\nsources = none\n", True, "{}", 2, "Engine"),
        (f"{_GOOD}[availability]\npci_alias = [1]\n", True, "{}", 2, "Engine"),
        (_GOOD.replace("rabbit:", "rabit:"), True, "{}", 2, "Engine"),
        (_GOOD.replace(_HOSTS, ""), True, "{}", 1, "Engine"),
        (f"{_GOOD}[fpga_api]\nupload_folder = /nowhere\n", True, "{}", 2, "Uploads"),
    ],
)
def test_fault_is_named(run, text: str, synced: bool, rules: str, code: int, failed: str) -> None:
    found, lines = run(text, synced, rules)
    assert (found, _failed(lines)) == (code, [failed])
    assert "secret" not in "".join(lines)
