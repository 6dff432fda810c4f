# SPDX-License-Identifier: Apache-2.0
"""How the tests in a Debian of their own read docs/install.md, and set options."""

import pathlib

import pytest

from tests.distro import ini, page, walk
from tests.distro.operator import INSTALL


@pytest.mark.parametrize("section", walk.SECTIONS)
def test_each_section_that_is_followed_has_commands(section: str) -> None:
    assert [one for one in page.blocks(INSTALL, section) if one.file is None]


def test_lines_of_configuration_are_for_the_file_that_was_named_last(
    tmp_path: pathlib.Path,
) -> None:
    text = (
        "# Go\n\nNot `/etc/a.conf` but `/etc/b.conf`:\n\n    [x]\n\n    a = 1\n\nThen\n\n    go\n"
    )
    tmp_path.joinpath("page.md").write_text(text)
    found = page.blocks(tmp_path / "page.md", "Go")
    assert found == [page.Block("[x]\n\na = 1\n", "/etc/b.conf"), page.Block("go\n", None)]


def test_a_section_that_is_gone_is_reported(tmp_path: pathlib.Path) -> None:
    tmp_path.joinpath("page.md").write_text("# Go\n\n    go\n")
    with pytest.raises(LookupError):
        page.blocks(tmp_path / "page.md", "Went")


def test_an_option_is_set_in_the_section_that_is_there() -> None:
    before = "[a]\nx = 1\n#y = 2\n[b]\nx = 3\n"
    assert ini.put(before, "[a]\nx = 4\nx = 5\n") == "[a]\nx = 4\nx = 5\n#y = 2\n[b]\nx = 3\n"


def test_a_section_that_is_not_there_is_added() -> None:
    assert ini.put("[a]\nx = 1\n", "[b]\ny = 2\n") == "[a]\nx = 1\n\n[b]\ny = 2\n"
