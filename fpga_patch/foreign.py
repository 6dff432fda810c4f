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
    left = sum(1 for _ in lines)
    if left:
        yield f"... {left} more lines"


def _lines(
    view: work.View, folders: collections.abc.Sequence[pathlib.Path]
) -> collections.abc.Iterator[str]:
    for part in view.parts:
        for name, is_ in part.files.items():
            if is_ == "missing":
                yield f"{name}: missing"
            elif is_ == "foreign":
                shipped = _shipped(name, part.diff.digests[name], folders)
                yield from _compare(view.nova, name, shipped)


def _compare(nova: pathlib.Path, name: str, shipped: str | None) -> collections.abc.Iterator[str]:
    if shipped is None:
        yield (
            f"{name}: no copy of the shipped file to compare with; unpack this release of Nova "
            "somewhere and name its folder 'nova' by --reference"
        )
        return
    is_now = (nova / name).read_text(errors="replace")
    yield from difflib.unified_diff(
        shipped.splitlines(),
        is_now.splitlines(),
        f"shipped/{name}",
        f"installed/{name}",
        n=2,
        lineterm="",
    )


def _shipped(
    name: str,
    pairs: collections.abc.Iterable[tuple[str, str]],
    folders: collections.abc.Iterable[pathlib.Path],
) -> str | None:
    known = {before for before, _ in pairs}
    for folder in folders:
        if store.digest(folder / name) in known:
            return (folder / name).read_text(errors="replace")
    return None
