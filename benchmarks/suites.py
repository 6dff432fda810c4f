# SPDX-License-Identifier: Apache-2.0
"""Suites of OpenCL that others wrote: each runs by a way, and gives what passes there."""

import collections
import dataclasses
import re
import subprocess
import tarfile
import time
import typing
from pathlib import Path
from xml.etree import ElementTree

from opencl_ways import Way

STATES = ("passed", "skipped", "failed")
#: What a check was, as often as it ran under one name.
Outcomes = dict[str, list[str]]

_LOCK = Path(__file__).parents[1] / "requirements/suites.txt"
_LOCKED = re.compile(r"^pyopencl==.*(?:\n .*)*\n", re.MULTILINE)
_TESTS = ("wrapper", "enqueue_copy", "arrays_in_structs", "clmath", "array")
_VENDOR, _NOBODY = '"The pocl project"', '"nobody"'
#: The device and its platform, which have other names by another way.
_DEVICE = re.compile(r"<context factory for .*?>>|<pyopencl\.Platform '.*?'>")
_COUNT = re.compile(r"(\d+) test\(s\) (passed|skipped|failed)")
_SUITE_TIME, _EXAMPLE_TIME = 3600, 300  # seconds
#: They open a window.
_WINDOWS = {"gl_interop_demo", "gl_particle_animation"}


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the suites are.

    :param source: pyopencl's
    :param python: an interpreter that has it
    """

    source: Path
    python: str


def prepare(python: str, folder: Path) -> Place:
    """Get pyopencl's source, of the version that is locked, into a folder.

    Its tests get another name for pocl's vendor.
    """
    locked = _LOCKED.search(_LOCK.read_text())
    if locked is None:
        raise RuntimeError(f"{_LOCK}: no pyopencl")
    (folder / "pyopencl.txt").write_text(locked[0])
    program = str(Path(python).absolute())
    words = [program, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pyopencl"]
    words += ["--require-hashes", "-r", "pyopencl.txt"]
    subprocess.run(words, cwd=folder, check=True)  # noqa: S603
    (archive,) = folder.glob("pyopencl-*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    source = folder / archive.name.removesuffix(".tar.gz")
    # In the source's folder Python would find the package without what is compiled.
    (source / "pyopencl").rename(source / "unbuilt")
    for file in (source / "test").glob("*.py"):
        file.write_text(file.read_text().replace(_VENDOR, _NOBODY))
    return Place(source, program)


def timed(
    suite: typing.Callable[[Place, Way], Outcomes], place: Place, way: Way
) -> tuple[Outcomes, float]:
    """What a suite gives, and how many seconds it takes."""
    begin = time.monotonic()
    return suite(place, way), time.monotonic() - begin


def differences(local: Outcomes, ours: Outcomes) -> list[str]:
    """What is not the same by both ways."""
    return [
        f"{name}: {'/'.join(local.get(name, ['-']))}, {'/'.join(ours.get(name, ['-']))}"
        for name in sorted(local.keys() | ours.keys())
        if sorted(local.get(name, [])) != sorted(ours.get(name, []))
    ]


def pyopencl(place: Place, way: Way) -> Outcomes:
    """pyopencl's tests, which know no vendor's name."""
    folder = place.source / "test"
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    words = [place.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = way.run([*words, *(f"test_{one}.py" for one in _TESTS)], folder, _SUITE_TIME)
    if not report.exists():
        raise RuntimeError(f"no report of pytest - {done.stdout[-2000:]}")
    found: Outcomes = collections.defaultdict(list)
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - of our own run
        name = _DEVICE.sub("", f"{case.get('classname')}.{case.get('name')}").replace("[]", "")
        found[name].append(_state(case))
    return dict(found)


def _state(case: ElementTree.Element) -> str:
    kinds = {one.tag for one in case}
    if kinds & {"failure", "error"}:
        return "failed"
    return "skipped" if "skipped" in kinds else "passed"


def examples(place: Place, way: Way) -> Outcomes:
    """pyopencl's examples: each ends, and says that all is well."""
    folder, found = place.source / "examples", {}
    for file in sorted(folder.glob("*.py")):
        if file.stem not in _WINDOWS:
            found[file.stem] = [_program(way, [place.python, file.name], folder, _EXAMPLE_TIME)]
    return found


def _program(way: Way, words: list[str], folder: Path, seconds: float) -> str:
    try:
        done = way.run(words, folder, seconds)
    except subprocess.TimeoutExpired:
        return "failed"
    if "ModuleNotFoundError" in done.stdout:
        return "skipped"
    return "failed" if done.returncode else "passed"


def clblast(routine: str) -> typing.Callable[[Place, Way], Outcomes]:
    """CLBlast's tests of a routine, for each precision."""

    def run(place: Place, way: Way) -> Outcomes:
        done = way.run([f"clblast_test_{routine}"], place.source, _SUITE_TIME)
        found = [(int(count), state) for count, state in _COUNT.findall(done.stdout)]
        outcomes = [state for count, state in found for _ in range(count)]
        return {routine: outcomes + ["failed"] * (done.returncode != 0 or not outcomes)}

    return run


def clpeak(place: Place, way: Way) -> Outcomes:
    """All measurements of clpeak."""
    return {"ends": [_program(way, ["clpeak"], place.source, _SUITE_TIME)]}
