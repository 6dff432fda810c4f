# SPDX-License-Identifier: Apache-2.0
"""Has the connections to a server's FPGA regions closed while its container is paused.

CRIU dumps no process that is connected to something outside its container. A region's emulator
closes its end, and serves whoever connects once the container goes on: the server and its clones,
each its own region.
"""

import subprocess
import typing

from novadocker.live import criu
from novadocker.live.settings import Settings

#: Seconds that fpga-cli may take: the container stands still meanwhile.
_PATIENCE = 10


def disconnect(settings: Settings, owner: str | None) -> str | None:
    """Close the connections to the regions that an owner holds, where their drivers do so.

    :param owner: None if it has no regions
    :returns: why they may be open still; None if there is no reason
    """
    if owner is None or settings.fpga_cli is None:
        return None
    argv = [str(settings.fpga_cli), "disconnect", "--owner", owner]
    try:
        finished = subprocess.run(  # noqa: S603 - root's own program
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            env=criu.PLAIN,
        )
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"{settings.fpga_cli} did not close them: {e}"
    return None if finished.returncode == 0 else _last_line(finished)


def _last_line(finished: "subprocess.CompletedProcess[typing.Any]") -> str:
    lines = str(finished.stderr).strip().splitlines() or [f"exit status {finished.returncode}"]
    return lines[-1].removeprefix("Error: ")[-300:]
