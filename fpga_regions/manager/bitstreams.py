# SPDX-License-Identifier: Apache-2.0
"""What a burn programs: an image in Glance, or a package that is at hand."""

import abc
import functools
import typing

from fpga_regions.model import Region
from fpga_regions.package.reader import Package


class Bitstream(abc.ABC):
    """What a burn programs."""

    #: The image that the package is from; None for one from a file.
    image_id: str | None

    @property
    @abc.abstractmethod
    def package(self) -> Package:
        """The package, fetched when it is first asked for.

        :raises errors.RegionError: it cannot be fetched
        """

    @abc.abstractmethod
    def is_in(self, region: Region) -> bool:
        """Whether a region is on record as burnt with the very same."""


class Image(Bitstream):
    """An image in Glance.

    :param fetch: gives the package of an image id
    """

    image_id: str

    def __init__(self, image_id: str, fetch: typing.Callable[[str], Package]) -> None:
        self.image_id = image_id
        self._fetch = fetch

    @functools.cached_property
    def package(self) -> Package:
        """The package, fetched once."""
        return self._fetch(self.image_id)

    def is_in(self, region: Region) -> bool:
        """Whether a region was burnt from this image."""
        return region.image_id == self.image_id


class OnRecord(Bitstream):
    """What a region was programmed with, as the ledger has it, to be put back."""

    def __init__(self, region: Region, package: Package) -> None:
        self.image_id = region.image_id
        self._package = package

    @property
    def package(self) -> Package:
        """The package."""
        return self._package

    def is_in(self, region: Region) -> bool:
        """Whether a region is on record with it."""
        return (region.image_id, region.loaded) == (self.image_id, self._package.loaded)


class File(Bitstream):
    """A package that is at hand; the region has no image id then."""

    image_id = None

    def __init__(self, package: Package) -> None:
        self._package = package

    @property
    def package(self) -> Package:
        """The package."""
        return self._package

    def is_in(self, region: Region) -> bool:
        """Whether a region was burnt from a file with the same bitfile and the same nodes."""
        nodes = [(node.kind, node.name) for node in region.nodes]
        return (
            region.image_id is None
            and region.loaded == self._package.loaded
            and nodes == [(one.kind, one.name) for one in self._package.manifest.exposes]
        )
