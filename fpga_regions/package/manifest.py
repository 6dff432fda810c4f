# SPDX-License-Identifier: Apache-2.0
"""Reads a package's manifest.json against the schema that the project publishes."""

import dataclasses
import functools
import json
import math
import re
import typing

from fpga_regions import errors

FILE = "manifest.json"
#: The detached signature of its bytes, beside it; fpga_regions.package.signatures says what it is.
SIGNATURE = "manifest.json.sig"
_MAX_DEPTH = 64  # levels; far below what the stacks of readers in any language take
TOO_DEEP = f"is nested more than {_MAX_DEPTH} levels deep"
_MARK = re.compile(rb'\\.|["\[\]{}]', re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Exposed:
    """A node that the function offers: its kind and where a container sees it."""

    kind: str
    name: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What manifest.schema.json describes, read."""

    name: str
    version: str
    vendor: str
    function: str
    board: str
    part: str
    interface: str | None
    bitfile: str
    sha256: str
    exposes: tuple[Exposed, ...]
    type: str | None = None


def read(text: bytes) -> Manifest:
    """The manifest in the bytes of a manifest.json.

    :raises errors.BadPackage: it is not JSON, or not what the schema says
    """
    document = parse(text, FILE)
    wrong = next(iter(validator().iter_errors(document)), None)
    if wrong is not None:
        raise errors.BadPackage(f"{FILE}: {wrong.json_path}: {errors.shorten(_message(wrong))}")
    exposes = tuple(Exposed(one["kind"], one["name"]) for one in document["exposes"])
    if len({one.name for one in exposes}) < len(exposes):
        raise errors.BadPackage(f"{FILE}: $.exposes: two nodes have the same name")
    return Manifest(
        name=document["name"],
        version=document["version"],
        vendor=document["vendor"],
        function=document["function"],
        board=document["target"]["board"],
        part=document["target"]["part"],
        interface=document["target"].get("interface"),
        bitfile=document["bitfile"],
        sha256=document["digests"]["sha256"],
        exposes=exposes,
        type=document.get("type"),
    )


def bitfile_of(text: bytes) -> str:
    """The file that a manifest names, before the manifest is checked; empty if it names none."""
    try:
        document = json.loads(text.decode())
    except (ValueError, RecursionError):
        return ""
    name = document.get("bitfile") if isinstance(document, dict) else None
    return name if isinstance(name, str) else ""


def schema() -> dict[str, typing.Any]:
    """The JSON Schema of manifests."""
    # Not at the top: the process that takes packages apart does without it.
    import importlib.resources

    text = importlib.resources.files(__package__).joinpath("manifest.schema.json").read_text()
    return typing.cast(dict[str, typing.Any], json.loads(text))


@functools.cache
def validator() -> typing.Any:
    """What checks a manifest against the schema; made once."""
    # Not at the top: it takes longer to load than all that `status` needs, which reads no manifest.
    import jsonschema

    return jsonschema.Draft202012Validator(schema())


def parse(text: bytes, name: str) -> typing.Any:
    """JSON that means the same to all who read it: no member twice, no number without a value.

    :param name: of the file, for the message
    :raises errors.BadPackage: it is not such
    """
    if _depth(text) > _MAX_DEPTH:
        raise errors.BadPackage(f"{name} {TOO_DEEP}")
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except ValueError as e:
        raise errors.BadPackage(f"{name} is not JSON: {errors.shorten(str(e))}") from e


def _depth(text: bytes) -> int:
    """How deep lists and objects are in each other; before they are read, which takes a stack."""
    depth = deepest = 0
    in_string = False
    for mark in _MARK.findall(text):
        if mark == b'"':
            in_string = not in_string
        elif not in_string:
            depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(mark, 0)
            deepest = max(deepest, depth)
    return deepest


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is too large a number")
    return value


def _without_doubles(pairs: list[tuple[str, typing.Any]]) -> dict[str, typing.Any]:
    # Readers differ in which of two members of one name they take.
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is given twice")
    return members


def _no_constant(name: str) -> typing.NoReturn:
    raise ValueError(f"{name} is not a number")


def _message(wrong: typing.Any) -> str:
    if wrong.validator != "additionalProperties":
        return str(wrong.message)
    free = wrong.schema.get("patternProperties", {})
    known = set(wrong.schema["properties"])
    unknown = (
        name
        for name in wrong.instance
        if name not in known and not any(re.search(pattern, name) for pattern in free)
    )
    hint = "; a name of your own begins with x-" if free else ""
    return f"unknown member {next(unknown)!r}{hint}"
