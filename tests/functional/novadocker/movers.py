# SPDX-License-Identifier: Apache-2.0
"""Moves servers between two hosts as Nova's compute managers do; both hosts have one engine."""

import contextlib
import typing

from nova import exception, objects
from nova.compute import task_states, vm_states

from novadocker import carriers
from novadocker.virt import docker as novadocker_driver

SMALL = {"name": "small", "memory_mb": 64, "vcpus": 1, "root_gb": 1, "ephemeral_gb": 0, "swap": 0}


class Mover:
    """Two hosts, each with a driver and a folder of its own.

    :param servers: those of host1
    :param config: sets options
    :param folder: of the hosts' folders
    :ivar instances: those of which the database has a record
    :ivar migrations: those of which the database has a record
    """

    def __init__(self, servers, config, folder, monkeypatch):
        self.servers, self.config, self.folder = servers, config, folder
        self.drivers = {"host1": servers.driver, "host2": novadocker_driver.DockerDriver(None)}
        self.instances, self.migrations = {}, {}
        self._host("host1")
        monkeypatch.setattr(carriers, "_identity", lambda: servers.context)
        monkeypatch.setattr(objects.Migration, "get_by_id", self._migration)
        monkeypatch.setattr(objects.Instance, "get_by_uuid", self._instance)

    def _migration(self, context, migration_id):
        return self.migrations[migration_id]

    def _instance(self, context, uuid, **_more):
        if uuid not in self.instances:
            raise exception.InstanceNotFound(instance_id=uuid)
        return self.instances[uuid]

    def _host(self, name):
        self.config(host=name, instances_path=str(self.folder / name))

    @contextlib.contextmanager
    def on(self, name) -> typing.Iterator[novadocker_driver.DockerDriver]:
        """Be on a host; its driver."""
        self._host(name)
        yield self.drivers[name]
        self._host("host1")

    def boot(self, **changes):
        """A server of host1 that runs, of which the database has a record."""
        instance = self.servers.boot(vm_state=vm_states.ACTIVE, host="host1", **changes)
        self.record(instance)
        return instance

    def record(self, instance):
        """Have a record of a server in the database."""
        self.instances[instance.uuid] = instance

    def flavor(self, **changes):
        """A flavor; without changes, that of all servers."""
        return objects.Flavor(**{**SMALL, "extra_specs": {}, **changes})

    def begin(self, instance, to="host2"):
        """Make the record of a move."""
        number = len(self.migrations) + 1
        self.migrations[number] = objects.Migration(
            id=number,
            source_compute=instance.host,
            dest_compute=to,
            status="migrating",
            instance_uuid=instance.uuid,
        )
        instance.migration_context = objects.MigrationContext(migration_id=number)
        instance.task_state = task_states.RESIZE_MIGRATING
        instance.obj_reset_changes()
        return self.migrations[number]

    def pass_on(self, instance, migration, flavor=None):
        """Have the driver of the source host do its part; what the other host gets."""
        with self.on(migration.source_compute) as driver:
            return driver.migrate_disk_and_power_off(
                self.servers.context,
                instance,
                "192.0.2.1",
                flavor or instance.flavor,
                [],
                {},
                timeout=0,
                retry_interval=0,
            )

    def send(self, instance, to="host2", flavor=None):
        """Do what the source host does; the migration and what the other host gets."""
        migration = self.begin(instance, to)
        try:
            disk_info = self.pass_on(instance, migration, flavor)
        except BaseException:
            migration.status, instance.task_state = "error", None
            raise
        instance.host, instance.task_state = to, task_states.RESIZE_MIGRATED
        instance.old_flavor = instance.flavor
        return migration, disk_info

    def finish(self, instance, migration, disk_info, flavor=None, power_on=True):
        """Do what the new host does."""
        instance.task_state = task_states.RESIZE_FINISH
        instance.flavor = flavor or instance.flavor
        try:
            with self.on(migration.dest_compute) as driver:
                driver.finish_migration(
                    self.servers.context,
                    migration,
                    instance,
                    disk_info,
                    [],
                    self.servers.image,
                    False,
                    {},
                    power_on=power_on,
                )
        except BaseException:
            migration.status, instance.task_state = "error", None
            instance.vm_state = vm_states.ERROR
            raise
        migration.status, instance.task_state = "finished", None
        instance.vm_state = vm_states.RESIZED

    def move(self, instance, to="host2", flavor=None, power_on=True):
        """Move a server until somebody has to confirm it; the migration."""
        migration, disk_info = self.send(instance, to, flavor)
        self.finish(instance, migration, disk_info, flavor, power_on)
        return migration

    def confirm(self, instance, migration):
        """End a move."""
        with self.on(migration.source_compute) as driver:
            driver.confirm_migration(self.servers.context, migration, instance, [])
        migration.status, instance.vm_state = "confirmed", vm_states.ACTIVE

    def revert(self, instance, migration, power_on=True):
        """Undo a move."""
        instance.task_state = task_states.RESIZE_REVERTING
        with self.on(migration.dest_compute) as driver:
            driver.destroy(self.servers.context, instance, [])
        instance.host, instance.flavor = migration.source_compute, instance.old_flavor
        with self.on(migration.source_compute) as driver:
            driver.finish_revert_migration(
                self.servers.context, instance, [], migration, power_on=power_on
            )
        migration.status, instance.vm_state = "reverted", vm_states.ACTIVE
        instance.task_state = None

    def audit(self):
        """Have both hosts do what Nova has them do once a minute."""
        for name in self.drivers:
            with self.on(name) as driver:
                driver.get_available_resource(name)

    def destroy(self, instance):
        """Delete a server: Nova does so on its host, and on others where something is left."""
        del self.instances[instance.uuid]
        for name in self.drivers:
            with self.on(name) as driver:
                if name == instance.host or instance.uuid in driver.list_instance_uuids():
                    driver.destroy(self.servers.context, instance, [])

    def containers(self):
        """The names and states of all containers."""
        found = self.servers.client.containers.list(all=True)
        return {one.name: one.status for one in found}

    def remainder(self):
        """What may be left of moves: images in Glance, records and folders of servers."""
        carriers = [one for one, _ in self.servers.images.values() if "move" in one.get("name", "")]
        return [*carriers, *self.folder.glob("host*/*-*-*-*-*")]
