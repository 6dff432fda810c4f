#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the diffs and the table in patches/ of patches/hunks.toml and Nova's releases.

    make_patches.py [--patches FOLDER] [VERSION ...]

The releases are those in the table and the VERSIONs, which it adds. Of each series the newest one
gets a diff; an older one shares it if it applies there at fuzz 0 and leaves what the hunks would,
and gets one of its own otherwise.

Exit status: 0 done; 1 a hunk does not fit a release, or a release cannot be had.
"""

import argparse
import dataclasses
import functools
import hashlib
import itertools
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import typing

import hunks
import nova_wheels

TABLE = "releases.toml"

_TABLE_HEAD = """\
# SPDX-License-Identifier: Apache-2.0
# Which diff serves which releases of Nova; for every file the SHA-256 as shipped and as patched, a
# pair for each text that these releases have of it. Made by build_scripts/make_patches.py.
"""


@dataclasses.dataclass(frozen=True)
class Change:
    """What one diff does to one release: for each file, its text as shipped and as patched."""

    version: str
    files: dict[str, tuple[str, str]]

    def diff(self, file: str, header: str) -> str:
        """The diff, with its header, as the file of this name."""
        series = nova_wheels.name_of(nova_wheels.series_of(self.version))
        head = header.format(version=self.version, series=series, file=file)
        diffs = [_diff(name, *texts) for name, texts in sorted(self.files.items())]
        return "".join([head.lstrip("\n"), *diffs])

    def is_left_by(self, diff: str) -> bool:
        """Whether patch(1) makes the same of the release with this diff, at fuzz 0."""
        with tempfile.TemporaryDirectory() as folder:
            for name, (before, _after) in self.files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(before)
            command = ["patch", "-Np1", "-F0", "-s", "-f", "-r", "-", "--no-backup-if-mismatch"]
            result = subprocess.run(
                command, cwd=folder, input=diff, capture_output=True, text=True, check=False
            )
            return not result.returncode and all(
                pathlib.Path(folder, name).read_text() == after
                for name, (_before, after) in self.files.items()
            )


@dataclasses.dataclass(frozen=True)
class Part:
    """One diff and the releases that it serves, newest first."""

    file: str
    text: str
    served: tuple[Change, ...]


def make(version: str, source: hunks.Source) -> tuple[Change, Change]:
    """What the hunks do to a release: to Nova, and to its own tests.

    :raises hunks.HunkError: a hunk does not fit
    :raises nova_wheels.FetchError: the release cannot be had
    """
    wheel = nova_wheels.fetch(version)
    changes = [_change(version, wheel, source, tests) for tests in (False, True)]
    return changes[0], changes[1]


def _change(version: str, wheel: pathlib.Path, source: hunks.Source, tests: bool) -> Change:
    selection = source.for_series(nova_wheels.series_of(version), tests)
    before = nova_wheels.read(wheel, sorted({hunk.file for hunk in selection}))
    after = dict(before)
    for hunk in selection:
        try:
            after[hunk.file] = hunk.change(after[hunk.file])
        except hunks.HunkError as e:
            raise hunks.HunkError(f"nova {version}: {e}") from e
    return Change(version, {name: (before[name], after[name]) for name in before})


def _diff(name: str, before: str, after: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, side) for side in "ab"]
        for file, text in zip(files, (before, after), strict=True):
            file.write_text(text)
        labels = ["--label", f"a/{name}", "--label", f"b/{name}"]
        command = ["diff", "-u", *labels, *map(str, files)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout


def share(versions: list[str], source: hunks.Source) -> list[tuple[Part, Part]]:
    """The fewest diffs that serve these releases, in the order of the table."""
    shared: list[tuple[Part, Part]] = []
    newest_first = sorted(versions, key=nova_wheels.order_of, reverse=True)
    for _series, members in itertools.groupby(newest_first, key=nova_wheels.series_of):
        shared += _share_in_series(list(members), source)
    return sorted(shared, key=lambda parts: nova_wheels.order_of(parts[0].served[0].version))


def _share_in_series(newest_first: list[str], source: hunks.Source) -> list[tuple[Part, Part]]:
    remainder = [make(version, source) for version in newest_first]
    shared = []
    while remainder:
        files = [f"nova-{remainder[0][0].version}{suffix}.patch" for suffix in ("", "-tests")]
        texts = [
            change.diff(file, header)
            for change, file, header in zip(remainder[0], files, source.headers, strict=True)
        ]
        served = [pair for pair in remainder if all(map(Change.is_left_by, pair, texts))]
        if remainder[0] not in served:
            raise hunks.HunkError(f"{files[0]} does not apply to its own release")
        remainder = [pair for pair in remainder if pair not in served]
        code, tests = (
            Part(file, text, changes)
            for file, text, changes in zip(files, texts, zip(*served, strict=True), strict=True)
        )
        shared.append((code, tests))
    return shared


def table(shared: list[tuple[Part, Part]]) -> str:
    """The text of releases.toml."""
    return "\n".join([_TABLE_HEAD, *itertools.chain.from_iterable(map(_entry, shared))])


def _entry(parts: tuple[Part, Part]) -> typing.Iterator[str]:
    versions = ", ".join(f'"{change.version}"' for change in reversed(parts[0].served))
    yield f"[[release]]\nversions = [{versions}]\n"
    for name, part in zip(("diff", "tests"), parts, strict=True):
        yield f'[release.{name}]\nfile = "{part.file}"\n\n[release.{name}.files]'
        for file in sorted(part.served[0].files):
            pairs = {tuple(map(_digest, change.files[file])): None for change in part.served}
            yield f'"{file}" = ['
            yield from (f'    ["{before}",\n     "{after}"],' for before, after in pairs)
            yield "]"
        yield ""


@functools.cache
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write(shared: list[tuple[Part, Part]], patches: pathlib.Path) -> None:
    """Write the diffs and the table; remove diffs that are in it no more."""
    texts = {part.file: part.text for parts in shared for part in parts}
    for old in patches.glob("*.patch"):
        if old.name not in texts:
            old.unlink()
    for file, text in [*texts.items(), (TABLE, table(shared))]:
        (patches / file).write_text(text)


def known_versions(patches: pathlib.Path) -> list[str]:
    """The releases in the table."""
    releases = tomllib.loads((patches / TABLE).read_text())["release"]
    return [version for release in releases for version in release["versions"]]


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make the diffs and the table in patches/.")
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="a release to add")
    help_text = "the folder of the diffs and the table (default: patches/)"
    parser.add_argument("--patches", type=pathlib.Path, default=hunks.PATCHES, help=help_text)
    arguments = parser.parse_args()
    try:
        versions = {*known_versions(arguments.patches), *arguments.versions}
        shared = share(sorted(versions), hunks.read())
    except (hunks.HunkError, nova_wheels.FetchError) as e:
        print(f"Error: make_patches - {e}", file=sys.stderr)
        return 1
    write(shared, arguments.patches)
    for code, _tests in shared:
        print(f"{code.file}: {' '.join(change.version for change in reversed(code.served))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
