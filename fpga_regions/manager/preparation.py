# SPDX-License-Identifier: Apache-2.0
"""Prepares for the first burn of each bitstream image: fetches it, and has the drivers prepare it.

What was prepared is on record by the image's digest, so that only what changed is looked at again.
"""

import contextlib
import json
import logging
import typing
from pathlib import Path

from oslo_config import cfg

from fpga_nova import durable
from fpga_regions import errors
from fpga_regions.drivers.api import Driver
from fpga_regions.image import listing, sources
from fpga_regions.manager import matching
from fpga_regions.system import folders, locks

_LOG = logging.getLogger(__name__)
_RECORD, _LOCK = "prepared.json", "prepared.lock"


def prepare(conf: cfg.ConfigOpts, drivers: dict[str, Driver]) -> None:
    """Keep a token, and prepare the images that changed since the last time.

    An image that cannot be prepared is a warning, and is tried again unless it is at fault itself.

    :raises errors.ImageServiceUnavailable: Glance or Keystone cannot be asked
    """
    preparing = {name: driver for name, driver in drivers.items() if driver.prepares}
    if not preparing:
        listing.sign_in(conf)
        return
    folder = Path(conf.state_dir)
    folders.make_private(folder)
    # Another process that prepares does it for this one, too.
    with contextlib.suppress(locks.NotLocked), locks.held(folder / _LOCK):
        _prepare(conf, preparing, folder)


def _prepare(conf: cfg.ConfigOpts, drivers: dict[str, Driver], folder: Path) -> None:
    slots = [(driver, slot) for driver in drivers.values() for slot in driver.discover()]
    targets = {(slot.board, part) for _, slot in slots for part in slot.parts}
    done, room = _recorded(folder), conf.packages.cache_size
    now: dict[str, str] = {}
    for image in listing.images(conf):
        if image.target is not None and image.target not in targets:
            continue
        # The latest go first; what would drive them out of the cache again is not fetched.
        room -= image.size
        if room < 0:
            break
        if done.get(image.id) == image.digest or _is_prepared(conf, slots, image.id):
            now[image.id] = image.digest
    if now != done:
        _record(folder, now)


def _is_prepared(
    conf: cfg.ConfigOpts, slots: typing.Sequence[tuple[Driver, typing.Any]], image_id: str
) -> bool:
    """Prepare an image; whether that is over, for good or ill."""
    try:
        package = sources.from_glance(conf, image_id)
        for driver in {driver for driver, slot in slots if matching.fits(slot, package)}:
            driver.prepare(package)
    except (errors.BadPackage, errors.ImageUnavailable, errors.NoMatchingHardware) as e:
        _LOG.warning("image %s is not prepared: %s", image_id, e.why)
    except errors.RegionError as e:
        _LOG.warning("image %s is not prepared yet: %s", image_id, e.why)
        return False
    return True


def _recorded(folder: Path) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((folder / _RECORD).read_text())
        return found if isinstance(found, dict) else {}
    return {}


def _record(folder: Path, images: dict[str, str]) -> None:
    durable.write(folder / _RECORD, json.dumps(images).encode(), 0o600)
