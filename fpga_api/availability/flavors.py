# SPDX-License-Identifier: Apache-2.0
"""Flavors as Nova's API gives them to an administrator."""

import dataclasses
import typing


@dataclasses.dataclass(frozen=True)
class Flavor:
    """A flavor.

    :ivar ram: MiB
    :ivar disk: GiB of the root disk
    :ivar ephemeral: GiB of further disks
    :ivar swap: MiB
    :ivar public: whether all projects have it
    :ivar disabled: whether nobody can boot it
    """

    id: str
    name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int = 0
    swap: int = 0
    public: bool = True
    disabled: bool = False
    extra_specs: typing.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def local_disk(self) -> int:
        """GiB of a server that boots from an image; Nova rounds the swap up."""
        return self.disk + self.ephemeral + -(-self.swap // 1024)


def of_document(document: typing.Mapping[str, typing.Any]) -> Flavor:
    """A flavor of ``GET /flavors/detail``, microversion 2.61 or later.

    :raises LookupError: a member is missing
    :raises ValueError: a number is none
    """
    return Flavor(
        id=str(document["id"]),
        name=str(document["name"]),
        vcpus=int(document["vcpus"]),
        ram=int(document["ram"]),
        disk=int(document["disk"]),
        ephemeral=int(document.get("OS-FLV-EXT-DATA:ephemeral") or 0),
        # No swap is "" before microversion 2.75.
        swap=int(document.get("swap") or 0),
        public=bool(document.get("os-flavor-access:is_public", True)),
        disabled=bool(document.get("OS-FLV-DISABLED:disabled", False)),
        extra_specs=dict(document.get("extra_specs") or {}),
    )
