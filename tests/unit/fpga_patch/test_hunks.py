# SPDX-License-Identifier: Apache-2.0
"""A hunk finds its place in a file, or says that it does not."""

from pathlib import Path

import hunks
import pytest

TEXT = """\
import one

class Left:
    def start(self):
        go()

    def stop(self):
        go()

class Right:
    @staticmethod
    def start(
        many,
    ):
        go()

    async def stop(self):
        go()
"""


def read(tmp_path: Path, entry: str) -> hunks.Hunk:
    """The hunk of a source that has but one."""
    file = tmp_path / "hunks.toml"
    file.write_text(f'header = ""\ntests_header = ""\n[[hunk]]\nfile = "a.py"\n{entry}\n')
    return hunks.read(file).hunks[0]


def test_lines_go_after_their_anchor(tmp_path: Path) -> None:
    hunk = read(tmp_path, 'after = "import one"\ninsert = "import two"')
    assert hunk.change(TEXT) == TEXT.replace("one\n", "one\nimport two\n")


def test_lines_go_before_their_anchor(tmp_path: Path) -> None:
    hunk = read(tmp_path, 'before = "import one"\ninsert = "import a"')
    assert hunk.change(TEXT) == "import a\n" + TEXT


def test_part_of_a_line_is_replaced(tmp_path: Path) -> None:
    hunk = read(tmp_path, 'replace = "port one"\nwith = "port two"')
    assert hunk.change(TEXT) == TEXT.replace("one", "two")


def test_function_of_several_classes_is_searched_in_all_of_them(tmp_path: Path) -> None:
    hunk = read(
        tmp_path, 'within = "def start"\nafter = "        go()"\ninsert = "        x"\ntimes = 2'
    )
    assert [n for n, line in enumerate(hunk.change(TEXT).splitlines()) if "x" in line] == [5, 16]


def test_class_ends_where_the_next_one_begins(tmp_path: Path) -> None:
    hunk = read(tmp_path, 'within = "class Left"\nafter = "        go()"\ninsert = "x"\ntimes = 2')
    assert hunk.change(TEXT).index("x\n") < TEXT.index("class Right")


@pytest.mark.parametrize(
    ("anchor", "found"), [("        go()", 4), ("        come()", 0), ("    go()", 0)]
)
def test_anchor_that_is_not_there_once_is_refused(tmp_path: Path, anchor: str, found: int) -> None:
    hunk = read(tmp_path, f'after = "{anchor}"\ninsert = "x"')
    with pytest.raises(hunks.HunkError, match=f"found {found} times in a.py, not 1"):
        hunk.change(TEXT)


def test_head_is_a_whole_word(tmp_path: Path) -> None:
    hunk = read(tmp_path, 'within = "def sta"\nafter = "        go()"\ninsert = "x"')
    with pytest.raises(hunks.HunkError, match=r"found 0 times within 'def sta' of a\.py"):
        hunk.change(TEXT)


@pytest.mark.parametrize(
    "entry",
    [
        'insert = "x"',
        'after = "a"\nbefore = "b"\ninsert = "x"',
        'after = "a"\ninsert = "x"\nwithn = "def a"',
    ],
)
def test_entry_that_is_no_hunk_is_refused(tmp_path: Path, entry: str) -> None:
    with pytest.raises(hunks.HunkError, match="hunk with"):
        read(tmp_path, entry)


def test_hunk_serves_the_series_it_names(tmp_path: Path) -> None:
    hunk = read(tmp_path, 'after = "a"\ninsert = "x"\nfirst = 29\nlast = 31')
    assert [series for series in range(27, 34) if hunk.serves(series)] == [29, 30, 31]
