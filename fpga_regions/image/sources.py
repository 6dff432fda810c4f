# SPDX-License-Identifier: Apache-2.0
"""Where packages come from: Glance or a file; either way they pass the same checks."""

import logging
import pathlib

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.image import cache, glance, policy
from fpga_regions.model import Region
from fpga_regions.package import once, reader
from fpga_regions.system import cache as products
from fpga_regions.system import files

#: Folders of downloads, and of what they hold, in the state folder.
CACHE, UNPACKED = "cache", "unpacked"

_LOG = logging.getLogger(__name__)


def from_glance(conf: cfg.ConfigOpts, image_id: str) -> reader.Package:
    """The package that is the data of a Glance image.

    Glance is asked for the image each time; its data comes from the cache where it is there.

    :raises errors.ImageUnavailable: Glance has no such bitstream image
    :raises errors.ImageServiceUnavailable: this host cannot fetch it
    :raises errors.BadPackage: it is not valid, larger than a limit, or not signed as it must be
    :raises errors.NotAccessible: a key to check signatures with cannot be used
    :raises errors.TimedOut: it took longer than fetch_timeout
    """
    limits = reader.Limits.of(conf)
    state, size = pathlib.Path(conf.state_dir), conf.packages.cache_size
    image = glance.fetch(conf, image_id, cache.Cache(state / CACHE, size), limits.max_size)
    with image.file as file:
        if size:
            unpacked = products.Cache(state / UNPACKED, size)
            package = once.read(file, "-".join(image.digest), limits, unpacked)
        else:
            package = reader.read_confined(file, limits)
        policy.check(conf, package, image)
    return package


def from_file(conf: cfg.ConfigOpts, path: pathlib.Path) -> reader.Package:
    """The package in a file, to be burnt.

    :raises errors.BadPackage: it cannot be read, is not valid, larger than a limit, or not signed
        as it must be
    :raises errors.NotAccessible: a key to check signatures with cannot be used
    """
    package = read(conf, path)
    policy.check(conf, package, None)
    return package


def read(conf: cfg.ConfigOpts, path: pathlib.Path) -> reader.Package:
    """The package in a file, whether or not the operator lets it be burnt.

    :raises errors.BadPackage: it cannot be read, is not valid, or is larger than a limit
    """
    with files.opened(path) as file:
        return reader.read_confined(file, reader.Limits.of(conf))


def previous(conf: cfg.ConfigOpts, region: Region) -> reader.Package | None:
    """The package that a region was programmed with: of this host, or from Glance; None for none.

    It passed the checks when it was burnt.
    """

    def suits(package: reader.Package) -> bool:
        exposed = [(one.kind, one.name) for one in package.manifest.exposes]
        nodes = [(node.kind, node.name) for node in region.nodes]
        return package.loaded == region.loaded and exposed == nodes

    unpacked = products.Cache(pathlib.Path(conf.state_dir) / UNPACKED, conf.packages.cache_size)
    package = once.find(unpacked, region.digest or "", suits)
    if package is None and region.image_id is not None:
        try:
            package = from_glance(conf, region.image_id)
        except errors.RegionError as e:
            _LOG.warning("region %s: what is in it cannot be put back: %s", region.id, e.why)
    return package if package is not None and suits(package) else None
