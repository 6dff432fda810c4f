# SPDX-License-Identifier: Apache-2.0
"""Shows a run as phases: what is being done, how long it took, and why it failed."""

import os
import sys
import time
import typing
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: phases
    type: stdout
    short_description: one line for each play, with what it took
    description: A play is a phase. A failure shows the end of the logs that the play names.
    options: {}
"""

#: Lines of a log that are shown when a phase fails.
TAIL = 20


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Prints to standard output; the task at work is shown only where a person is watching."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "phases"

    def __init__(self) -> None:
        super().__init__()
        self._live = sys.stdout.isatty()
        self._phase = ""
        self._task = ""
        self._start = self._begin = self._task_start = time.monotonic()
        self._changed = False
        self._failed = False
        self._play: typing.Any = None

    def v2_playbook_on_play_start(self, play: typing.Any) -> None:
        """A new phase begins."""
        self._end_phase()
        self._play = play
        self._phase, self._start, self._changed = play.get_name(), time.monotonic(), False
        if not self._live:
            print(f"-- {self._phase}", flush=True)

    def v2_playbook_on_task_start(self, task: typing.Any, is_conditional: bool) -> None:
        """Show what is being done, in the place of what was done before."""
        self._end_task()
        self._task, self._task_start = task.get_name(), time.monotonic()
        if self._live:
            print(f"\r\033[K-- {self._phase}: {task.get_name()[:60]}", end="", flush=True)

    v2_playbook_on_handler_task_start = v2_playbook_on_task_start

    def v2_runner_on_ok(self, result: typing.Any) -> None:
        """Note whether the phase changed anything."""
        # As Ansible's own recap counts it; is_changed() counts some results that are none.
        self._changed = self._changed or bool(_answer(result).get("changed"))

    def v2_runner_on_failed(self, result: typing.Any, ignore_errors: bool = False) -> None:
        """Say what failed and why, with the end of the phase's logs."""
        if ignore_errors:
            return
        self._failed = True
        text = _reason(_answer(result))
        print(f"\n\nError: {self._phase}: {result.task.get_name()} failed")
        print("\n".join(f"  {line}" for line in text.splitlines()), flush=True)
        if "the end of /" not in text:
            for log in self._logs():
                self._show(log)

    def v2_runner_on_unreachable(self, result: typing.Any) -> None:
        """A host that cannot be reached is a failure like any other."""
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats: typing.Any) -> None:
        """The last phase has ended."""
        self._end_phase()
        if not self._failed:
            print(f"The cloud is up after {time.monotonic() - self._begin:.1f} s", flush=True)

    def _end_task(self) -> None:
        if self._task and self._display.verbosity:
            print(f"   {time.monotonic() - self._task_start:6.2f} s  {self._task}", flush=True)
        self._task = ""

    def _end_phase(self) -> None:
        self._end_task()
        if not self._phase or self._failed:
            return
        duration = time.monotonic() - self._start
        what = "done" if self._changed else "as it was"
        clear = "\r\033[K" if self._live else ""
        print(f"{clear}   {self._phase:<45} {what:<10}{duration:6.1f} s", flush=True)

    def _logs(self) -> list[Path]:
        folder = Path(os.environ.get("DEMO_DIR") or "/var/lib/fpga-nova/demo") / "log"
        return [folder / f"{name}.log" for name in self._play.vars.get("phase_logs", [])]

    def _show(self, log: Path) -> None:
        if log.exists() and (lines := log.read_text(errors="replace").splitlines()[-TAIL:]):
            print(f"\nThe end of {log}:")
            print("\n".join(f"  {line}" for line in lines), flush=True)


def _answer(result: typing.Any) -> dict[str, typing.Any]:
    """What a module answered; ansible-core 2.19 made it public."""
    answer: dict[str, typing.Any] = result.result if hasattr(result, "result") else result._result
    return answer


def _reason(answer: dict[str, typing.Any]) -> str:
    """What a module said: its loop's failed items, its standard error, or its message."""
    failed = [item for item in answer.get("results", []) if item.get("failed")]
    if failed:
        return "\n".join(_reason(item) for item in failed)
    texts = [str(answer[key]).strip() for key in ("stdout", "stderr") if answer.get(key)]
    return "\n".join("\n".join(texts or [str(answer.get("msg", answer))]).splitlines()[-40:])
