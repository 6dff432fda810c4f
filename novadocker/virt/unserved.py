# SPDX-License-Identifier: Apache-2.0
"""Refuses the actions that containers do not have, before anything of the server is touched."""

import typing

from nova import exception
from nova.virt import driver

from novadocker import errors

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

_Any = typing.Any


class UnservedActions(driver.ComputeDriver):  # type: ignore[misc]
    """What a Docker driver does not serve, with the reason for the user.

    Nova's own class raises NotImplementedError, of which a user sees the name at most.
    """

    def check_rescue(self, instance: "objects.Instance") -> typing.NoReturn:
        """Refuse a rescue before Nova stops the container; see fpga_hooks.calls.

        :raises errors.ActionNotServed: always
        """
        raise errors.ActionNotServed("rescue")

    def check_can_live_migrate_destination(
        self, context: "nova_context.RequestContext", *_others: _Any, **_more: _Any
    ) -> typing.NoReturn:
        """Refuse.

        :raises nova.exception.MigrationPreCheckError: always
        """
        raise exception.MigrationPreCheckError(
            reason="containers are not live migrated; nothing was changed"
        )

    def get_device_name_for_instance(
        self, instance: "objects.Instance", bdms: _Any, block_device_obj: _Any
    ) -> typing.NoReturn:
        """Refuse a volume that is to be attached: Nova asks for its name first of all.

        :raises nova.exception.InvalidVolume: it is a volume; nova-api gives the user the reason
        :raises NotImplementedError: it is the image, which Nova can name itself
        """
        if block_device_obj.is_volume:
            raise exception.InvalidVolume(
                reason="containers have no volumes; the server was not changed"
            )
        raise NotImplementedError

    def get_volume_connector(self, instance: "objects.Instance") -> typing.NoReturn:
        """Refuse a volume that a server is to be booted with.

        :raises NotImplementedError: always; Nova gives the user its text
        """
        raise NotImplementedError("containers have no volumes: boot from an image")

    def poll_rebooting_instances(self, timeout: int, instances: _Any) -> None:
        """Nothing; a reboot of a container ends, one way or the other, in `reboot`."""
