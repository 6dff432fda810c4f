# SPDX-License-Identifier: Apache-2.0
"""What an image asks of its containers by its properties; talks to nobody."""

import dataclasses
import posixpath
import re
import typing

from oslo_utils import strutils

from fpga_hooks.instance import image_properties
from novadocker import errors

if typing.TYPE_CHECKING:
    from nova import objects

ENVIRONMENT = "docker_environment"
AUTHORIZED_KEYS = "docker_authorized_keys"
READ_ONLY = "docker_read_only"

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")

#: Variables that change which code a program runs, or that vendors' container runtimes read on the
#: host to choose its cards.
_RESERVED = re.compile("PATH|LD_.*|(NVIDIA|XILINX|DOCKER)_.*|.*_VISIBLE_DEVICES", re.IGNORECASE)

#: Folders that are the kernel's, the engine's or ours in a container.
_NOT_OF_THE_IMAGE = re.compile("/(dev|proc|run|sys|tmp)(/.*)?")


@dataclasses.dataclass(frozen=True)
class ImageRequest:
    """What the image of a server asks for.

    :ivar environment: variables that come of the server's metadata
    :ivar authorized_keys: path in the container of the file for the server's key, or None
    :ivar read_only: whether the root file system cannot be written
    """

    environment: typing.Mapping[str, str]
    authorized_keys: str | None
    read_only: bool


def of(instance: "objects.Instance") -> ImageRequest:
    """What the image of an instance asks for.

    :raises errors.BadImage: a property is not what it should be
    :raises errors.NotServed: a value of the metadata cannot be in an environment
    """
    names = environment_names(instance)
    request = ImageRequest(
        environment=_environment(instance, names),
        authorized_keys=authorized_keys_path(instance),
        read_only=_is_read_only(instance),
    )
    if request.read_only and request.authorized_keys:
        raise _bad(instance, AUTHORIZED_KEYS, f"cannot be served together with {READ_ONLY}")
    return request


def environment_names(instance: "objects.Instance") -> list[str]:
    """The keys of the server's metadata that the image takes as environment variables.

    :raises errors.BadImage: one of them is not a name for a variable, or is reserved
    """
    names = [name.strip() for name in (_property(instance, ENVIRONMENT) or "").split(",")]
    for name in filter(None, names):
        if not _NAME.fullmatch(name):
            raise _bad(instance, ENVIRONMENT, f"has '{name}', needs names of variables")
        if _RESERVED.fullmatch(name):
            raise _bad(instance, ENVIRONMENT, f"has '{name}', which no metadata may set")
    return [name for name in names if name]


def authorized_keys_path(instance: "objects.Instance") -> str | None:
    """The path of the file for the server's key; None if the image wants none.

    :raises errors.BadImage: it is not the absolute path of a file that is the image's own
    """
    path = _property(instance, AUTHORIZED_KEYS)
    if not path:
        return None
    plain = re.fullmatch("/[^/].*/.+", path) and posixpath.normpath(path) == path
    if not plain or not path.isprintable() or _NOT_OF_THE_IMAGE.fullmatch(path):
        raise _bad(
            instance,
            AUTHORIZED_KEYS,
            f"is '{path}', needs the absolute path of a file in a folder, not below /dev, /proc, "
            "/run, /sys or /tmp",
        )
    return path


def _environment(
    instance: "objects.Instance", names: typing.Iterable[str]
) -> typing.Mapping[str, str]:
    found = {name: instance.metadata[name] for name in names if name in instance.metadata}
    for name, value in found.items():
        if not value.isprintable():
            raise errors.NotServed(
                instance.uuid,
                f"the server's metadata '{name}' has a line break or a control character, and its "
                "image takes it as an environment variable",
            )
    return found


def _is_read_only(instance: "objects.Instance") -> bool:
    text = _property(instance, READ_ONLY)
    try:
        return bool(text) and bool(strutils.bool_from_string(text, strict=True))
    except ValueError as e:
        raise _bad(instance, READ_ONLY, f"is '{text}', needs true or false") from e


def _property(instance: "objects.Instance", name: str) -> str | None:
    try:
        return image_properties.of_instance(instance, name)
    except image_properties.CutError as e:
        raise errors.BadImage(instance.image_ref, str(e)) from e


def _bad(instance: "objects.Instance", name: str, reason: str) -> errors.BadImage:
    return errors.BadImage(instance.image_ref, f"its property {name} {reason}")
