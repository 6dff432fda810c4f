# SPDX-License-Identifier: Apache-2.0
"""The patch tool on a small tree: it changes all of it or nothing, and says which."""

import difflib
import hashlib
import os
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest

STOCK = {
    "claims.py": "one = 1\ntwo = 2\n",
    "db/models.py": "# models\n",
    "other.py": "# not ours\n",
    "tests/test_claims.py": "# test\n",
}
PATCHED = STOCK | {"claims.py": "one = 1\nfpga = 3\ntwo = 2\n", "db/models.py": "# our models\n"}
WITH_TESTS = PATCHED | {"tests/test_claims.py": "# our test\n"}


class Tree:
    """An installed package `nova` and the diffs for it."""

    def __init__(self, folder: Path) -> None:
        self.nova, self.patches = folder / "site" / "nova", folder / "patches"
        self.patches.mkdir()
        for name, text in STOCK.items():
            (self.nova / name).parent.mkdir(parents=True, exist_ok=True)
            (self.nova / name).write_text(text)
        self.release("1.2.3")
        parts = (("diff", "nova.patch", STOCK, PATCHED), ("tests", "t.patch", PATCHED, WITH_TESTS))
        table = '[[release]]\nversions = ["1.2.3"]\n'
        for part, file, before, after in parts:
            changed = [name for name in before if before[name] != after[name]]
            text = "".join(_diff(name, before[name], after[name]) for name in changed)
            (self.patches / file).write_text(text)
            table += f'[release.{part}]\nfile = "{file}"\n[release.{part}.files]\n'
            for name in changed:
                table += f'"{name}" = [["{_digest(before[name])}", "{_digest(after[name])}"]]\n'
        (self.patches / "releases.toml").write_text(table)

    def release(self, version: str | None) -> None:
        """Have this release be installed."""
        for old in self.nova.parent.glob("*.dist-info"):
            shutil.rmtree(old)
        if version is not None:
            made = self.nova.parent / f"nova-{version}.dist-info"
            made.mkdir()
            (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: nova\nVersion: {version}")

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Call the tool."""
        where = ["--site-packages", str(self.nova.parent), "--patches", str(self.patches)]
        return subprocess.run(
            [sys.executable, "-m", "fpga_patch.releases", *arguments, *where],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> dict[str, str]:
        """What is in the tree now, but for what Python itself compiled."""
        paths = [path for path in self.nova.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        return {str(path.relative_to(self.nova)): path.read_text() for path in paths}


def _diff(name: str, before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def refused(tree: Tree, code: int, *arguments: str, **environment: str) -> str:
    """The one line of a call that must fail and leave everything as it is."""
    before = tree.files()
    ran = tree.run(*arguments, **environment)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.startswith("Error: fpga-patch - ")
    assert tree.files() == before
    return ran.stderr


def test_diff_is_applied(tree: Tree) -> None:
    ran = tree.run("apply")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert tree.files() == PATCHED


def test_tests_are_patched_where_that_is_asked_for(tree: Tree) -> None:
    tree.run("apply", "--tests")
    assert tree.files() == WITH_TESTS


def test_tests_can_be_patched_later(tree: Tree) -> None:
    tree.run("apply")
    assert tree.run("apply", "--tests").returncode == 0
    assert tree.files() == WITH_TESTS


def test_second_apply_does_nothing(tree: Tree) -> None:
    tree.run("apply")
    times = [path.stat().st_mtime_ns for path in sorted(tree.nova.rglob("*.py"))]
    ran = tree.run("apply")
    assert ran.returncode == 0
    assert ran.stdout.startswith("nova.patch: patched already in ")
    assert [path.stat().st_mtime_ns for path in sorted(tree.nova.rglob("*.py"))] == times


def test_revert_puts_everything_back(tree: Tree) -> None:
    tree.run("apply", "--tests")
    assert tree.run("revert", "--tests").returncode == 0
    assert tree.files() == STOCK


def test_revert_of_what_is_not_patched_does_nothing(tree: Tree) -> None:
    assert tree.run("revert").returncode == 0
    assert tree.files() == STOCK


def test_status_tells_by_its_exit_status(tree: Tree) -> None:
    assert tree.run("status").returncode == 1
    tree.run("apply")
    assert tree.run("status").returncode == 0
    assert tree.run("status", "--tests").returncode == 1


@pytest.mark.parametrize("command", ["apply", "revert", "status"])
def test_half_patched_tree_is_refused(tree: Tree, command: str) -> None:
    (tree.nova / "claims.py").write_text(PATCHED["claims.py"])
    assert "is half patched, not yet: db/models.py" in refused(tree, 4, command)


@pytest.mark.parametrize("command", ["apply", "revert", "status"])
def test_tree_that_somebody_else_changed_is_refused(tree: Tree, command: str) -> None:
    (tree.nova / "claims.py").write_text("one = 2\n")
    told = refused(tree, 4, command)
    assert "changed by somebody else or missing" in told
    assert "claims.py; reinstall" in told


def test_tree_that_lacks_a_file_is_refused(tree: Tree) -> None:
    (tree.nova / "db/models.py").unlink()
    assert "db/models.py; reinstall" in refused(tree, 4, "apply")


def test_altered_test_keeps_the_diff_out_where_both_are_asked_for(tree: Tree) -> None:
    (tree.nova / "tests/test_claims.py").write_text("# altered\n")
    refused(tree, 4, "apply", "--tests")


def test_diff_that_gives_something_else_than_its_table_says_is_taken_back(tree: Tree) -> None:
    file = tree.patches / "nova.patch"
    file.write_text(file.read_text().replace("+fpga = 3", "+fpga = 4"))
    assert "left other contents than its table says" in refused(tree, 5, "apply")


def test_diff_that_does_not_apply_changes_nothing(tree: Tree) -> None:
    file = tree.patches / "nova.patch"
    file.write_text(file.read_text().replace("-# models", "-# something"))
    assert "nova.patch does not apply" in refused(tree, 5, "apply")


def test_release_without_a_diff_is_refused(tree: Tree) -> None:
    tree.release("9.9.9")
    assert "no diff for Nova 9.9.9" in refused(tree, 3, "apply")


def test_folder_that_is_not_installed_is_refused(tree: Tree) -> None:
    tree.release(None)
    assert "no record of an installed Nova" in refused(tree, 3, "apply")


def test_folder_without_nova_is_refused(tree: Tree) -> None:
    shutil.rmtree(tree.nova)
    assert "no folder 'nova'" in refused(tree, 3, "apply")


def test_missing_patch_program_is_told(tree: Tree, tmp_path: Path) -> None:
    assert "install patch(1)" in refused(tree, 5, "apply", PATH=str(tmp_path))


@pytest.mark.parametrize("arguments", [(), ("melt",), ("apply", "--force")])
def test_wrong_usage_exits_2(tree: Tree, arguments: tuple[typing.Any, ...]) -> None:
    assert tree.run(*arguments).returncode == 2


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_diff_serves_each_text_that_its_releases_have(tree: Tree, command: str) -> None:
    name = "claims.py"
    later = {text: text + "# later\n" for text in (STOCK[name], PATCHED[name])}
    table = tree.patches / "releases.toml"
    pair = ", ".join(f'"{_digest(text)}"' for text in later.values())
    table.write_text(table.read_text().replace(f'"{name}" = [', f'"{name}" = [[{pair}], '))
    before, after = (STOCK, PATCHED) if command == "apply" else (PATCHED, STOCK)
    for path, text in (before | {name: later[before[name]]}).items():
        (tree.nova / path).write_text(text)
    assert tree.run(command).returncode == 0
    assert tree.files() == after | {name: later[after[name]]}
