# SPDX-License-Identifier: Apache-2.0
"""The directives of the site: tables from the code, the man page, release notes of any clone."""

import contextlib
import json
import tomllib
import typing
from pathlib import Path

import site_facts
import yaml
from docutils import nodes, statemachine
from dulwich import errors as git_errors
from dulwich import repo as git
from reno import config, formatter, loader, sphinxext
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

ROOT = Path(__file__).parents[2]


class _Table(SphinxDirective):  # type: ignore[misc]
    """A table whose rows are made from the code."""

    heads: typing.ClassVar[tuple[str, ...]]

    def run(self) -> list[nodes.Node]:
        try:
            return [_table(self.heads, self.rows())]
        except site_facts.UnknownError as e:
            raise self.error(str(e)) from e

    def rows(self) -> list[list[str]]:
        """The cells, with code in backquotes."""
        raise NotImplementedError


class Exits(_Table):
    """The exit statuses of fpga-cli."""

    heads = ("Exit", "Name", "Meaning", "Cause")

    def rows(self) -> list[list[str]]:
        return site_facts.exits()


class PatchExits(_Table):
    """The exit statuses of fpga-patch that are failures."""

    heads = ("Exit", "Failure", "Meaning")

    def rows(self) -> list[list[str]]:
        return site_facts.patch_exits()


class RootwrapExits(_Table):
    """The exit statuses of nova-rootwrap."""

    heads = ("Exit", "Name", "Message of nova-compute")

    def rows(self) -> list[list[str]]:
        return site_facts.rootwrap_exits()


class JsonSchema(_Table):
    """The members that a JSON Schema in the checkout describes."""

    required_arguments = 1
    heads = ("Member", "Value", "Required", "Meaning")

    def rows(self) -> list[list[str]]:
        _relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        return site_facts.members(json.loads(Path(path).read_text()))


class SupportMatrix(_Table):
    """The features of a virt driver in a table in the checkout."""

    required_arguments = 1
    heads = ("Feature", "Status", "State", "Notes")

    def rows(self) -> list[list[str]]:
        _relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        return site_facts.support_matrix(tomllib.loads(Path(path).read_text()))


class ManPage(SphinxDirective):  # type: ignore[misc]
    """A man page, its sections below the heading of the page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        _relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(path)
        try:
            parts = site_facts.man_page(Path(path).read_text())
        except site_facts.UnknownError as e:
            raise self.error(str(e)) from e
        found: list[nodes.Element] = []
        for part in parts:
            if part.kind == "section":
                found.append(self._section(part.text))
            elif found:
                _add(found[-1], part)
        return list(found)

    def _section(self, title: str) -> nodes.section:
        words = title.capitalize()
        section = nodes.section(
            "", nodes.title("", words), names=[nodes.fully_normalize_name(words)]
        )
        self.state.document.note_implicit_target(section, section)
        return section


class AllNotes(loader.Loader):  # type: ignore[misc]
    """The notes of a checkout without their releases, which only the history of git has."""

    def _load_data(self) -> None:
        files = sorted(Path(self._config.reporoot, self._notespath).glob("*.yaml"))
        self._cache = {
            "file-contents": {one.name: yaml.safe_load(one.read_text()) for one in files}
        }
        title = self._config.unreleased_version_title
        self._scanner_output = {title: [(one.name, "the checkout") for one in files]}


class ReleaseNotes(sphinxext.ReleaseNotesDirective):  # type: ignore[misc]
    """The notes by release, or all in one where the checkout does not know the releases."""

    def run(self) -> list[nodes.Node]:
        if knows_releases(ROOT):
            self.options.setdefault("reporoot", str(ROOT))
            return list(super().run())
        settings = config.Config(str(ROOT))
        notes = AllNotes(settings)
        text = formatter.format_report(notes, settings, notes.versions)
        lines = statemachine.StringList(text.splitlines(), source="releasenotes/notes")
        section = nodes.section()
        section.document = self.state.document
        nested_parse_with_titles(self.state, lines, section)
        return list(section.children)


def knows_releases(checkout: Path) -> bool:
    """Whether a checkout has tags and the whole history up to them."""
    try:
        with contextlib.closing(git.Repo.discover(str(checkout))) as found:
            return not found.get_shallow() and bool(found.refs.as_dict(b"refs/tags"))
    except git_errors.NotGitRepository:
        return False


def _table(heads: typing.Sequence[str], rows: list[list[str]]) -> nodes.table:
    group = nodes.tgroup("", cols=len(heads))
    group += [nodes.colspec("", colwidth=1) for _ in heads]
    group += nodes.thead("", _row(heads))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group)


def _row(cells: typing.Sequence[str]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", _paragraph(cell)) for cell in cells))


def _paragraph(text: str) -> nodes.paragraph:
    """A paragraph of a text with code in backquotes."""
    pieces = enumerate(text.split("`"))
    return nodes.paragraph(
        "", "", *(nodes.literal("", one) if n % 2 else nodes.Text(one) for n, one in pieces)
    )


def _add(section: nodes.Element, part: site_facts.Part) -> None:
    """Add a part of a man page to its section."""
    if part.kind == "item":
        term = nodes.term("", "", nodes.literal("", part.term))
        item = nodes.definition_list_item(
            "", term, nodes.definition("", nodes.paragraph("", part.text))
        )
        if not isinstance(section[-1], nodes.definition_list):
            section += nodes.definition_list()
        section[-1] += item
    elif section["names"] == ["synopsis"]:
        section += nodes.literal_block(part.text, part.text, language="none")
    else:
        section += nodes.paragraph("", part.text)


def without_folders(_app: Sphinx, document: nodes.document) -> None:
    """Make words of links to folders of the checkout, which are no pages of the site."""
    for link in list(document.findall(addnodes.pending_xref)):
        target = link.get("reftarget", "")
        if target.startswith("../") and (ROOT / "docs" / target).is_dir():
            link.replace_self(link.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register all of it."""
    for name, directive in {
        "exit-statuses": Exits,
        "patch-exit-statuses": PatchExits,
        "rootwrap-exit-statuses": RootwrapExits,
        "json-schema": JsonSchema,
        "man-page": ManPage,
        "support-matrix": SupportMatrix,
    }.items():
        app.add_directive(name, directive)
    # In the place of reno's own.
    app.add_directive("release-notes", ReleaseNotes, override=True)
    app.connect("doctree-read", without_folders)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
