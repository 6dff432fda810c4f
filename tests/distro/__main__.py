# SPDX-License-Identifier: Apache-2.0
"""Tests in a Debian of their own, below FOLDER, as root.

    python3 -m tests.distro cloud FOLDER SUITE      a cloud of Debian's packages, patched and used
    python3 -m tests.distro package FOLDER SUITE    the Debian package installed, upgraded, removed

PYTHONPATH must have ``build_scripts``, and ``dist/`` what `make deb` makes. FOLDER keeps what was
downloaded, for the next run. Each step prints what it took; ``FOLDER/SUITE/NAME.log`` has every
command and what it printed, and after a failure ``FOLDER/SUITE/NAME`` is the root as it was.
"""

import argparse
import collections.abc
import contextlib
import fcntl
import pathlib
import subprocess
import sys
import time

from debian_roots import root

from tests.distro import package, stock, walk
from tests.distro.operator import Operator

WALKS: dict[str, collections.abc.Mapping[str, collections.abc.Callable[[Operator], None]]] = {
    "cloud": walk.STEPS,
    "package": package.STEPS,
}

_LOGS = "/var/log/nova"


@contextlib.contextmanager
def timed(what: str) -> collections.abc.Iterator[None]:
    """Print a step, and what it took."""
    start = time.monotonic()
    yield
    print(f"{time.monotonic() - start:6.1f} s  {what}", flush=True)


def main() -> int:
    """Walk.

    :returns: exit status, 1 if a step did not give what it should
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("walk", choices=WALKS)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("suite", help="Debian's name of the release, for example bookworm")
    options = parser.parse_args()
    folder = options.folder / options.suite
    folder.mkdir(parents=True, exist_ok=True)
    used = folder / options.walk
    with _alone(folder), timed("all of it"):
        with timed(f"Debian's {options.suite}, with the packages of a cloud"):
            stock_root = stock.make(folder, options.suite)
        with timed("a copy of it"):
            root.copy(stock_root, used)
        with stock.enter(used) as debian, used.with_suffix(".log").open("w") as log:
            if not _go(Operator(debian, log), WALKS[options.walk]):
                print(f"{log.name} has all that was done; the root is in {used}", file=sys.stderr)
                return 1
        root.remove(used)
    return 0


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> collections.abc.Iterator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"another run is at work in {folder}")
        yield


def _go(
    operator: Operator,
    steps: collections.abc.Mapping[str, collections.abc.Callable[[Operator], None]],
) -> bool:
    for name, step in steps.items():
        try:
            with timed(name):
                step(operator)
        except (AssertionError, LookupError, subprocess.CalledProcessError) as e:
            print(f"FAILED: {name}: {e}", file=sys.stderr)
            print(*(getattr(e, "output", None) or "").splitlines()[-40:], sep="\n", file=sys.stderr)
            found = f"grep -rhE ' (ERROR|CRITICAL) ' {_LOGS} 2> /dev/null | tail -n 40"
            print(operator.debian.run(found, check=False), file=sys.stderr)
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
