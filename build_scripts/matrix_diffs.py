# SPDX-License-Identifier: Apache-2.0
"""The diffs of patches/ on the files of the releases that they are for."""

import pathlib
import subprocess
import sys
import tempfile
import tomllib
import typing

import hunks
import make_patches
import nova_wheels
from matrix_environment import StepError

from fpga_patch import errors, releases

_FAILURES = (
    StepError,
    hunks.HunkError,
    nova_wheels.FetchError,
    errors.PatchError,
    SyntaxError,
)


def try_on(version: str, source: hunks.Source, entry: dict[str, typing.Any]) -> None:
    """Apply, compile and revert the diffs of an entry of the table on the files of one release.

    :raises StepError: something is not as it should be
    """
    nowhere = pathlib.Path("nova")
    diffs = releases.find_diffs(nowhere, version, with_tests=True, patches=hunks.PATCHES)
    changes = make_patches.make(version, source)
    for diff, change, part in zip(diffs, changes, ("diff", "tests"), strict=True):
        if diff.file.name != entry[part]["file"]:
            raise StepError(f"{diff.file.name} is not the diff that its entry names")
        before = {name: pair[0].encode() for name, pair in change.files.items()}
        after = {name: pair[1].encode() for name, pair in change.files.items()}
        if diff.result("patched", before) != after or diff.result("stock", after) != before:
            raise StepError(f"{diff.file.name} leaves other contents than hunks.toml")
        for name, text in after.items():
            compile(text, name, "exec", dont_inherit=True)


def check_text(version: str, source: hunks.Source) -> None:
    """Compare the committed diffs with what their source makes for the release they are named for.

    :raises StepError: they differ
    """
    changes = make_patches.make(version, source)
    for change, header, suffix in zip(changes, source.headers, ("", "-tests"), strict=True):
        file = hunks.PATCHES / f"nova-{version}{suffix}.patch"
        if change.diff(file.name, header) != file.read_text():
            raise StepError(f"{file.name} is not what hunks.toml makes; run make_patches.py")


def try_all(whole: bool, series: typing.Collection[int] = ()) -> int:
    """Try every diff on its releases, or on the one that it is named for; how often it failed.

    A release is taken out of a copy of the table and added again, too.

    :param series: only diffs of these; empty for all
    """
    source, failures = hunks.read(), 0
    for entry in _entries(hunks.PATCHES, series):
        newest = max(entry["versions"], key=nova_wheels.order_of)
        for version in entry["versions"] if whole else [newest]:
            try:
                if version == newest:
                    check_text(version, source)
                try_on(version, source, entry)
                print(f"{version}: {entry['diff']['file']} applies, compiles and reverts")
            except _FAILURES as e:
                failures += 1
                print(f"{version}: {e}", file=sys.stderr)
    try:
        print(f"{add_again()}: taken out of the table and added again")
    except _FAILURES as e:
        failures += 1
        print(f"Error: matrix - {e}", file=sys.stderr)
    return failures


def _entries(
    patches: pathlib.Path, series: typing.Collection[int] = ()
) -> list[dict[str, typing.Any]]:
    """The entries of a table, of these series or of all."""
    found = tomllib.loads((patches / make_patches.TABLE).read_text())["release"]
    return [
        entry
        for entry in found
        if not series or nova_wheels.series_of(entry["versions"][0]) in series
    ]


def add_again() -> str:
    """Take the newest release out of a copy of the table of the two newest series; add it again.

    :returns: the release
    :raises StepError: the documented command fails, or makes something else than is committed
    """
    known = sorted(make_patches.known_versions(hunks.PATCHES), key=nova_wheels.order_of)
    two = known_series()[-2:]
    older = [version for version in known[:-1] if nova_wheels.series_of(version) in two]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        make_patches.write(make_patches.share(older, hunks.read()), copy)
        command = [sys.executable, make_patches.__file__, "--patches", folder, known[-1]]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or _entries(copy) != _entries(hunks.PATCHES, two):
            raise StepError(f"the release makes another table: {result.stdout}{result.stderr}")
        for file in copy.glob("*.patch"):
            if file.read_text() != (hunks.PATCHES / file.name).read_text():
                raise StepError(f"{file.name} is another one when it is added")
    return known[-1]


def known_series() -> list[int]:
    """The series in the table."""
    versions = make_patches.known_versions(hunks.PATCHES)
    return sorted({nova_wheels.series_of(version) for version in versions})
