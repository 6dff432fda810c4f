# SPDX-License-Identifier: Apache-2.0
"""Brings the byte code of changed files up to date.

Python takes old byte code for current where the source has the same time and size, and both may be
the same: hence the old is removed first, whichever Python wrote it.
"""

import collections.abc
import pathlib
import subprocess
import sys


def refresh(nova: pathlib.Path, files: collections.abc.Sequence[pathlib.Path]) -> None:
    """Remove the byte code of these files and have Nova's own Python compile them.

    Where that Python is not found, services compile for themselves, at each start.
    """
    for path in files:
        for old in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            old.unlink(missing_ok=True)
    python = interpreter(nova)
    if python is not None and files:
        command = [str(python), "-m", "compileall", "-q", *map(str, files)]
        subprocess.run(command, check=False, capture_output=True)


def interpreter(nova: pathlib.Path) -> pathlib.Path | None:
    """The Python that imports this Nova, None where it is not known.

    That of the virtual environment ``PREFIX/lib/python3.X/site-packages``; Debian's for
    ``dist-packages``; this one where it is installed in the same folder.
    """
    packages = nova.parent
    if packages == pathlib.Path("/usr/lib/python3/dist-packages"):
        return _existing(pathlib.Path("/usr/bin/python3"))
    if str(packages) in sys.path:
        return pathlib.Path(sys.executable)
    if packages.name in ("site-packages", "dist-packages"):
        return _existing(packages.parents[2] / "bin" / packages.parent.name)
    return None


def _existing(path: pathlib.Path) -> pathlib.Path | None:
    return path if path.exists() else None
