# SPDX-License-Identifier: Apache-2.0
"""A virtual environment with one series of Nova, and the tests that are run in it."""

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent

#: The series whose lock file is that of all our tests.
_NEWEST = 34
#: Up to 2025.1 Nova's tests want eventlet's green threads; later ones run without.
_LAST_WITH_EVENTLET = 33

_RESULT = re.compile(
    r"^\{\d+\} (\S+)(?: \[[\d.]+s\])? \.\.\. (ok|FAILED|SKIPPED|\w+)", re.MULTILINE
)
_SUMMARY = re.compile(r"^(?:=+ )?(\d+ (?:passed|failed).*?) in [\d.]+s", re.MULTILINE)

#: Seconds after which a run of tests is taken for hung; the longest take half of it.
_TIMEOUT = 1800


class Suite(typing.NamedTuple):
    """Tests of Nova's own.

    :ivar folder: below tests/; its module names those of Nova's
    :ivar longest: seconds after which a run is taken for hung
    :ivar like: a regular expression that the names of the tests match
    """

    title: str
    folder: str
    longest: int = _TIMEOUT
    like: str = ""


NOVA_UNIT = Suite("Nova's", "nova_unit")
NOVA_FUNCTIONAL = Suite("Nova's functional", "nova_functional", 4 * _TIMEOUT)


class StepError(Exception):
    """A step of the matrix did not go as it should."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What Nova's own tests came to."""

    passed: frozenset[str]
    failed: frozenset[str]
    skipped: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        """All tests that ran."""
        return self.passed | self.failed | self.skipped

    def of(self, test: str) -> str:
        """What became of a test."""
        found = {"passed": self.passed, "failed": self.failed, "skipped": self.skipped}
        return next((result for result, names in found.items() if test in names), "missing")

    def __str__(self) -> str:
        counts = f"{len(self.passed)} passed, {len(self.failed)} failed"
        return f"{counts}, {len(self.skipped)} skipped" if self.skipped else counts


class Environment:
    """The environment of a series, below .tox/matrix."""

    def __init__(self, series: int) -> None:
        self.series = series
        self.folder = ROOT / ".tox" / "matrix" / str(series)
        self.python = self.folder / "bin" / "python"
        name = "test.txt" if series == _NEWEST else f"nova-{series}.txt"
        self.lock = ROOT / "requirements" / name

    def make(self) -> None:
        """Install the lock file and this checkout, unless that was done.

        :raises StepError: it cannot be installed
        """
        stamp = self.folder / "lock.sha256"
        digest = hashlib.sha256(self.lock.read_bytes()).hexdigest()
        if not stamp.is_file() or stamp.read_text() != digest:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._uv("venv", "--quiet", "--python", "python3.11", str(self.folder))
            self._uv(*self._install, *self._locked)
            self._uv(*self._install, "--no-deps", "--editable", str(ROOT))
            stamp.write_text(digest)
        elif self.patch("revert", check=False).returncode:
            self._uv(*self._install, "--no-deps", "--reinstall-package=nova", *self._locked)

    @property
    def _install(self) -> tuple[str, ...]:
        return ("pip", "install", "--quiet", "--python", str(self.python))

    @property
    def _locked(self) -> tuple[str, ...]:
        return ("--require-hashes", "-r", str(self.lock))

    def digests(self) -> dict[str, str]:
        """The SHA-256 of every source file of the installed Nova."""
        nova = next(self.folder.glob("lib/python3*/site-packages/nova"))
        return {
            str(path.relative_to(nova)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in nova.rglob("*.py")
        }

    def patch(self, command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Apply the diffs, or take them back.

        :raises StepError: it failed, and shall not
        """
        result = self._run("patch", [str(self.folder / "bin" / "fpga-patch"), command, "--tests"])
        if check and result.returncode:
            raise StepError(f"{command} failed: {result.stdout.strip()}")
        return result

    def pytest(
        self,
        name: str,
        what: typing.Sequence[str],
        native_threads: bool | None = None,
        longest: tuple[int, int] = (300, _TIMEOUT),
    ) -> str:
        """Run tests of our own; pytest's last line.

        :param native_threads: run them without eventlet; what the series' own tests want if None
        :param longest: seconds after which a test, and all of them, are taken for hung
        :raises StepError: not all pass, or they take too long
        """
        # nova.cmd first, as in each service: it decides for threads or eventlet before others do.
        options = ["-q", "-p", "no:cacheprovider", "-p", "nova.cmd", f"--timeout={longest[0]}"]
        command = [str(self.python), "-m", "pytest", *options, *what]
        result = self._run(name, command, native_threads, longest[1])
        summaries = _SUMMARY.findall(result.stdout)
        if result.returncode or not summaries:
            raise StepError(
                f"{name} tests: {summaries[-1] if summaries else 'none ran'}; see {self._log(name)}"
            )
        return str(summaries[-1])

    def nova_tests(self, suite: Suite, tree: str, only: typing.Collection[str] = ()) -> Outcome:
        """Run tests of Nova's own, or the named ones of these.

        :param tree: what is installed, for the names of logs
        :raises StepError: none ran, or they take too long
        """
        name = f"{suite.folder}-{tree}"
        repository = self.folder / f"stestr-{name}"
        shutil.rmtree(repository, ignore_errors=True)
        repository.mkdir()
        workers = os.environ.get("NOVA_TESTS_CONCURRENCY", "2")
        where = ["--repo-url", str(repository), "--test-path", f"tests/{suite.folder}"]
        command = ["stestr", *where, "--top-dir", ".", "run", "--concurrency", workers]
        if only:
            chosen = self.folder / "only.txt"
            chosen.write_text("\n".join(sorted(only)) + "\n")
            command += ["--load-list", str(chosen)]
        elif suite.like:
            command.append(suite.like)
        outcome = self._run(name, command, longest=suite.longest)
        found: dict[str, set[str]] = {"ok": set(), "FAILED": set(), "SKIPPED": set()}
        for test, result in _RESULT.findall(outcome.stdout):
            found.setdefault(result, set()).add(test)
        if not found["ok"] | found["FAILED"]:
            raise StepError(f"none of Nova's tests ran; see {self._log(name)}")
        return Outcome(*(frozenset(found[result]) for result in ("ok", "FAILED", "SKIPPED")))

    def _log(self, name: str) -> pathlib.Path:
        return self.folder / f"{name}.log"

    def _run(
        self,
        name: str,
        command: list[str],
        native_threads: bool | None = None,
        longest: int = _TIMEOUT,
    ) -> "subprocess.CompletedProcess[str]":
        if native_threads is None:
            native_threads = self.series > _LAST_WITH_EVENTLET
        environment = os.environ | {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "OS_NOVA_DISABLE_EVENTLET_PATCHING": str(native_threads).lower(),
        }
        with self._log(name).open("w") as log:
            try:
                result = subprocess.run(
                    command,
                    cwd=ROOT,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    text=True,
                    check=False,
                    timeout=longest,
                )
            except subprocess.TimeoutExpired:
                raise StepError(f"{name} hangs after {longest} s; see {self._log(name)}") from None
        result.stdout = self._log(name).read_text(errors="replace")
        return result

    def _uv(self, *arguments: str) -> None:
        uv = ROOT / ".tools" / "bin" / "uv"
        environment = os.environ | {"UV_LINK_MODE": "copy", "UV_PYTHON_DOWNLOADS": "never"}
        result = subprocess.run(
            [str(uv) if uv.exists() else "uv", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise StepError(f"uv {arguments[0]} failed: {result.stderr.strip()}")
