# SPDX-License-Identifier: Apache-2.0
"""Reads the image properties that Nova keeps with an instance, and which it may have cut."""

import typing

if typing.TYPE_CHECKING:
    from nova import objects

#: Nova keeps a property of the image in the instance's system_metadata under this prefix.
_PREFIX = "image_"

#: Bytes of UTF-8 that Nova keeps of a value (nova.utils.get_system_metadata_from_image, from Nova
#: 26 to 34). A value that was cut may be up to three shorter, where a character would be split.
_LENGTH = 255
_LONGEST_WHOLE = _LENGTH - 4


class CutError(Exception):
    """Nova may have cut the value, and what is left of it may mean something else."""


def of_instance(instance: "objects.Instance", name: str) -> str | None:
    """A property of the image that an instance was made of.

    :param name: as in Glance
    :raises CutError: the value may not be whole
    """
    value = instance.system_metadata.get(f"{_PREFIX}{name}")
    if value is not None and len(value.encode()) > _LONGEST_WHOLE:
        raise CutError(
            f"the image's {name} is longer than {_LONGEST_WHOLE} bytes, and Nova cuts long ones"
        )
    return typing.cast(str | None, value)
