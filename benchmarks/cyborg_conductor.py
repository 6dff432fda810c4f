#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cyborg's conductor, where an accelerator is programmed as a pause long before it is bound.

    cyborg_conductor.py FILE CONDUCTOR-ARGUMENT ...

FILE has the seconds. As a real programming of Cyborg's, the pause is a job of its own, for whose
end Nova waits; with 0, binding is instant. Cyborg's fake driver cannot program.
"""

import sys
import time
import typing
from pathlib import Path

from cyborg.cmd import conductor
from cyborg.objects.extarq.fpga_ext_arq import FPGAExtARQ

_bind = FPGAExtARQ.bind


def main() -> None:
    """Become the conductor."""
    file = Path(sys.argv.pop(1))

    def seconds() -> float:
        return float(file.read_text())

    def bind(request: typing.Any, context: typing.Any, deployable: typing.Any) -> typing.Any:
        time.sleep(seconds())
        return _bind(request, context, deployable)

    # What makes Cyborg bind in a job, if the accelerator asks for one, too.
    bind.is_job = True  # type: ignore[attr-defined]
    FPGAExtARQ.bind = bind
    FPGAExtARQ._need_extra_bind_job = lambda *_: seconds() > 0
    conductor.main()


if __name__ == "__main__":
    main()
