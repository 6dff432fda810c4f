# SPDX-License-Identifier: Apache-2.0
"""A virt driver outside Nova that notes down what it is asked for, in the order it is asked."""

import typing

from nova import exception
from nova.virt import fake

from fpga_hooks.placement import inventory
from novadocker.virt import docker


class Events(list[str]):
    """What happened, oldest first, and what shall fail."""

    fail: typing.ClassVar[set[str]] = set()

    def note(self, event: str) -> None:
        """Note an event, and fail if the test asked for that."""
        self.append(event)
        if event in self.fail:
            raise exception.NovaException(f"{event} was told to fail")


EVENTS = Events()


class RecordingDriver(fake.FakeDriver):
    """Nova's fake driver with notes."""

    def init_host(self, host):
        EVENTS.note("driver init")
        super().init_host(host)

    def update_provider_tree(self, provider_tree, nodename, allocations=None):
        known = provider_tree.data(nodename).inventory
        super().update_provider_tree(provider_tree, nodename, allocations)
        merged = {**known, **provider_tree.data(nodename).inventory}
        provider_tree.update_inventory(nodename, merged)
        inventory.update_provider_tree(provider_tree, nodename, allocations)

    # Refused as it is for real containers.
    check_can_live_migrate_destination = docker.DockerDriver.check_can_live_migrate_destination

    def spawn(self, *args, **kwargs):
        EVENTS.note("spawn")
        super().spawn(*args, **kwargs)

    def destroy(self, *args, **kwargs):
        EVENTS.note("destroy")
        super().destroy(*args, **kwargs)

    def finish_migration(self, *args, **kwargs):
        EVENTS.note("finish migration")
        super().finish_migration(*args, **kwargs)

    def confirm_migration(self, *args, **kwargs):
        EVENTS.note("confirm migration")
        super().confirm_migration(*args, **kwargs)

    def finish_revert_migration(self, *args, **kwargs):
        EVENTS.note("finish revert")
        super().finish_revert_migration(*args, **kwargs)


class NoDriver:
    """A class that is no virt driver."""

    def __init__(self, virtapi):
        pass
