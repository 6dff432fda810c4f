#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the entry of patches/releases.toml for diffs and the Nova they were made for.

    patch_table.py VERSION FOLDER > entry

FOLDER is the package ``nova`` of that version as shipped; it is copied, not changed.
"""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PATCHES = pathlib.Path(__file__).resolve().parent.parent / "patches"


def main() -> int:
    """Run the command line."""
    if len(sys.argv) != 3:
        print("usage: patch_table.py VERSION FOLDER", file=sys.stderr)
        return 2
    version, shipped = sys.argv[1], pathlib.Path(sys.argv[2])
    print(f'[[release]]\nversions = ["{version}"]')
    with tempfile.TemporaryDirectory() as scratch:
        nova = pathlib.Path(shutil.copytree(shipped, pathlib.Path(scratch, "nova")))
        for table, suffix in (("diff", ""), ("tests", "-tests")):
            _print_part(table, PATCHES / f"nova-{version}{suffix}.patch", nova)
    return 0


def _print_part(table: str, diff: pathlib.Path, nova: pathlib.Path) -> None:
    names = re.findall(r"^\+\+\+ b/(\S+)$", diff.read_text(), re.MULTILINE)
    before = {name: _digest(nova / name) for name in names}
    command = ["patch", "-Np1", "-F0", "-s", "-r", "-", "--no-backup-if-mismatch", "-i", str(diff)]
    subprocess.run(command, cwd=nova, check=True)
    print(f'\n[release.{table}]\nfile = "{diff.name}"\n\n[release.{table}.files]')
    for name in names:
        print(f'"{name}" = [\n    "{before[name]}",\n    "{_digest(nova / name)}",\n]')


def _digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
