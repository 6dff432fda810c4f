# SPDX-License-Identifier: Apache-2.0
"""Compiles models in the background, for the next burn: one at a time, behind everything else.

Started by a burn, in a session of its own; ends when nothing is left to compile. A second one ends
at once. Whatever ends it, ends what it runs and removes what that made.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import types
import typing
from pathlib import Path

from fpga_nova.deadline import Deadline
from fpga_regions.emulator.models import Models
from fpga_regions.emulator.sandbox import Sandbox
from fpga_regions.system import locks, processes

RECORD = "compiler"
_LOCK = "compiler.lock"
_NICENESS = 19


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the driver decides.

    :param folder: of the models
    :param work: where they are made
    :param uid: as whom, if root runs it
    :param timeout: seconds for one model
    :param max_size: bytes of all models
    """

    folder: str
    work: str
    uid: int
    timeout: int
    max_size: int

    def models(self, niceness: int = 0) -> Models:
        """The models that these settings are about."""
        box = Sandbox(Path(self.work), self.uid, niceness=niceness)
        return Models(Path(self.folder), self.max_size, box)


def start(settings: Settings) -> None:
    """Have the queued netlists compiled, and do not wait."""
    if not settings.models().queue():
        return
    null = subprocess.DEVNULL
    subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-I", "-m", __name__, json.dumps(dataclasses.asdict(settings))],
        stdin=null,
        stdout=null,
        stderr=null,
        start_new_session=True,
        cwd="/",
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
    )


def main(arguments: list[str]) -> int:
    """Compile until nothing is left; exit status."""
    settings = Settings(**json.loads(arguments[0]))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _end)
    folder = Path(settings.folder)
    models = settings.models(_NICENESS)
    # What another one queued while this one was about to end must be compiled, too.
    while models.queue():
        try:
            with locks.held(folder / _LOCK):
                _work(folder, models, settings.timeout)
        except locks.NotLocked:
            return 0
    return 0


def _work(folder: Path, models: Models, timeout: int) -> None:
    record = folder / RECORD
    process = processes.identify(os.getpid())
    if process is not None:
        record.write_text(json.dumps(dataclasses.asdict(process)))
    try:
        for source in models.queue():
            models.compile(source, Deadline(timeout))
    finally:
        record.unlink(missing_ok=True)


def _end(number: int, _frame: types.FrameType | None) -> typing.NoReturn:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
