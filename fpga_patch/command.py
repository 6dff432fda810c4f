# SPDX-License-Identifier: Apache-2.0
"""fpga-patch: puts the diff into an installed Nova, takes it back, tells whether it is there.

A file that is neither as Nova shipped it nor as the diff leaves it belongs to somebody else, and
nothing is touched.

Exit status: 0 done (status: patched); 1 status, verify: not so; 2 wrong usage; 3 no Nova, or a
release without a diff; 4 files changed by somebody else; 5 it failed, nothing is changed; 6 a run
was killed, apply or revert settles it; 7 doctor: something is missing; 8 another run is at work.
"""

import argparse
import collections.abc
import dataclasses
import json
import os
import pathlib
import sys
import typing

from oslo_config import cfg

from fpga_nova.version import ShowVersion
from fpga_patch import configure, doctor, errors, foreign, releases, verify, work
from fpga_patch.doctor import finding


class Run:
    """One call of the command: what it is to do, and what it says."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        nova = releases.find_nova(arguments.site_packages)
        self.work = work.Work(nova, arguments.tests, arguments.patches, arguments.state_dir)
        self.answer: dict[str, typing.Any] = {"nova": str(nova)}

    def status(self) -> int:
        """Tell the state."""
        view = self._look()
        work.refuse_foreign(view)
        self._say(*(f"{part.diff.file.name}: {part.state} in {view.nova}" for part in view.parts))
        if view.was_upgraded:
            self._say(f"Nova {view.record.nova} was patched; {view.version} is installed since")
        if view.interrupted:
            self._say("a run was killed: 'fpga-patch apply' or 'revert' finishes or undoes it")
            return errors.InterruptedRunError.code
        return int(view.state != "patched")

    def plan(self) -> int:
        """Tell what apply would change, and why with this diff."""
        view = self._look()
        work.refuse_foreign(view)
        self._say(f"Nova {view.version} in {view.nova}")
        if view.interrupted:
            self._say("a run was killed: its files are first finished or undone")
            return errors.InterruptedRunError.code
        for part in view.parts:
            self._say(
                f"{part.diff.file.name} serves {view.version}; its {len(part.files)} files are "
                f"{_WHY[part.state]}"
            )
            if part.state != "patched":
                self._say(*(f"  change {view.nova / name}" for name in part.files))
        if view.state == "patched":
            self._say("nothing to do")
        else:
            self._say(f"copies of the files before go to {self.work.store.stock}")
        if self.arguments.configure:
            self._plan_configuration()
        return 0

    def _plan_configuration(self) -> None:
        files = configure.files(self.settings(), self.roles())
        self.answer["configuration"] = {str(path): text for path, text in files.items()}
        for path, text in files.items():
            self._say(f"write {path}:", *(f"  {line}" for line in text.splitlines()))

    def apply(self) -> int:
        """Patch."""
        self._look()
        before, now = self.work.apply()
        self._report(now)
        for part, was in zip(now.parts, before.parts, strict=True):
            already = "already" if was.state == "patched" else "now"
            self._say(f"{part.diff.file.name}: patched {already} in {now.nova}")
        if before.state != "patched":
            self._say("restart Nova's services: they still run the old code")
        if self.arguments.configure:
            written, skipped = configure.write(
                self.work.store, configure.files(self.settings(), self.roles())
            )
            self._report_files("written", written, skipped)
        return 0

    def settings(self) -> doctor.Settings:
        """Nova's configuration.

        :raises errors.PatchError: it cannot be read
        """
        try:
            return doctor.Settings(self.work.nova, self.arguments.etc, self.arguments.user)
        except cfg.Error as e:
            raise errors.PatchError(f"Nova's configuration cannot be read: {e}") from e

    def roles(self) -> list[str]:
        """What this host is."""
        return self.arguments.role or doctor.roles_of(self.settings().programs)

    def doctor(self) -> int:
        """Tell what is missing."""
        view = self._look()
        level: finding.Level = "ok" if view.state == "patched" else "missing"
        remedy = None if view.state == "patched" else "fpga-patch apply"
        found = [finding.Finding("patch", level, f"{view.nova} is {view.state}", remedy)]
        found += doctor.examine(self.settings(), self.roles())
        self.answer["findings"] = [dataclasses.asdict(one) for one in found]
        self._say(*(line for one in found for line in one.lines()))
        missing = any(one.level == "missing" for one in found)
        return errors.MISSING if missing else 0

    def revert(self) -> int:
        """Take the patch back."""
        changed = self.work.revert()
        self.answer |= {"state": "stock", "changed": changed}
        how = f"stock now ({len(changed)} files)" if changed else "stock already"
        self._say(f"{how} in {self.work.nova}")
        self._report_files("removed", *configure.remove(self.work.store))
        return 0

    def verify(self) -> int:
        """Look closer than status does."""
        view = self._look()
        if view.interrupted:
            return self.status()
        work.refuse_foreign(view)
        found = verify.problems(view, self.work.store)
        self.answer["problems"] = found
        self._say(*found or [f"all is as the diff leaves it in {view.nova}"])
        return int(bool(found))

    def _look(self) -> work.View:
        view = self.work.look()
        self._report(view)
        if view.state == "foreign":
            stock = self.work.store.stock
            self.answer["foreign"] = [*foreign.show(view, stock, self.arguments.reference)]
        return view

    def _report(self, view: work.View) -> None:
        self.answer |= {
            "version": view.version,
            "state": view.state,
            "parts": [
                {"diff": part.diff.file.name, "state": part.state, "files": part.files}
                for part in view.parts
            ],
            "patched_release": view.record.nova or None,
            "applied": view.record.applied or None,
        }

    def _report_files(
        self, what: str, changed: list[pathlib.Path], skipped: list[pathlib.Path]
    ) -> None:
        self.answer["configuration"] = {what: [*map(str, changed)], "left": [*map(str, skipped)]}
        self._say(
            *(f"{what}: {path}" for path in changed),
            *(f"left as it is, because somebody else changed it: {path}" for path in skipped),
        )

    def _say(self, *lines: str) -> None:
        if lines and self.arguments.format == "text":
            print("\n".join(lines))


_WHY: dict[work.TreeState, str] = {
    "stock": "as this release shipped them",
    "patched": "patched already",
    "older": "as the diff of another fpga-nova left them, and copies of the shipped ones are kept",
}

_COMMANDS: dict[str, tuple[collections.abc.Callable[[Run], int], str]] = {
    "status": (Run.status, "show whether Nova is patched"),
    "plan": (Run.plan, "show what apply would change"),
    "apply": (Run.apply, "patch Nova; if it is patched, change nothing"),
    "verify": (Run.verify, "compare all files with the diff, byte code and our packages included"),
    "revert": (Run.revert, "restore Nova's own files"),
    "doctor": (Run.doctor, "list what this host still lacks, and the command that adds it"),
}


def main(argv: collections.abc.Sequence[str] | None = None) -> int:
    """Run the command line."""
    arguments = _parser().parse_args(argv)
    os.umask(0o022)  # a stricter one would hide new files from the services
    answer: dict[str, typing.Any] = {}
    try:
        run = Run(arguments)
        answer = run.answer
        code = arguments.run(run)
    except errors.PatchError as e:
        code, answer["error"] = e.code, str(e)
        if arguments.format == "text":
            print(f"Error: fpga-patch - {e}", *answer.get("foreign", []), sep="\n", file=sys.stderr)
    if arguments.format == "json":
        print(json.dumps({"exit": code} | answer, indent=2))
    return typing.cast(int, code)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--site-packages",
        type=pathlib.Path,
        metavar="DIR",
        help="the folder that holds nova/ (default: the one this interpreter imports, else the "
        "distribution's)",
    )
    common.add_argument(
        "--tests", action="store_true", help="also the companion diff for Nova's own tests"
    )
    common.add_argument("--format", choices=("text", "json"), default="text")
    common.add_argument(
        "--state-dir",
        type=pathlib.Path,
        metavar="DIR",
        help="the folder of the copies and the journal (default: "
        "/var/lib/fpga-nova/patch-backup for a distribution's Nova, .fpga-patch beside any other)",
    )
    common.add_argument(
        "--reference",
        type=pathlib.Path,
        metavar="DIR",
        help="a folder nova/ as shipped, to compare foreign changes with",
    )
    common.add_argument(
        "--etc",
        type=pathlib.Path,
        metavar="DIR",
        default=pathlib.Path("/etc/nova"),
        help="the folder of Nova's configuration (default: %(default)s)",
    )
    common.add_argument(
        "--user", default="nova", help="the user of Nova's services (default: %(default)s)"
    )
    common.add_argument(
        "--role",
        action="append",
        choices=tuple(doctor.CHECKS),
        help="the role of this host; may be repeated (default: by its services)",
    )
    common.add_argument(
        "--patches", type=pathlib.Path, default=releases.PATCHES, help=argparse.SUPPRESS
    )
    parser = argparse.ArgumentParser(
        prog="fpga-patch", description="Patch an installed Nova, or revert the patch."
    )
    parser.add_argument("--version", action=ShowVersion)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (run, what) in _COMMANDS.items():
        verb = verbs.add_parser(name, parents=[common], help=what)
        verb.set_defaults(run=run)
        if name in ("plan", "apply"):
            verb.add_argument(
                "--configure", action="store_true", help="also write configuration files of our own"
            )
    return parser


if __name__ == "__main__":
    sys.exit(main())
