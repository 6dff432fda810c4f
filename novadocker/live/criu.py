# SPDX-License-Identifier: Apache-2.0
"""CRIU, by itself and as runc runs it."""

import os
import pathlib
import re
import subprocess
import tempfile
import typing

from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings

#: The first version that dumps a socket on Linux 6.16 and later.
LEAST = (4, 2)

#: What CRIU is to do beside what runc asks for. The connections of a clone close, because their
#: other ends are the source's; connections that nobody has accepted yet are left out.
_CONFIGURATION = "tcp-close\nskip-in-flight\n"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def version(program: pathlib.Path) -> str:
    """Its version.

    :raises LiveError: it is not there or too old
    """
    try:
        finished = subprocess.run(  # noqa: S603 - root's own program
            [program, "--version"], capture_output=True, text=True, timeout=60, env=PLAIN
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        raise LiveError(f"{program} cannot be run: {e}") from e
    found = re.search(r"^Version: (\d+)\.(\d+)(\S*)", finished.stdout, re.MULTILINE)
    if not found:
        raise LiveError(f"{program} does not say its version: {finished.stderr.strip()[-200:]}")
    if (int(found[1]), int(found[2])) < LEAST:
        raise LiveError(f"{program} is CRIU {found[1]}.{found[2]}{found[3]}, needs 4.2 or later")
    return f"{found[1]}.{found[2]}{found[3]}"


#: The environment of what root runs.
PLAIN = {"PATH": _PATH, "LANG": "C.UTF-8"}


class TimedOut(LiveError):
    """runc did not end in time, and was killed."""


def run_runc(
    settings: Settings,
    arguments: list[str],
    folder: pathlib.Path | None,
    before: typing.Sequence[str] = (),
    configuration: str = "",
    **options: object,
) -> "subprocess.CompletedProcess[bytes]":
    """Run runc, which finds this CRIU and no other.

    :param folder: root's alone; it gets what CRIU reads. None where runc needs no CRIU.
    :param before: the words before its command line
    :param configuration: more lines for CRIU
    :param options: of subprocess.run
    :raises TimedOut: it did not end in their `timeout`
    """
    environment = {**PLAIN, **(_for_criu(settings.criu, folder, configuration) if folder else {})}
    argv = [*before, os.fspath(settings.runc), *arguments]
    try:
        return subprocess.run(argv, env=environment, **options)  # type: ignore[call-overload,no-any-return] # noqa: S603
    except subprocess.TimeoutExpired as e:
        raise TimedOut(f"runc did not end within {e.timeout:.0f} seconds") from e


def _for_criu(program: pathlib.Path, folder: pathlib.Path, more: str) -> dict[str, str]:
    """runc looks for `criu` in PATH, and hands it no settings of ours."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="criu-", dir=folder))
    (place / "criu").symlink_to(program)
    configuration = place / "criu.conf"
    configuration.write_text(_CONFIGURATION + more)
    return {"PATH": f"{place}:{_PATH}", "CRIU_CONFIG_FILE": os.fspath(configuration)}


def complaint(log: pathlib.Path) -> str:
    """What CRIU gives as the reason in its log: its first errors."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return "it left no log"
    found = [line.partition("Error ")[2] for line in lines if "Error " in line]
    # Its limit of open files is no reason.
    reasons = [re.sub(r"^\([^)]*\): ", "", one).strip() for one in found if "RLIMIT" not in one]
    return "; ".join(reasons[:3]) or "it gives no reason"
