# SPDX-License-Identifier: Apache-2.0
"""Which suites the gate runs for a change and a day, and what it does with one that fails."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import gate
import pytest

from tests.support.host import wait_until

ROOT = Path(__file__).parents[3]
BUDGET = gate.read(ROOT / ".ci/budget.toml")
#: So many that each suite that rotates runs with each of its variants.
_COUNT = sum(suite.rotates for suite in BUDGET.suites)
_COUNT *= max(len(suite.variants) for suite in BUDGET.suites)
DAYS = range(739_000, 739_000 + _COUNT)
NOTHING: frozenset[str] = frozenset()
#: The same suites with room for all of them.
WIDE = dataclasses.replace(BUDGET, minutes=1000)


def names(changed: frozenset[str] | None, day: int) -> list[str]:
    return [suite.name for suite in BUDGET.choose(changed, day)]


def commands(changed: frozenset[str] | None, day: int, name: str) -> list[str]:
    return [suite.command for suite in BUDGET.choose(changed, day) if suite.name == name]


def _files(words: str) -> list[Path]:
    """The files of tests that a shell and pytest make of these words."""
    paths = [path for word in words.split() for path in ROOT.glob(word)]
    return [file for path in paths for file in ([path], path.rglob("test_*.py"))[path.is_dir()]]


class TestBudgetFile:
    @pytest.mark.parametrize("changed", [NOTHING, None])
    def test_suites_of_a_run_stay_within_the_minutes_of_the_gate(
        self, changed: frozenset[str] | None
    ) -> None:
        for day in DAYS:
            assert sum(suite.minutes for suite in BUDGET.choose(changed, day)) <= BUDGET.minutes

    def test_tests_that_one_suite_ignores_are_run_by_another(self) -> None:
        commands = [suite.command for suite in BUDGET.suites]
        ignored = re.findall(r"--ignore=([\w/]+)", " ".join(commands))
        forms = [re.compile(rf"-- {path}('$| --ignore)") for path in ignored]
        runs = [form.search(command) for form in forms for command in commands]
        assert len(ignored) == len(set(ignored)) == sum(map(bool, runs)) > 0

    def test_every_path_that_touches_a_suite_exists(self) -> None:
        paths = {path for suite in BUDGET.suites for path in suite.touched_by}
        assert paths and [path for path in paths if not (ROOT / path).exists()] == []

    def test_every_suite_that_rotates_can_be_touched(self) -> None:
        rotating = [suite for suite in BUDGET.suites if suite.rotates]
        assert rotating and all(suite.touched_by for suite in rotating)

    def test_every_level_of_tests_is_in_a_suite(self) -> None:
        tox = (ROOT / "tox.ini").read_text()
        levels = re.findall(r"^env_list = (.*)$", tox, re.MULTILINE)[0].split(", ")
        text = " ".join(suite.command for suite in BUDGET.suites)
        assert [level for level in levels if f"-e {level}" not in text] == []

    def test_every_series_but_the_newest_has_its_day(self) -> None:
        older = next(suite for suite in BUDGET.suites if suite.variants)
        known = {file.name[5:7] for file in (ROOT / "requirements").glob("nova-*.txt")}
        assert set(older.variants) == known

    @pytest.mark.parametrize(
        ("name", "folder"),
        [
            ("engine-26", "tests/functional/novadocker"),
            ("live", "tests/functional/novadocker/live"),
        ],
    )
    def test_every_test_of_a_folder_has_its_day(self, name: str, folder: str) -> None:
        (suite,) = [suite for suite in BUDGET.suites if suite.name == name]
        chosen = [file for words in suite.variants for file in _files(words)]
        assert sorted(chosen) == sorted(_files(folder))

    def test_lint_and_unit_tests_come_first_and_an_older_series_before_the_cloud(self) -> None:
        order = [suite.name for suite in BUDGET.suites]
        assert order[:4] == ["lint", "needs", "docs", "unit"]
        assert order.index("older-series") < order.index("demo") < order.index("e2e")


class TestChoice:
    @pytest.mark.parametrize("changed", [NOTHING, frozenset({"docs/cloud.md"}), None])
    def test_every_day_has_an_older_series(self, changed: frozenset[str] | None) -> None:
        assert all("older-series" in names(changed, day) for day in DAYS)

    def test_untouched_suites_wait_for_their_day_and_each_has_one(self) -> None:
        rotating = {suite.name for suite in BUDGET.suites if suite.rotates}
        chosen = [rotating & set(names(NOTHING, day)) for day in DAYS]
        assert {len(each) for each in chosen} == {1}
        assert set.union(*chosen) == rotating

    @pytest.mark.parametrize(
        ("name", "changed"),
        [
            ("older-series", NOTHING),
            ("engine-26", NOTHING),
            ("engine-26", frozenset({"novadocker/virt/docker.py"})),
            ("live", NOTHING),
        ],
    )
    def test_every_variant_has_its_day(self, name: str, changed: frozenset[str]) -> None:
        (suite,) = [suite for suite in BUDGET.suites if suite.name == name]
        found = {command for day in DAYS for command in commands(changed, day, name)}
        assert len(found) == len(suite.variants) > 1

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("novadocker/virt/docker.py", "engine-26"),
            ("novadocker/virt/docker.py", "docker"),
            ("fpga_regions/model.py", "regions"),
            ("tests/functional/novadocker/test_life.py", "engine-26"),
            ("novadocker/virt/docker.py", "tempest"),
            ("patches/hunks.toml", "nova"),
            ("requirements/test.txt", "nova"),
        ],
    )
    def test_touched_suite_runs_every_day_if_there_is_room(self, path: str, name: str) -> None:
        chosen = [WIDE.choose(frozenset({path}), day) for day in DAYS]
        assert all(name in {suite.name for suite in each} for each in chosen)

    def test_page_touches_no_suite_that_rotates(self) -> None:
        changed = frozenset({"docs/novadocker.md"})
        assert all(names(changed, day) == names(NOTHING, day) for day in DAYS)

    @pytest.mark.parametrize("changed", [frozenset({"patches/hunks.toml"}), None])
    def test_change_of_the_diffs_or_an_unknown_one_is_tried_on_the_oldest_series(
        self, changed: frozenset[str] | None
    ) -> None:
        found = {command for day in DAYS for command in commands(changed, day, "older-series")}
        assert found == {".tools/bin/tox -e matrix -- full --no-functional 26"}

    def test_unknown_change_touches_everything(self) -> None:
        every = [suite.name for suite in BUDGET.suites]
        assert all([suite.name for suite in WIDE.choose(None, day)] == every for day in DAYS)

    def test_touched_suites_for_which_there_is_no_room_take_turns(self) -> None:
        always = sum(suite.minutes for suite in BUDGET.suites if not suite.rotates)
        largest = max(suite.minutes for suite in BUDGET.suites if suite.rotates)
        narrow = dataclasses.replace(BUDGET, minutes=always + largest)
        rotating = {suite.name for suite in BUDGET.suites if suite.rotates}
        chosen = [rotating & {suite.name for suite in narrow.choose(None, day)} for day in DAYS]
        assert set.union(*chosen) == rotating
        assert all(each and each != rotating for each in chosen)


class TestFactor:
    @pytest.mark.parametrize(
        ("seconds", "factor"), [(0.5, 1), (1, 1), (1.05, 1.05), (1.1, 1.1), (9, 1.1)]
    )
    def test_budgets_grow_on_a_slow_processor_up_to_the_wall_of_the_gate(
        self, monkeypatch: pytest.MonkeyPatch, seconds: float, factor: float
    ) -> None:
        monkeypatch.delenv("GATE_FACTOR", raising=False)
        monkeypatch.setattr(gate, "loop_seconds", lambda: seconds * BUDGET.loop_seconds)
        assert gate.budget_factor(BUDGET) == factor
        assert BUDGET.minutes * factor <= 90

    def test_given_factor_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATE_FACTOR", "2.5")
        assert gate.budget_factor(BUDGET) == 2.5

    def test_loop_takes_processor_time(self) -> None:
        assert 0.01 < gate.loop_seconds() < 60


class TestChange:
    @pytest.fixture
    def checkout(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A repository without a commit, in which the test works."""
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("GATE_BASE", raising=False)
        for name in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{name}_NAME", "Somebody")
            monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@localhost")
        subprocess.run(["git", "init", "--quiet"], check=True)
        return tmp_path

    @staticmethod
    def commit(name: str, hours: int) -> None:
        """Commit a new file at so many hours."""
        Path(name).write_text("")
        date = f"{1_700_000_000 + 3600 * hours} +0000"
        environment = os.environ | {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date}
        subprocess.run(["git", "add", name], check=True)
        subprocess.run(["git", "commit", "-qm", name], check=True, env=environment)

    def test_commits_of_the_last_day_are_the_change(self, checkout: Path) -> None:
        for name, hours in (("old", 0), ("first", 25), ("last", 48)):
            self.commit(name, hours)
        assert gate.changed_paths() == {"first", "last"}

    def test_named_base_counts(self, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, hours in (("old", 0), ("first", 1), ("last", 2)):
            self.commit(name, hours)
        monkeypatch.setenv("GATE_BASE", "HEAD~1")
        assert gate.changed_paths() == {"last"}

    def test_change_is_unknown_without_an_older_commit(
        self, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert gate.changed_paths() is None
        self.commit("only", 0)
        assert gate.changed_paths() is None
        monkeypatch.setenv("GATE_BASE", "no-such-commit")
        assert gate.changed_paths() is None


class TestRun:
    def run(self, folder: Path, *suites: str) -> subprocess.CompletedProcess[str]:
        """Run the gate with suites of these lines."""
        budget = folder / "budget.toml"
        keys = "minutes = 60\nloop_seconds = 100\n"
        budget.write_text(keys + "".join(f"[[suite]]\n{suite}\n" for suite in suites))
        command = [sys.executable, gate.__file__, str(budget)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def test_closing_line_of_the_last_runner_comes_last(self, tmp_path: Path) -> None:
        ran = self.run(
            tmp_path,
            'name = "one"\nminutes = 1\ncommand = "echo one passed"',
            'name = "two"\nminutes = 2\ncommand = "echo line; echo two passed"',
        )
        lines = ran.stdout.splitlines()
        assert (ran.returncode, lines[-1]) == (0, "two passed")
        assert lines[-3].split() == ["one", "0.0", "of", "1", "minutes"]

    def test_failure_stops_the_gate_and_what_failed_comes_last(self, tmp_path: Path) -> None:
        script = "echo FAILED tests/test_it.py::test_it; echo 1 failed; exit 3"
        ran = self.run(
            tmp_path,
            f'name = "one"\nminutes = 1\ncommand = "{script}"',
            'name = "two"\nminutes = 1\ncommand = "echo two passed"',
        )
        assert ran.returncode == 1
        assert ran.stdout.splitlines()[-3:] == [
            "1 failed",
            f"FAILED: {script}",
            "FAILED tests/test_it.py::test_it",
        ]
        assert "two passed" not in ran.stdout

    def test_suite_over_its_budget_fails_and_reports_where_it_was(self, tmp_path: Path) -> None:
        program = (
            "import time\n"
            "try:\n"
            "    time.sleep(50)\n"
            "except KeyboardInterrupt:\n"
            "    print('ERROR in time.sleep')\n"
        )
        (tmp_path / "slow.py").write_text(program)
        command = f"{sys.executable} {tmp_path}/slow.py; true"
        ran = self.run(tmp_path, f'name = "slow"\nminutes = 0.02\ncommand = "{command}"')
        assert ran.returncode == 1
        assert ran.stdout.splitlines()[-2:] == [
            f"FAILED: {command}: over its budget of 0.02 minutes",
            "ERROR in time.sleep",
        ]

    def test_program_that_ignores_the_interrupt_ends_with_its_suite(self, tmp_path: Path) -> None:
        # bash has a program in the background ignore what a terminal sends.
        suite = gate.Suite("slow", 0.01, f"sleep 300 & echo $! > {tmp_path}/pid; wait")
        with pytest.raises(gate.GateError, match="over its budget"):
            gate.run(suite, factor=1, grace=0.1)
        process = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
        wait_until(lambda: not process.exists() or ") Z " in process.read_text())

    def test_factor_multiplies_every_budget(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GATE_FACTOR", "100")
        ran = self.run(tmp_path, 'name = "slow"\nminutes = 0.01\ncommand = "sleep 1; echo done"')
        assert (ran.returncode, ran.stdout.splitlines()[-1]) == (0, "done")
        assert "of 1 minutes" in ran.stdout
