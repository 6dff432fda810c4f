# SPDX-License-Identifier: Apache-2.0
"""The README of the wheel has no link that leads nowhere."""

from pathlib import Path

import pytest

from build_scripts import readme_links
from tests.unit.docs import pages

BASE = "https://example.org/fpga-nova/files/"


@pytest.mark.parametrize(
    ("text", "plain", "absolute"),
    [
        ("see [it](docs/it.md).", "see it (`docs/it.md`).", f"see [it]({BASE}docs/it.md)."),
        ("[it](docs/it.md#how)", "it (`docs/it.md`)", f"[it]({BASE}docs/it.md#how)"),
        ("![it](docs/it.svg)", "", f"![it]({BASE}docs/it.svg)"),
        ("[LICENSE](LICENSE)", "LICENSE", f"[LICENSE]({BASE}LICENSE)"),
    ],
)
def test_relative_link_becomes_text_or_absolute(text: str, plain: str, absolute: str) -> None:
    assert readme_links.rewritten(text, None) == plain
    assert readme_links.rewritten(text, BASE) == absolute


@pytest.mark.parametrize("text", ["[it](https://example.org/)", "[below](#support)", "`a[b](c d)`"])
def test_other_link_stays(text: str) -> None:
    assert readme_links.rewritten(text, None) == readme_links.rewritten(text, BASE) == text


@pytest.mark.parametrize("urls", ["", f'[project.urls]\nFiles = "{BASE}"\n'])
def test_no_relative_link_of_our_readme_is_left(urls: str, tmp_path: Path) -> None:
    readme, project = tmp_path / "README.md", tmp_path / "pyproject.toml"
    readme.write_text((pages.ROOT / "README.md").read_text())
    project.write_text(f'[project]\nname = "x"\n{urls}')
    assert pages.links(readme)
    readme_links.main(readme, project)
    assert all(link.startswith(BASE) for link in pages.links(readme))
    assert bool(pages.links(readme)) == bool(urls)
