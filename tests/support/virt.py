# SPDX-License-Identifier: Apache-2.0
"""Nova's fake virt driver with guests that outlive nova-compute, as those of a hypervisor do."""

import json
import pathlib
import typing

from nova.compute import power_state
from nova.virt import fake
from oslo_config import cfg

from fpga_hooks.instance import guests
from fpga_hooks.instance.guests import Guest
from fpga_hooks.placement import inventory


class KeepingDriver(fake.FakeDriverWithoutFakeNodes):  # type: ignore[misc]
    """Its guests are on record in the file ``guests`` of the state path."""

    def __init__(self, virtapi: typing.Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._record = pathlib.Path(cfg.CONF.state_path, "guests")
        if self._record.exists():
            for uuid, name in json.loads(self._record.read_text()).items():
                self.instances[uuid] = fake.FakeInstance(name, power_state.RUNNING, uuid)
        guests.machine.register(self)

    def guests(self) -> list[Guest]:
        """Its guests; they get no nodes."""
        return [
            Guest(guest.name, uuid, guest.state == power_state.RUNNING, frozenset())
            for uuid, guest in self.instances.items()
        ]

    def stop(self, guest: Guest) -> None:
        """End a guest's processes."""
        self.instances[guest.instance].state = power_state.SHUTDOWN

    def spawn(self, *arguments: typing.Any, **more: typing.Any) -> None:
        """Make a guest."""
        super().spawn(*arguments, **more)
        self._save()

    def destroy(self, *arguments: typing.Any, **more: typing.Any) -> None:
        """Remove a guest."""
        super().destroy(*arguments, **more)
        self._save()

    def finish_migration(self, *arguments: typing.Any, **more: typing.Any) -> None:
        """Make a guest that came from elsewhere."""
        super().finish_migration(*arguments, **more)
        self._save()

    def update_provider_tree(
        self, provider_tree: typing.Any, nodename: str, allocations: typing.Any = None
    ) -> None:
        """Tell Placement of the regions, too."""
        known = provider_tree.data(nodename).inventory
        super().update_provider_tree(provider_tree, nodename, allocations)
        merged = {**known, **provider_tree.data(nodename).inventory}
        provider_tree.update_inventory(nodename, merged)
        inventory.update_provider_tree(provider_tree, nodename)

    def _save(self) -> None:
        names = {uuid: guest.name for uuid, guest in self.instances.items()}
        new = self._record.with_suffix(".new")
        new.write_text(json.dumps(names))
        new.replace(self._record)
