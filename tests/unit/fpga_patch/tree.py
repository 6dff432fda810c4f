# SPDX-License-Identifier: Apache-2.0
"""A small package ``nova``, as if installed, and diffs for it."""

import copy
import difflib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

STOCK = {
    "claims.py": "one = 1\ntwo = 2\n",
    "db/models.py": "# models\n",
    "other.py": "# not ours\n",
    "tests/test_claims.py": "# test\n",
}
PATCHED = STOCK | {"claims.py": "one = 1\nfpga = 3\ntwo = 2\n", "db/models.py": "# our models\n"}
WITH_TESTS = PATCHED | {"tests/test_claims.py": "# our test\n"}
#: What a later diff of ours makes of the same files.
NEWER = STOCK | {"claims.py": "one = 1\ntwo = 2\nfpga = 5\n", "db/models.py": "# our models\n"}


class Tree:
    """An installed package `nova` and the diffs for it."""

    def __init__(self, folder: Path) -> None:
        self.nova, self.patches = folder / "site" / "nova", folder / "patches"
        self.patches.mkdir()
        for name, text in STOCK.items():
            (self.nova / name).parent.mkdir(parents=True, exist_ok=True)
            (self.nova / name).write_text(text)
        self.release("1.2.3")
        self.rediff(PATCHED)

    def rediff(self, patched: dict[str, str]) -> None:
        """Have the diff make this of the files."""
        self.patched_texts = patched
        parts = (("diff", "nova.patch", STOCK, patched), ("tests", "t.patch", PATCHED, WITH_TESTS))
        table = '[[release]]\nversions = ["1.2.3"]\n'
        for part, file, before, after in parts:
            changed = [name for name in before if before[name] != after[name]]
            text = "".join(diff(name, before[name], after[name]) for name in changed)
            (self.patches / file).write_text(text)
            table += f'[release.{part}]\nfile = "{file}"\n[release.{part}.files]\n'
            for name in changed:
                table += f'"{name}" = [["{digest(before[name])}", "{digest(after[name])}"]]\n'
        (self.patches / "releases.toml").write_text(table)

    def copy(self) -> "Tree":
        """The same in another folder."""
        tree, folder = copy.copy(self), self.nova.parents[1]
        to = Path(tempfile.mkdtemp(prefix="copy", dir=folder.parent))
        shutil.copytree(folder, to, dirs_exist_ok=True)
        tree.nova, tree.patches = to / "site" / "nova", to / "patches"
        return tree

    def release(self, version: str | None) -> None:
        """Have this release be installed."""
        for old in self.nova.parent.glob("*.dist-info"):
            shutil.rmtree(old)
        if version is not None:
            folder = self.nova.parent / f"nova-{version}.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: nova\nVersion: {version}"
            )

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Call the tool."""
        where = ["--site-packages", str(self.nova.parent), "--patches", str(self.patches)]
        return subprocess.run(
            [sys.executable, "-m", "fpga_patch.command", *arguments, *where],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> dict[str, str]:
        """What is in the tree now, but for what Python itself compiled."""
        paths = [path for path in self.nova.rglob("*") if path.is_file() and path.suffix != ".pyc"]
        return {str(path.relative_to(self.nova)): path.read_text() for path in paths}


def diff(name: str, before: str, after: str) -> str:
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    return "".join(difflib.unified_diff(old, new, f"a/{name}", f"b/{name}"))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
