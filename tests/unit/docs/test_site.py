# SPDX-License-Identifier: Apache-2.0
"""The tables of the site are what the code says, and refuse what they do not understand."""

import re
import tomllib

import pytest
import site_facts

from fpga_nova.contract import Exit
from fpga_regions.package import manifest
from tests.unit.docs import pages


def test_every_exit_status_has_a_row_with_its_cause() -> None:
    rows = {row[0]: row for row in site_facts.exits()}
    assert list(rows) == [f"`{int(code)}`" for code in Exit]
    assert rows["`65`"][1:] == [
        "`NO_FREE_REGION`",
        "no free region",
        "Regions that could hold the package exist, and none is free.",
    ]
    assert {code for code in Exit if not rows[f"`{int(code)}`"][3]} == site_facts.WITHOUT_FAILURE


def test_exit_status_without_a_failure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_facts, "WITHOUT_FAILURE", frozenset())
    with pytest.raises(site_facts.UnknownError, match="DONE"):
        site_facts.exits()


def test_exit_statuses_of_fpga_patch_are_those_of_its_page() -> None:
    listed = {row[0] for row in pages.rows(pages.ROOT / "docs/patching.md", "exit")}
    assert {row[0].strip("`") for row in site_facts.patch_exits()} < listed


def test_exit_statuses_of_rootwrap_have_their_remedies() -> None:
    rows = {row[0]: row[2] for row in site_facts.rootwrap_exits()}
    assert set(rows) == {"`96`", "`97`", "`98`", "`99`"}
    assert rows["`98`"].endswith("check [fpga] exec in nova.conf")


def test_members_of_the_manifest_have_values() -> None:
    rows = {row[0]: row[1:] for row in site_facts.members(manifest.schema())}
    assert rows["`target.board`"][1] == "yes"
    assert rows["`exposes[].kind`"][0] == '`"char"`, `"block"`, `"socket"`, `"pipe"`'
    assert rows["`manifest_version`"] == ["`1`", "yes", "Version of this schema."]
    required = {name for name, (_value, needed, _meaning) in rows.items() if needed == "yes"}
    assert {f"`{name}`" for name in manifest.schema()["required"]} <= required


@pytest.mark.parametrize(
    "member", [{"description": "of any type"}, {"$ref": "https://example.org/schema.json"}]
)
def test_member_that_is_not_understood_is_refused(member: dict[str, str]) -> None:
    with pytest.raises(site_facts.UnknownError):
        site_facts.members({"properties": {"one": member}})


def test_man_page_is_read_whole() -> None:
    text = (pages.ROOT / "docs/man/fpga-cli.8").read_text()
    parts = site_facts.man_page(text)
    sections = [part.text for part in parts if part.kind == "section"]
    assert sections == re.findall(r"^\.SH (.*)$", text, re.MULTILINE)
    items = {part.term: part.text for part in parts if part.kind == "item"}
    (help_of_debug,) = re.findall(r"^\.B \\-\\-debug\n(.*)$", text, re.MULTILINE)
    assert items["--debug"] == help_of_debug
    assert items["127"] == "FPGA device not accessible"
    assert parts[-1].text == "nova-compute(8), nova-rootwrap(1)"


@pytest.mark.parametrize("line", [".RS 4", r"a \(bu bullet"])
def test_macro_that_is_not_known_is_refused(line: str) -> None:
    with pytest.raises(site_facts.UnknownError):
        site_facts.man_page(f".SH NAME\n{line}\n")


def test_page_of_options_has_every_namespace() -> None:
    project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text())["project"]
    text = (pages.ROOT / "docs/options.rst").read_text()
    named = re.findall(r"^\.\. show-options::\n\n   (\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(project["entry-points"]["oslo.config.opts"])


def test_support_matrix_has_a_row_for_each_feature() -> None:
    table = tomllib.loads((pages.ROOT / "docs/support-matrix.toml").read_text())
    rows = site_facts.support_matrix(table)
    assert len(rows) == len(table["features"])
    assert ["Launch instance", "mandatory", "complete", ""] in rows
