# SPDX-License-Identifier: Apache-2.0
"""Runs a service such that it is killed at the point that a file names.

    python -P -m tests.support.mortal FILE nova-compute|fpga-api ARGUMENT ...

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

#: What the points of nova-compute are before, within or after, by name.
STEPS = {
    "claim": f"{_TRACKER}.instance_claim",
    "move claim": f"{_TRACKER}.resize_claim",
    "burn": "fpga_hooks.program.root:run",
    "save": "fpga_nova.column:write",
    "spawn": "{driver}.spawn",
    "finish migration": "{driver}.finish_migration",
    "destroy": "{driver}.destroy",
    "erase": "fpga_hooks.program.root:run",
    "hold": "fpga_hooks.program.root:run",
    "replace": "fpga_hooks.program.root:run",
    "record a program": "fpga_hooks.service.programs:_begin",
    "record its end": "fpga_hooks.service.programs:_write",
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

#: Those of fpga-api, its engine included.
API_STEPS = {
    "add a claim": "fpga_api.db.claims:add",
    "allocate": "fpga_api.claims.allocations:Allocations.allocate",
    "note programming": "fpga_api.db.claims:change",
    "ask to hold": "fpga_api.hosts.calls:Calls.call",
    "note active": "fpga_api.db.claims:change",
    "note releasing": "fpga_api.db.claims:change",
    "ask to release": "fpga_api.hosts.calls:Calls.call",
    "free": "fpga_api.claims.allocations:Allocations.free",
    "note released": "fpga_api.db.claims:change",
    "note expired": "fpga_api.db.claims:change",
    "add a program": "fpga_api.db.programs:add",
    "ask to program": "fpga_api.hosts.calls:Calls.call",
    "note done": "fpga_api.db.programs:change",
    "add a session": "fpga_api.db.opencl_sessions:add",
    "allocate a session": "fpga_api.claims.allocations:Allocations.take",
    "note session active": "fpga_api.db.opencl_sessions:change",
    "note session closing": "fpga_api.db.opencl_sessions:change",
    "note session closed": "fpga_api.db.opencl_sessions:change",
    "give leases": "fpga_api.opencl.nodes:beat",
}

#: Steps that share a function, by a word and the argument that has it: its place, or its name.
_COMMAND, _METHOD, _STATE = 0, 2, "state"
WORDS: dict[str, tuple[int | str, str]] = {
    "burn": (_COMMAND, "burn"),
    "erase": (_COMMAND, "erase"),
    "hold": (_COMMAND, "hold"),
    "replace": (_COMMAND, "replace"),
    "ask to hold": (_METHOD, "hold"),
    "ask to release": (_METHOD, "release"),
    "ask to program": (_METHOD, "program"),
    "note programming": (_STATE, "programming"),
    "note active": (_STATE, "active"),
    "note releasing": (_STATE, "releasing"),
    "note released": (_STATE, "released"),
    "note expired": (_STATE, "expired"),
    "note done": (_STATE, "done"),
    "note session active": (_STATE, "active"),
    "note session closing": (_STATE, "closing"),
    "note session closed": (_STATE, "closed"),
}

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
            if not _concerns(name, arguments, more):
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


def _concerns(step: str, arguments: tuple[typing.Any, ...], more: dict[str, typing.Any]) -> bool:
    """Whether a call of a function that steps share is one of a step."""
    if step not in WORDS:
        return True
    which, word = WORDS[step]
    found = more.get(which) if isinstance(which, str) else arguments[which]
    return found == word or (isinstance(found, list | tuple) and word in found)


def main() -> None:
    """Arm the points and become the service."""
    file, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    points = Points(file)
    if program == "fpga-api":
        from fpga_api.command import serve

        for name, target in API_STEPS.items():
            points.arm(name, target)
        sys.exit(serve.main())
    from nova.cmd import compute
    from nova.virt import fake  # noqa: F401 - before its methods are replaced

    driver = os.environ["VIRT_DRIVER"]
    for name, target in STEPS.items():
        points.arm(name, target.format(driver=driver))
    compute.main()


if __name__ == "__main__":
    main()
