# SPDX-License-Identifier: Apache-2.0
"""fpga-patch is killed before each change it makes to a disk; the next run leaves all or none."""

import os
import signal
import sys
import typing
from pathlib import Path

import pytest

from fpga_patch import command
from tests.unit.fpga_patch.tree import NEWER, PATCHED, STOCK, Tree

#: What Python tells an audit hook before it changes the disk.
_CHANGES = {"os.chmod", "os.chown", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.utime"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def _run(tree: Tree, verb: str, kill_at: int = 0) -> int | None:
    """The exit status of a run in a process of its own; None where it was killed."""
    child = os.fork()
    if child == 0:
        os.fsync = lambda descriptor: None  # it is the process that is lost here, not the power
        _arm(kill_at)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.dup2(null, 2)
        where = ["--site-packages", str(tree.nova.parent), "--patches", str(tree.patches)]
        os._exit(command.main([verb, *where]))
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else None


def _arm(kill_at: int) -> None:
    remainder = kill_at

    def hook(event: str, arguments: tuple[typing.Any, ...]) -> None:
        nonlocal remainder
        writes = event == "open" and (arguments[2] or 0) & _WRITING
        if event in _CHANGES or writes:
            remainder -= 1
            if remainder == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _kills(tmp_path: Path, verb: str, prepare: typing.Callable[[Tree], None]) -> list[Tree]:
    """A tree for each change that the run makes, killed just before that one."""
    trees = []
    while True:
        folder = tmp_path / str(len(trees))
        folder.mkdir()
        tree = Tree(folder)
        prepare(tree)
        if _run(tree, verb, kill_at=len(trees) + 1) is not None:
            return trees
        trees.append(tree)


def _as_shipped(tree: Tree) -> None:
    return


def _patched(tree: Tree) -> None:
    assert _run(tree, "apply") == 0


def _patched_by_an_older_diff(tree: Tree) -> None:
    _patched(tree)
    tree.rediff(NEWER)


CASES = [
    ("apply", _as_shipped, STOCK, PATCHED),
    ("revert", _patched, PATCHED, STOCK),
    ("apply", _patched_by_an_older_diff, PATCHED, NEWER),
    ("revert", _patched_by_an_older_diff, PATCHED, STOCK),
]
IDS = ["apply", "revert", "apply over an older diff", "revert an older diff"]


@pytest.mark.parametrize(("verb", "prepare", "before", "after"), CASES, ids=IDS)
def test_killed_run_is_reported_and_the_next_leaves_all_or_none(
    tmp_path: Path,
    verb: str,
    prepare: typing.Callable[[Tree], None],
    before: dict[str, str],
    after: dict[str, str],
) -> None:
    trees = _kills(tmp_path, verb, prepare)
    statuses = []
    opposite = {"apply": ("revert", STOCK), "revert": ("apply", trees[0].patched_texts)}[verb]
    for tree in trees:
        statuses.append(_run(tree, "status"))
        assert statuses[-1] == 6 or tree.files() in (before, after)
        for then, ends_as in ((verb, after), opposite):
            again = tree.copy()
            assert _run(again, then) == 0
            assert again.files() == ends_as  # and no file is left beside another
    assert statuses.count(6) > 3


def test_run_that_is_killed_while_it_undoes_is_undone_by_the_next(tmp_path: Path) -> None:
    trees = [tree for tree in _kills(tmp_path, "apply", _as_shipped) if _is_mixed(tree)]
    assert trees
    kill_at = 1
    for tree in trees:
        while _run(tree, "revert", kill_at) is None:
            kill_at += 1
        assert tree.files() == STOCK
    assert kill_at > 3


def _is_mixed(tree: Tree) -> bool:
    now = [tree.nova.joinpath(name).read_text() for name in ("claims.py", "db/models.py")]
    return now not in [[text["claims.py"], text["db/models.py"]] for text in (STOCK, PATCHED)]
