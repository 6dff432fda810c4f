# SPDX-License-Identifier: Apache-2.0
"""What a hook of the entry-point group ``nova.fpga.hooks`` is."""

import typing

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects


class Hook:
    """Called by Nova while it builds and deletes instances on this host.

    A hook implements the steps that it has something to do at. Each may be called again for an
    instance that it was called for before, and must then change nothing that is right already.
    """

    def init_host(self, host: str) -> None:
        """nova-compute starts, after the virt driver and before any instance is looked at.

        :param host: the name of the compute host
        :raises Exception: nova-compute does not start
        """

    def build_instance(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
    ) -> None:
        """Right before the virt driver makes the guest.

        :raises Exception: the build fails and is cleaned up after, delete_instance included
        """

    def check_rebuild(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> None:
        """Before the guest of an instance of this host is destroyed, to be made anew.

        What the instance has of its image is of the new one already.

        :raises Exception: it is not rebuilt, and is as it was; its users find the reason in the
            server's event
        """

    def delete_instance(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> None:
        """Right after the virt driver has destroyed the guest, also one that never came to be.

        An exception ends the delete; raise only where going on would do harm.
        """

    def update_resources(self, resources: dict[str, typing.Any]) -> None:
        """The resource tracker has asked the virt driver what this host has.

        :param resources: what the host has, to be added to
        """
