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
#: Actions whose messages are the result of a playbook.
DEBUG = ("debug", "ansible.builtin.debug")
#: What a run has done, by its playbook, where it is more than the sum of its phases.
ENDINGS = {"demo.yml": "The cloud is up", "deploy.yml": "The cloud is up"}


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
        self._ending = "Done"

    def v2_playbook_on_start(self, playbook: typing.Any) -> None:
        """Note what the run is for."""
        self._ending = ENDINGS.get(Path(playbook._file_name).name, self._ending)

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
        """Note whether the phase changed anything; print what the playbook has to say."""
        # As Ansible's own recap counts it; is_changed() counts some results that are none.
        answer = _answer(result)
        self._changed = self._changed or bool(answer.get("changed"))
        if result.task.action in DEBUG:
            lines = answer.get("msg", "")
            clear = "\r\033[K" if self._live else ""
            print(clear + "\n".join(lines if isinstance(lines, list) else [str(lines)]), flush=True)

    def v2_runner_on_failed(self, result: typing.Any, ignore_errors: bool = False) -> None:
        """Say what failed and why, with the end of the phase's logs."""
        if ignore_errors:
            return
        self._failed = True
        text, host = _reason(_answer(result)), result.host.get_name()
        where = "" if host == "localhost" else f" on {host}"
        print(f"\n\nError: {self._phase}: {result.task.get_name()} failed{where}")
        print("\n".join(f"  {line}" for line in text.splitlines()), flush=True)
        if "the end of /" in text:
            return
        logs = self._logs(self._folder(result))
        # The logs are here if the host is.
        if not where:
            for log in logs:
                self._show(log)
        elif logs:
            print(f"\nThe logs are on {host}: {', '.join(map(str, logs))}", flush=True)

    def v2_runner_on_unreachable(self, result: typing.Any) -> None:
        """A host that cannot be reached is a failure like any other."""
        self.v2_runner_on_failed(result)

    def v2_playbook_on_stats(self, stats: typing.Any) -> None:
        """The last phase has ended."""
        self._end_phase()
        self._recap(stats)
        if not self._failed:
            print(f"{self._ending} after {time.monotonic() - self._begin:.1f} s", flush=True)

    @staticmethod
    def _recap(stats: typing.Any) -> None:
        """Ansible's own count of each host, where there is more than this machine."""
        for host in sorted(set(stats.processed) - {"localhost"}):
            count = stats.summarize(host)
            failed = count["failures"] + count["unreachable"]
            print(f"   {host:<30} {count['ok']} ok, {count['changed']} changed, {failed} failed")

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

    @staticmethod
    def _folder(result: typing.Any) -> Path:
        """The cloud's folder: the host's variable in the inventory, else the demo's."""
        demo = os.environ.get("DEMO_DIR") or "/var/lib/fpga-nova/demo"
        return Path(result.host.get_vars().get("demo_dir") or demo)

    def _logs(self, folder: Path) -> list[Path]:
        return [folder / f"log/{name}.log" for name in self._play.vars.get("phase_logs", [])]

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
