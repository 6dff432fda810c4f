# SPDX-License-Identifier: Apache-2.0
"""What a host says of a claim, for the row of the claim. A host is not trusted."""

import typing

Document = dict[str, typing.Any]

#: Members of a region; characters of a text, and nodes, at most.
_NAMES = ("region", "device", "address", "board", "vendor", "part", "function")
_OF_NODE = ("kind", "name", "path")
_LONGEST, _NODES = 255, 64


def region(found: Document) -> Document:
    """The region that a host gave, as far as it can be read."""
    nodes = found.get("nodes")
    listed = nodes[:_NODES] if isinstance(nodes, list) else []
    return {
        **{name: _text(found.get(name)) for name in _NAMES},
        "nodes": [_node(one) for one in listed if isinstance(one, dict)],
    }


def failure(found: Document) -> tuple[str, str]:
    """The code and the reason of a failure."""
    code = found.get("code")
    fault = found.get("fault")
    word = f"exit.{code}" if type(code) is int else "host.failed"
    return word, fault[:1000] if isinstance(fault, str) else "the host gave no reason"


def _node(node: Document) -> Document:
    found = {name: _text(node.get(name)) for name in _OF_NODE}
    return found | {"kind": found["kind"] or "unknown"}


def _text(value: typing.Any) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) else None
