# SPDX-License-Identifier: Apache-2.0
"""The patch tool on a small tree: it changes all of it or nothing, and says which."""

import fcntl
import json
import os
import shutil
import typing
from pathlib import Path

import pytest

from tests.unit.fpga_patch.tree import NEWER, PATCHED, STOCK, WITH_TESTS, Tree, digest


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def refused(tree: Tree, code: int, *arguments: str, **environment: str) -> str:
    """The one line of a call that must fail and leave everything as it is."""
    before = tree.files()
    result = tree.run(*arguments, **environment)
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr.startswith("Error: fpga-patch - ")
    assert tree.files() == before
    return result.stderr


def test_diff_is_applied(tree: Tree) -> None:
    result = tree.run("apply")
    assert (result.returncode, result.stderr) == (0, "")
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
    result = tree.run("apply")
    assert result.returncode == 0
    assert result.stdout.startswith("nova.patch: patched already in ")
    assert [path.stat().st_mtime_ns for path in sorted(tree.nova.rglob("*.py"))] == times


def test_revert_puts_everything_back(tree: Tree) -> None:
    tree.run("apply", "--tests")
    assert tree.run("revert", "--tests").returncode == 0
    assert tree.files() == STOCK


def test_revert_of_what_is_not_patched_does_nothing(tree: Tree) -> None:
    assert tree.run("revert").returncode == 0
    assert tree.files() == STOCK


def test_status_reports_by_its_exit_status(tree: Tree) -> None:
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
    message = refused(tree, 4, command)
    assert "changed by somebody else or missing" in message
    assert "claims.py; reinstall" in message


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


def test_missing_patch_program_is_reported(tree: Tree, tmp_path: Path) -> None:
    assert "install patch(1)" in refused(tree, 5, "apply", PATH=str(tmp_path))


@pytest.mark.parametrize("arguments", [(), ("melt",), ("apply", "--force")])
def test_wrong_usage_exits_2(tree: Tree, arguments: tuple[typing.Any, ...]) -> None:
    assert tree.run(*arguments).returncode == 2


@pytest.mark.parametrize("command", ["apply", "revert"])
def test_diff_serves_each_text_that_its_releases_have(tree: Tree, command: str) -> None:
    name = "claims.py"
    later = {text: text + "# later\n" for text in (STOCK[name], PATCHED[name])}
    table = tree.patches / "releases.toml"
    pair = ", ".join(f'"{digest(text)}"' for text in later.values())
    table.write_text(table.read_text().replace(f'"{name}" = [', f'"{name}" = [[{pair}], '))
    before, after = (STOCK, PATCHED) if command == "apply" else (PATCHED, STOCK)
    for path, text in (before | {name: later[before[name]]}).items():
        (tree.nova / path).write_text(text)
    assert tree.run(command).returncode == 0
    assert tree.files() == after | {name: later[after[name]]}


def test_owner_permissions_and_time_are_kept(tree: Tree) -> None:
    path = tree.nova / "claims.py"
    path.chmod(0o640)
    os.utime(path, ns=(10**18, 10**18 + 7))
    os.chown(path, *((1234, 2345) if os.geteuid() == 0 else (-1, -1)))
    before = path.stat()
    for command in ("apply", "revert"):
        tree.run(command)
        now = path.stat()
        assert [now.st_mode, now.st_uid, now.st_gid] == [
            before.st_mode,
            before.st_uid,
            before.st_gid,
        ]
        assert now.st_mtime_ns == before.st_mtime_ns


def test_file_that_shares_its_inode_with_a_cache_is_replaced_not_rewritten(
    tree: Tree, tmp_path: Path
) -> None:
    cached = tmp_path / "cached.py"
    cached.hardlink_to(tree.nova / "claims.py")
    tree.run("apply")
    assert cached.read_text() == STOCK["claims.py"]


def test_old_byte_code_is_gone_after_apply(tree: Tree) -> None:
    old = tree.nova / "__pycache__/claims.cpython-399.pyc"
    old.parent.mkdir()
    old.write_bytes(b"old")
    tree.run("apply")
    assert not old.exists()


def test_revert_takes_the_tests_back_without_the_option(tree: Tree) -> None:
    tree.run("apply", "--tests")
    assert tree.run("revert").returncode == 0
    assert tree.files() == STOCK


def test_revert_leaves_no_record(tree: Tree) -> None:
    tree.run("apply")
    tree.run("revert")
    assert [path.name for path in (tree.nova.parent / ".fpga-patch").iterdir()] == ["lock"]


def test_revert_works_without_our_record(tree: Tree) -> None:
    tree.run("apply")
    shutil.rmtree(tree.nova.parent / ".fpga-patch")
    assert tree.run("revert").returncode == 0
    assert tree.files() == STOCK


def test_plan_changes_nothing_and_names_the_files(tree: Tree) -> None:
    result = tree.run("plan")
    assert result.returncode == 0
    assert f"change {tree.nova}/claims.py" in result.stdout
    assert tree.files() == STOCK
    assert not (tree.nova.parent / ".fpga-patch").exists()


def test_foreign_change_is_shown_against_our_copy(tree: Tree) -> None:
    tree.run("apply")
    (tree.nova / "claims.py").write_text(PATCHED["claims.py"] + "theirs = 4\n")
    lines = refused(tree, 4, "apply").splitlines()
    assert "+theirs = 4" in lines
    assert "+fpga = 3" not in lines  # that is ours


def test_foreign_change_is_shown_against_a_copy_that_is_named(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped/claims.py").write_text(STOCK["claims.py"])
    (tree.nova / "claims.py").write_text(STOCK["claims.py"] + "theirs = 4\n")
    message = refused(tree, 4, "apply", "--reference", str(tmp_path / "shipped"))
    assert "+theirs = 4\n" in message


def test_long_foreign_change_is_cut(tree: Tree) -> None:
    tree.run("apply")
    (tree.nova / "claims.py").write_text("".join(f"their_{n} = {n}\n" for n in range(500)))
    lines = refused(tree, 4, "status").splitlines()
    assert len(lines) < 100
    assert lines[-1].endswith(" more lines")


def test_diff_of_an_older_fpga_nova_is_replaced(tree: Tree) -> None:
    tree.run("apply")
    tree.rediff(NEWER)
    assert "nova.patch: older in " in tree.run("status").stdout
    assert tree.run("apply").returncode == 0
    assert tree.files() == NEWER


def test_revert_after_the_diff_was_replaced_gives_what_nova_shipped(tree: Tree) -> None:
    tree.run("apply")
    tree.rediff(NEWER)
    tree.run("apply")
    assert tree.run("revert").returncode == 0
    assert tree.files() == STOCK


def test_revert_takes_back_a_diff_of_an_older_fpga_nova(tree: Tree) -> None:
    tree.run("apply")
    tree.rediff(NEWER)
    assert tree.run("revert").returncode == 0
    assert tree.files() == STOCK


def test_nova_that_was_reinstalled_is_stock_and_can_be_patched_again(tree: Tree) -> None:
    tree.run("apply")
    for name, text in STOCK.items():
        (tree.nova / name).write_text(text)
    assert tree.run("status").returncode == 1
    assert tree.run("apply").returncode == 0
    assert tree.files() == PATCHED


def test_revert_is_content_with_a_nova_that_was_upgraded_to_an_unknown_release(tree: Tree) -> None:
    tree.run("apply")
    for name in STOCK:
        (tree.nova / name).write_text("# another release\n")
    tree.release("9.9.9")
    assert tree.run("revert").returncode == 0
    assert set(tree.files().values()) == {"# another release\n"}


def test_status_is_reported_as_json(tree: Tree) -> None:
    tree.run("apply")
    report = json.loads(tree.run("status", "--format", "json").stdout)
    assert (report["exit"], report["state"], report["version"]) == (0, "patched", "1.2.3")


def test_failure_is_reported_as_json(tree: Tree) -> None:
    tree.release("9.9.9")
    result = tree.run("apply", "--format", "json")
    report = json.loads(result.stdout)
    assert (result.returncode, report["exit"]) == (3, 3)
    assert report["error"].startswith("no diff for Nova 9.9.9")


def test_second_run_at_the_same_time_is_refused(tree: Tree) -> None:
    folder = tree.nova.parent / ".fpga-patch"
    folder.mkdir()
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "another fpga-patch is at work" in refused(tree, 8, "apply")


def test_verify_finds_a_lost_copy(tree: Tree) -> None:
    tree.run("apply")
    assert tree.run("verify").returncode == 0
    (tree.nova.parent / ".fpga-patch/stock/claims.py").unlink()
    result = tree.run("verify")
    assert result.returncode == 1
    assert "lacks the shipped claims.py" in result.stdout
