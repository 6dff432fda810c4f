# SPDX-License-Identifier: Apache-2.0
"""Reads YAML into plain data, and records the line and column of each part of it."""

import dataclasses
import re
import typing

import yaml

from deployment.problems import Problem, text_of

#: Keys and indexes from the top of a document to one of its values.
Path = tuple[str | int, ...]

#: Levels of a document at most. A cloud has five; each level costs frames of Python's stack.
DEPTH = 12
#: Characters of a file at most.
LENGTH = 1 << 20

_PLAIN = "tag:yaml.org,2002:"
#: What a word without quotes is, beside text. A release such as 2026.2 stays text, and so does
#: "no", which YAML 1.1 takes for a boolean.
_WORDS = {
    "null": (re.compile(r"(~|null|)\Z"), ["~", "n", ""]),
    "bool": (re.compile(r"(true|false)\Z"), ["t", "f"]),
    "int": (re.compile(r"-?(0|[1-9][0-9]{0,17})\Z"), list("-0123456789")),
}
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True)
class Document:
    """A YAML document.

    :param data: mappings, lists, text, integers, booleans and None
    :param places: line and column of each value
    :param keys: line and column of each value's key, where it has one
    :param problems: what YAML permits and a description of a cloud does not
    """

    data: typing.Any
    places: dict[Path, tuple[int, int]]
    keys: dict[Path, tuple[int, int]]
    problems: tuple[Problem, ...] = ()

    def at(self, path: Path, message: str) -> Problem:
        """A problem with the value there, or with what holds it if it is missing."""
        while path not in self.places and path:
            path = path[:-1]
        return Problem(*self.places.get(path, (1, 1)), message)

    def at_key(self, path: Path, message: str) -> Problem:
        """A problem with the key there."""
        return Problem(*self.keys[path], message) if path in self.keys else self.at(path, message)


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML's own syntax without aliases, whose expansion has no limit, and with few types."""

    yaml_implicit_resolvers: typing.ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: typing.Any, index: typing.Any) -> typing.Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="aliases are not supported", problem_mark=event.start_mark
            )
        if self._depth == DEPTH:
            problem = f"more than {DEPTH} levels"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _name, (_form, _first) in _WORDS.items():
    _Loader.add_implicit_resolver(_PLAIN + _name, _form, _first)


def parse(content: bytes) -> Document:
    """Read a document.

    What has no YAML syntax gives a document without data, and one problem: YAML's parser stops at
    its first error.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as e:
        return _broken(_place(content[: e.start].decode()), "the file is not UTF-8")
    if len(text) > LENGTH:
        return _broken((1, 1), f"the file has more than {LENGTH} characters")
    try:
        return _Values().document(_compose(text))
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        words = " ".join(filter(None, [e.context, e.problem]))
        return _broken((mark.line + 1, mark.column + 1) if mark else (1, 1), words)
    except yaml.reader.ReaderError as e:
        return _broken(_place(text[: e.position]), "a character that YAML does not permit")


def _compose(text: str) -> yaml.Node | None:
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    except (ValueError, OverflowError) as e:
        # PyYAML 6.0.3 hands any number of an escape such as "\UFFFFFFFF" to chr().
        raise yaml.MarkedYAMLError(
            problem="an escape that is not a character", problem_mark=loader.get_mark()
        ) from e
    finally:
        loader.dispose()


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _broken(place: tuple[int, int], words: str) -> Document:
    # PyYAML's words have characters of the file in them.
    plain = " ".join(words.encode("ascii", "backslashreplace").decode().split())
    return Document(None, {(): place}, {}, (Problem(*place, f"YAML: {plain}"),))


class _Values:
    """Turns YAML's nodes into values."""

    def __init__(self) -> None:
        self._places: dict[Path, tuple[int, int]] = {}
        self._keys: dict[Path, tuple[int, int]] = {}
        self._problems: list[Problem] = []

    def document(self, node: yaml.Node | None) -> Document:
        data = None if node is None else self._value(node, ())
        return Document(data, self._places, self._keys, tuple(self._problems))

    def _value(self, node: yaml.Node, path: Path) -> typing.Any:
        self._places[path] = _mark(node)
        if isinstance(node, yaml.MappingNode):
            self._expect(node, "map")
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            self._expect(node, "seq")
            return [self._value(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, typing.Any]:
        values: dict[str, typing.Any] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self._add(key_node, "a key has to be text")
            elif key in values:
                line, _ = self._keys[*path, key]
                self._add(key_node, f"the key {text_of(key)} is there twice, first in line {line}")
            else:
                self._keys[*path, key] = _mark(key_node)
                values[key] = self._value(value_node, (*path, key))
        return values

    def _scalar(self, node: yaml.ScalarNode) -> str | int | bool | None:
        kind, text = str(node.tag).removeprefix(_PLAIN), str(node.value)
        if _SURROGATE.search(text):
            self._add(node, "an escape that is not a character")
            return ""
        if kind not in _WORDS:
            self._expect(node, "str")
            return text
        if not _WORDS[kind][0].match(text):
            self._add(node, f"{text_of(text)} does not fit its tag")
            return text
        if kind == "int":
            return int(text)
        return None if kind == "null" else text == "true"

    def _expect(self, node: yaml.Node, kind: str) -> None:
        if node.tag != _PLAIN + kind:
            self._add(node, f"the tag {text_of(str(node.tag))} has no meaning here")

    def _add(self, node: yaml.Node, message: str) -> None:
        self._problems.append(Problem(*_mark(node), message))


def _mark(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
