# SPDX-License-Identifier: Apache-2.0
"""The images in the engine, as Nova's driver interface asks for them."""

import typing

from novadocker import image_cache, images
from novadocker.engine import Engine

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects


class CacheActions:
    """The part of a driver that brings images to a host and removes them.

    :ivar engine: where they are
    """

    engine: Engine

    def cache_image(self, context: "nova_context.RequestContext", image_id: str) -> bool:
        """Bring an image to the engine before a server needs it, as an aggregate's operator asks.

        :returns: whether it was fetched; False if the engine had it
        :raises nova.exception.NovaException: the reason why it has not
        """
        return images.cache(self.engine, context, image_id)

    def manage_image_cache(
        self, context: "nova_context.RequestContext", all_instances: "objects.InstanceList"
    ) -> None:
        """Remove images that nothing has used for the time in ``[image_cache]``."""
        image_cache.manage(self.engine, all_instances)
