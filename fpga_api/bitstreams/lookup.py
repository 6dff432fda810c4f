# SPDX-License-Identifier: Apache-2.0
"""The engine's task that reads packages which people uploaded by raw Glance (seed 004, option A).

Images are looked up by tag and time of change. One without the property ``manifest`` has its
package read, once for all images of the same data, so that it is shown as any other.
"""

import collections
import itertools
import tempfile
import typing

from oslo_log import log as logging

from fpga_api import errors, publication
from fpga_api.bitstreams import documents, packages
from fpga_api.bitstreams.glance import PAGE, Glance, Image
from fpga_api.service import Service

LOG = logging.getLogger(__name__)

#: Seconds between two looks, and downloads per look: who uploads many waits, and nobody else.
INTERVAL, DOWNLOADS = 60.0, 8

#: Earlier than any change.
_NEVER = "1970-01-01T00:00:00Z"

#: Looks after which all images are listed again, not those alone that changed.
_ALL = 30

Packages = dict[str, dict[str, typing.Any]]


class Lookup:
    """What the engine knows of such packages; another engine goes on with what is published.

    :param service: whose user asks Glance
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._packages: Packages = {}
        self._unread: dict[str, Image] = {}
        self._seen = ""
        self._looks = itertools.count()

    def refresh(self) -> None:
        """Look once, and publish what is known then.

        :raises errors.Unavailable: Glance does not answer; what was read before stays
        """
        if not self._seen:
            self._packages = dict(documents.manifests(self._service.publication))
        glance = Glance(self._service.adapter("image"))
        self._look(glance, everything=next(self._looks) % _ALL == 0)
        for digest, image in _in_turn(self._unread)[:DOWNLOADS]:
            del self._unread[digest]
            try:
                self._packages[digest] = self._read(glance, image)
            except errors.ApiError as e:
                LOG.warning("the package of image %s comes again last: %s", image["id"], e)
                self._unread[digest] = image
        self._service.publication.publish(
            publication.BITSTREAMS, {"packages": self._packages}, INTERVAL
        )

    def _look(self, glance: Glance, everything: bool) -> None:
        """Note what is new, and with `everything` forget what is gone."""
        filters = {} if everything or not self._seen else {"updated_at": f"gte:{self._seen}"}
        images = list(_all(glance, filters))
        found = {
            image["os_hash_value"]: image
            for image in images
            if image["status"] == "active"
            and image.get("os_hash_value")
            and documents.read_manifest(image.get("manifest")) is None
        }
        if not filters:
            self._packages = {key: one for key, one in self._packages.items() if key in found}
            self._unread = {}
        self._unread |= {key: one for key, one in found.items() if key not in self._packages}
        self._seen = max([self._seen or _NEVER, *(image["updated_at"] for image in images)])

    def _read(self, glance: Glance, image: Image) -> dict[str, typing.Any]:
        """The manifest of an image's package, or what is wrong with the package."""
        most = self._service.conf.packages.max_size
        try:
            with tempfile.TemporaryFile(dir=self._service.conf.fpga_api.upload_folder) as file:
                for chunk in glance.download(image["id"], most):
                    file.write(chunk)
                file.seek(0)
                return {"manifest": packages.check(self._service.conf, file).manifest}
        except (errors.BadPackage, errors.NotFound, errors.TooLarge) as e:
            return {"manifest": None, "fault": e.detail}


def _in_turn(images: dict[str, Image]) -> list[tuple[str, Image]]:
    """Images by digest, the first one of each project before the second one of any."""
    counts: collections.Counter[str | None] = collections.Counter()
    ranks: dict[str, int] = {}
    for digest, image in images.items():
        ranks[digest] = counts[image.get("owner")]
        counts[image.get("owner")] += 1
    return sorted(images.items(), key=lambda one: ranks[one[0]])


def _all(glance: Glance, filters: dict[str, str]) -> typing.Iterator[Image]:
    marker = None
    while True:
        page = glance.page(marker, PAGE, filters)
        yield from page
        if len(page) < PAGE:
            return
        marker = page[-1]["id"]
