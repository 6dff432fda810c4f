# SPDX-License-Identifier: Apache-2.0
"""Runs nova-compute such that it is killed at the point that a file names.

    python -P -m tests.support.mortal FILE NOVA-COMPUTE-ARGUMENT ...

FILE names a point, "name:before", "name:within" or "name:after"; the first thread that comes to
it removes the file and kills the process as ``kill -9`` does. "within" is a moment after "before".
After "name:before;SIGSTOP" the process is halted there instead.
"""

import functools
import importlib
import os
import pathlib
import signal
import sys
import threading
import typing

_TRACKER = "nova.compute.resource_tracker:ResourceTracker"
_NETWORK = "novadocker.network"
_SANDBOXES = f"{_NETWORK}.sandboxes:Sandboxes"

#: What the points are before, within or after, by name.
STEPS = {
    "claim": f"{_TRACKER}.instance_claim",
    "move claim": f"{_TRACKER}.resize_claim",
    "burn": "fpga_hooks.program.root:run",
    "save": "fpga_nova.column:write",
    "spawn": "{driver}.spawn",
    "finish migration": "{driver}.finish_migration",
    "destroy": "{driver}.destroy",
    "erase": "fpga_hooks.program.root:run",
    "release": f"{_TRACKER}.update_usage",
    "offload": f"{_TRACKER}.delete_allocation_for_shelve_offloaded_instance",
    "drop claim": f"{_TRACKER}.drop_move_claim_at_source",
    "make sandbox": f"{_SANDBOXES}.make",
    "start sandbox": f"{_SANDBOXES}.start",
    "record port": f"{_NETWORK}.records:add",
    "make interface": f"{_NETWORK}.links:make",
    "plug port": "os_vif:plug",
    "connect interface": f"{_NETWORK}.links:connect",
    "load image": "novadocker.images:ensure",
    "make container": "novadocker.containers:Containers.create",
    "stop sandbox": f"{_SANDBOXES}.stop",
    "remove sandbox": f"{_SANDBOXES}.remove",
    "remove interface": f"{_NETWORK}.links:remove",
    "unplug port": "os_vif:unplug",
    "forget port": f"{_NETWORK}.records:remove",
}

#: Steps that share a function are told apart by a word among its arguments.
WORDS = {"burn": "burn", "erase": "erase"}

WITHIN = 0.15  # seconds


class Points:
    """Kills this process where the file says."""

    def __init__(self, file: pathlib.Path) -> None:
        self._file = file

    def arm(self, name: str, target: str) -> None:
        """Have a function be a step of this name."""
        module, _, path = target.partition(":")
        holder = importlib.import_module(module)
        *classes, function = path.split(".")
        for one in classes:
            holder = getattr(holder, one)
        real = getattr(holder, function)

        @functools.wraps(real)
        def call(*arguments: typing.Any, **more: typing.Any) -> typing.Any:
            word = WORDS.get(name)
            if word is not None and word not in arguments[0]:
                return real(*arguments, **more)
            self._passed(f"{name}:before")
            if self._target()[:1] == [f"{name}:within"]:
                threading.Timer(WITHIN, self._kill, [signal.SIGKILL]).start()
            result = real(*arguments, **more)
            self._passed(f"{name}:after")
            return result

        setattr(holder, function, call)

    def _target(self) -> list[str]:
        """The point in the file and, if the process is not to be killed, the signal; or nothing."""
        try:
            return self._file.read_text().split(";")
        except FileNotFoundError:
            return []

    def _passed(self, point: str) -> None:
        target = self._target()
        if target[:1] == [point]:
            self._kill(signal.Signals[target[1]] if len(target) > 1 else signal.SIGKILL)

    def _kill(self, number: signal.Signals) -> None:
        self._file.unlink()
        os.kill(os.getpid(), number)


def main() -> None:
    """Arm the points and become nova-compute."""
    file = pathlib.Path(sys.argv[1])
    sys.argv = ["nova-compute", *sys.argv[2:]]
    from nova.cmd import compute
    from nova.virt import fake  # noqa: F401 - before its methods are replaced

    points = Points(file)
    driver = os.environ["VIRT_DRIVER"]
    for name, target in STEPS.items():
        points.arm(name, target.format(driver=driver))
    compute.main()


if __name__ == "__main__":
    main()
