# SPDX-License-Identifier: Apache-2.0
"""Writes the configuration of an image anew: the layers that were read, and what a container needs.

An engine does what a configuration asks for. It makes a volume on the host for each that is named,
copies to it what the image has there, and runs health checks outside of a container's limits.
Other programs of a host obey the labels of containers. Go also reads keys whatever their case, the
last of several: a copy could name other layers than those that were read, and for these an engine
takes what it has from other tenants.
"""

import dataclasses
import json
import typing

from fpga_nova.container_image.limits import Refused

_Json = dict[str, typing.Any]

_TEXTS = ("User", "WorkingDir", "StopSignal")
_LISTS = ("Env", "Entrypoint", "Cmd")
#: Bytes of all of these; an engine repeats them each time that it describes the container.
_MAX_SIZE = 256 << 10


@dataclasses.dataclass(frozen=True)
class Changes:
    """What an image is to have other than in the archive that is read.

    :param settings: what its containers get, such as ``Env`` and ``Cmd``, in place of ``config`` in
        the archive's configuration
    :param omitted: absolute paths that its uppermost layer is not to have, with all below them
    """

    settings: _Json
    omitted: tuple[str, ...] = ()


def clean(original: _Json, architecture: str, diffs: typing.Sequence[str]) -> bytes:
    """The configuration that the engine gets.

    :param original: what the archive has
    :param architecture: by Go's name; empty for none
    :param diffs: the digests of the layers, unpacked, lowest first
    :raises Refused: something that a container needs is not of its type
    """
    names = {"architecture": architecture, "variant": _text(original, "variant"), "os": "linux"}
    clean: _Json = {name: value for name, value in names.items() if value}
    clean["config"] = _settings(original.get("config") or {})
    if len(json.dumps(clean)) > _MAX_SIZE:
        raise Refused(f"its variables and arguments have more than {_MAX_SIZE >> 10} KiB")
    clean["rootfs"] = {"type": "layers", "diff_ids": list(diffs)}
    return json.dumps(clean).encode()


def changed(config: bytes, settings: _Json, diffs: typing.Sequence[str]) -> bytes:
    """A configuration that `clean` gave, with other settings and layers.

    :param settings: see `Changes`
    :raises Refused: one of them is not of its type
    """
    document: _Json = json.loads(config)
    return clean({**document, "config": settings}, document.get("architecture", ""), diffs)


def _settings(config: typing.Any) -> _Json:
    if not isinstance(config, dict):
        raise _improper("config")
    settings = {
        **{key: _text(config, key) for key in _TEXTS},
        **{key: _list(config, key) for key in _LISTS},
    }
    return {key: value for key, value in settings.items() if value}


def _text(source: _Json, key: str) -> str:
    value = source.get(key) or ""
    if not isinstance(value, str):
        raise _improper(key)
    return value


def _list(source: _Json, key: str) -> list[str]:
    value = source.get(key) or []
    if isinstance(value, str):  # as Docker reads a command
        value = [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _improper(key)
    return value


def _improper(key: str) -> Refused:
    return Refused(f"the configuration of an image in it has no proper {key}")
