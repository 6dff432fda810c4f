# SPDX-License-Identifier: Apache-2.0
"""Shows what somebody else changed, as a unified diff of bounded length."""

import collections.abc
import difflib
import itertools
import pathlib

from fpga_patch import store, work

#: Lines shown of all files together.
LIMIT = 80


def show(
    view: work.View, stock: pathlib.Path, reference: pathlib.Path | None
) -> collections.abc.Iterator[str]:
    """Lines that tell each foreign file from what Nova shipped.

    :param stock: our copies of stock files, from when the tree was patched
    :param reference: a folder ``nova`` as shipped, where the operator has one
    """
    lines = _lines(view, [folder for folder in (reference, stock) if folder])
    yield from itertools.islice(lines, LIMIT)
    remainder = sum(1 for _ in lines)
    if remainder:
        yield f"... {remainder} more lines"


def _lines(
    view: work.View, folders: collections.abc.Sequence[pathlib.Path]
) -> collections.abc.Iterator[str]:
    for part in view.parts:
        names = [name for name, is_ in part.files.items() if is_ == "foreign"]
        yield from (f"{name}: missing" for name, is_ in part.files.items() if is_ == "missing")
        texts = _known(part, folders)
        for name in names:
            yield from _compare(view.nova, name, [text[name] for text in texts if name in text])


def _compare(
    nova: pathlib.Path, name: str, texts: collections.abc.Sequence[tuple[str, str]]
) -> collections.abc.Sequence[str]:
    """The difference to that of the known texts which is nearest."""
    if not texts:
        return [
            f"{name}: no copy of the shipped file to compare with; unpack this release of Nova "
            "somewhere and name its folder 'nova' by --reference"
        ]
    is_now = (nova / name).read_text(errors="replace").splitlines()
    found = [
        [
            *difflib.unified_diff(
                text.splitlines(), is_now, f"{what}/{name}", f"installed/{name}", n=2, lineterm=""
            )
        ]
        for what, text in texts
    ]
    return min(found, key=len)


def _known(
    part: work.Part, folders: collections.abc.Iterable[pathlib.Path]
) -> list[dict[str, tuple[str, str]]]:
    """The files as shipped and, where there is a copy of all, as patched, each with its label."""
    shipped: dict[str, bytes] = {}
    for folder in folders:
        for name, pairs in part.diff.digests.items():
            if store.digest(folder / name) in {before for before, _ in pairs}:
                shipped.setdefault(name, (folder / name).read_bytes())
    patched = part.diff.result("patched", shipped) if len(shipped) == len(part.files) else {}
    return [
        {name: (what, content.decode(errors="replace")) for name, content in contents.items()}
        for what, contents in (("shipped", shipped), ("patched", patched))
    ]
