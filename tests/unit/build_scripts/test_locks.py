# SPDX-License-Identifier: Apache-2.0
"""Lock files hold a hash of each thing that they name, and each installation asks for it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))

_ENTRY = re.compile(r"[a-z0-9][a-z0-9.-]*==\S+( ; .*)?( \\\n    --hash=sha256:[0-9a-f]{64})+\n")

#: Where a file is installed from a lock file, and how often.
INSTALLATIONS = {
    "benchmarks/cyborg_services.py": 1,
    "build_scripts/bootstrap.sh": 2,
    "build_scripts/dev.sh": 1,
    "build_scripts/dist.sh": 1,
    "build_scripts/matrix_environment.py": 1,
    "build_scripts/roles/nova_patch/tasks/main.yml": 1,
    "build_scripts/roles/venv/tasks/main.yml": 1,
    "tox.ini": 1,
}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_entry_has_a_hash(lock: Path) -> None:
    remainder = _ENTRY.sub("", lock.read_text())
    assert not remainder, f"{remainder.splitlines()[0]}: run build_scripts/lock.sh"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_lock_file_has_what_it_is_made_from(lock: Path) -> None:
    assert lock.with_suffix(".in").is_file()


@pytest.mark.parametrize("place", INSTALLATIONS)
def test_every_installation_wants_hashes(place: str) -> None:
    text = re.sub(r"\\\n\s*", " ", (ROOT / place).read_text())
    assert text.count("--require-hashes") == INSTALLATIONS[place]
    unasked = re.findall(r"pip install(?!.*--require-hashes).* -r .*", text)
    assert not unasked
