# SPDX-License-Identifier: Apache-2.0
"""The engine's task that deletes the hidden bitstreams of programs when nobody needs them.

Such a bitstream was uploaded for one server. It stays while the server may need it again, as after
a power cycle or an evacuation: until another program took its place, or the server is gone.
"""

from oslo_log import log as logging

from fpga_api import errors, publication
from fpga_api.bitstreams.glance import PAGE, Glance, Image
from fpga_api.db import programs
from fpga_api.programs import servers
from fpga_api.service import Service
from fpga_nova import request

LOG = logging.getLogger(__name__)

#: Seconds from one look to the next.
INTERVAL = 60.0

#: The property with the server of such an image.
PROPERTY = "fpga_server"


class Images:
    """The hidden bitstreams of all projects.

    :param service: whose user asks Glance, and deletes
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def run(self) -> None:
        """Delete what nobody needs.

        :raises errors.Unavailable: another service or the database does not answer
        """
        glance = Glance(self._service.adapter("image"))
        for image in self._all(glance):
            reason = self._superfluous(image)
            if reason is None:
                continue
            try:
                glance.delete(image["id"])
            except (errors.NotFound, errors.Forbidden, errors.GlanceRefused) as e:
                LOG.warning("Bitstream %s stays, though %s: %s", image["id"], reason, e)
            else:
                LOG.info("Bitstream %s is deleted: %s", image["id"], reason)

    def _all(self, glance: Glance) -> list[Image]:
        found: list[Image] = []
        while True:
            marker = found[-1]["id"] if found else None
            page = glance.page(marker, PAGE, {"os_hidden": "true", "visibility": "all"})
            found += page
            if len(page) < PAGE:
                return [one for one in found if request.UUID.fullmatch(str(one.get(PROPERTY)))]

    def _superfluous(self, image: Image) -> str | None:
        """Why nobody needs an image; None if somebody may."""
        if servers.find(self._service, image[PROPERTY]) is None:
            return "its server is gone"
        found = programs.of_bitstream(self._service.database, image["id"])
        if not found or programs.needed(found):
            return None
        regions = self._service.publication.require(publication.HOSTS).document["regions"]
        if any(one["bitstream_id"] == image["id"] for one in regions):
            return None
        return "another program took its place"
