# SPDX-License-Identifier: Apache-2.0
"""Makes CHANGELOG.md from the release notes, or checks that it has each of them as it is.

changelog.py            writes CHANGELOG.md, with the releases that git's tags name
changelog.py --check    exits with 1 where a note is missing, was changed or was removed
"""

import gc
import pathlib
import re
import sys
import tomllib
import typing

import yaml
from reno import config, loader

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHANGELOG = ROOT / "CHANGELOG.md"
NOTES = ROOT / "releasenotes" / "notes"

_HEAD = """\
# Changes

`make changelog` makes this page from `releasenotes/notes`; do not edit it.
"""

#: What a note is in the working tree: entries by the section that they are in.
Note = typing.Mapping[str, str | list[str]]


def main(arguments: list[str]) -> int:
    """Write the page, or check it; what the process exits with."""
    if arguments == ["--check"]:
        missing, gone = stale(CHANGELOG.read_text(), [*_notes()])
        for title, entries in (("not in it", missing), ("no longer a note", gone)):
            for entry in sorted(entries):
                print(f"CHANGELOG.md: {title}: {entry.splitlines()[0]}", file=sys.stderr)
        if missing or gone:
            print("CHANGELOG.md is stale: run 'make changelog'", file=sys.stderr)
        return int(bool(missing or gone))
    CHANGELOG.write_text(page(_releases()))
    # dulwich 1.2 closes its files with warnings where the interpreter ends first.
    gc.collect()
    return 0


def stale(text: str, notes: typing.Iterable[Note]) -> tuple[set[str], set[str]]:
    """The entries of notes that a page lacks, and those that it has and no note.

    The releases do not count: a clone without tags does not know them.
    """
    listed = {part.strip() for part in re.split(r"^(?=- )|^#.*$", _body(text), flags=re.MULTILINE)}
    wanted = {_entry(one) for note in notes for entries in note.values() for one in _texts(entries)}
    return wanted - listed, listed - wanted - {""}


def page(releases: typing.Iterable[tuple[str, list[Note]]]) -> str:
    """The page for releases, newest first, each with its notes."""
    lines = [_HEAD]
    for name, notes in releases:
        lines.append(f"\n## {name}\n")
        for section, title in _sections():
            entries = [_entry(one) for note in notes for one in _texts(note.get(section, []))]
            if entries:
                lines.append(f"\n### {title}\n\n" + "\n\n".join(entries) + "\n")
    return "".join(lines)


def _releases() -> typing.Iterator[tuple[str, list[Note]]]:
    """The releases and their notes as reno finds them; notes of no release are of the next one."""
    scanned = loader.Loader(config.Config(str(ROOT)), ignore_cache=True)
    tags = [one for one in scanned.versions if re.match(r"v?\d", one) and one != "0.0.0"]
    # A note that git does not know yet is of the next release, too.
    unreleased = {str(path.relative_to(ROOT)) for path in NOTES.glob("*.yaml")}
    files = {_next_release(tags): unreleased}
    for version in scanned.versions:
        found = {file for file, _ in scanned[version]}
        if version in tags:
            unreleased -= found
            files.setdefault(version, set()).update(found)
    for name, names in files.items():
        notes = [ROOT / file for file in sorted(names)]
        if parsed := [yaml.safe_load(path.read_text()) for path in notes if path.is_file()]:
            yield name, parsed


def _next_release(tags: list[str]) -> str:
    """The name of what is not released yet, or of what a clone without tags has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = str(project["tool"]["setuptools_scm"]["fallback_version"])
    return "In development" if named in tags else named


def _sections() -> list[tuple[str, str]]:
    options = config.Config(str(ROOT))
    return [("prelude", "Prelude"), *((str(one.name), str(one.title)) for one in options.sections)]


def _notes() -> typing.Iterator[Note]:
    for path in sorted(NOTES.glob("*.yaml")):
        yield yaml.safe_load(path.read_text())


def _texts(entries: str | list[str]) -> list[str]:
    return [entries] if isinstance(entries, str) else entries


def _entry(text: str) -> str:
    """An entry of the page: reStructuredText's literals and indentation become Markdown's."""
    return "- " + text.strip().replace("``", "`").replace("\n", "\n  ").replace("\n  \n", "\n\n")


def _body(text: str) -> str:
    return text.removeprefix(_HEAD)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
