# SPDX-License-Identifier: Apache-2.0
"""Nova's own tests of virt drivers, with this driver over a real engine.

A test that Nova's decorator would let pass because the driver raised NotImplementedError is
skipped, with the method that is missing. So is one whose action the driver refuses by name.
"""

import functools
import hashlib
import pathlib
import typing

import pytest
from nova import exception, test
from nova.tests.unit.virt import test_virt_drivers

try:
    from nova.virt import node
except ImportError:  # Nova 26, whose resource tracker makes the uuid itself
    node = None

from novadocker import errors, images
from novadocker.virt import moves
from tests.functional.novadocker import dockerd as engines

Case = test_virt_drivers._VirtDriverTestCase

#: The methods that this driver does not have; another one that is missing is a failure.
_MISSING = {
    "attach_volume",
    "block_stats",
    "get_host_cpu_stats",
    "get_instance_disk_info",
    "get_mks_console",
    "get_serial_console",
    "get_spice_console",
    "get_vnc_console",
    "get_volume_connector",
    "host_power_action",
    "live_migration_abort",
    "rescue",
    "restore",
    "set_admin_password",
    "set_host_enabled",
    "soft_delete",
    "trigger_crash_dump",
    "unrescue",
}
#: Nova's tests look into libvirt's driver there.
_OF_LIBVIRT = ("test_live_migration", "test_live_migration_force_complete")
_REFUSALS = (
    *(errors.ActionNotServed, exception.InstanceFaultRollback, exception.InvalidVolume),
    # Of a host without live images.
    *(errors.NotSuspended, errors.NotResumed, errors.NoLiveImage),
    # In place of InstanceNotRunning, which Nova takes for a delete: the user would learn nothing.
    errors.NoContainer,
)


class Glance:
    """Has the demo's image under each id."""

    def __init__(self, archive: bytes) -> None:
        self._archive = archive

    def get(self, context: object, image_id: str) -> dict[str, typing.Any]:
        digest = hashlib.sha512(self._archive).hexdigest()
        return {"id": image_id, "os_hash_algo": "sha512", "os_hash_value": digest}

    def download(self, context: object, image_id: str, dest_path: str) -> None:
        pathlib.Path(dest_path).write_bytes(self._archive)

    def create(
        self, context: object, metadata: dict[str, str], data: typing.Any
    ) -> dict[str, typing.Any]:
        """Take an upload, and have the demo's image under the id."""
        size = sum(len(piece) for piece in iter(lambda: data.read(65536), b""))
        digest = {"os_hash_algo": None, "os_hash_value": None}
        return self.get(context, metadata["id"]) | digest | {"size": size}

    def update(
        self, context: object, image_id: str, metadata: object, data: typing.Any, **_more: object
    ) -> dict[str, typing.Any]:
        """Take an upload."""
        size = sum(len(piece) for piece in iter(lambda: data.read(65536), b""))
        return self.get(context, image_id) | {"size": size}

    def delete(self, context: object, image_id: str) -> None:
        """Nothing."""


class Report:
    """Stands in for the log of Nova's tests, which gets what is not implemented, and no more."""

    def __init__(self, skip: typing.Callable[[str], typing.NoReturn]) -> None:
        self._skip = skip

    def error(self, message: str, values: typing.Mapping[str, str]) -> typing.NoReturn:
        """Skip the test."""
        assert values["method"] in _MISSING, values
        self._skip(f"not implemented: {values['method']}")


def reported(function: typing.Callable[..., None]) -> typing.Callable[..., None]:
    """A test that is skipped where the driver refuses what it does."""

    @functools.wraps(function)
    def report(self: test.TestCase) -> None:
        try:
            function(self)
        except _REFUSALS as e:
            refusal = getattr(e, "inner_exception", e)
            if not isinstance(refusal, _REFUSALS):
                raise
            self.skipTest(f"refused: {refusal.format_message()}")

    return report


class DockerDriverTestCase(Case, test.TestCase):
    """All tests that Nova has for a driver; servers have no ports, which need a switch."""

    driver_module = "novadocker.virt.docker.DockerDriver"

    for _name in dir(Case):
        if _name.startswith("test_"):
            locals()[_name] = reported(getattr(Case, _name))

    @pytest.fixture(autouse=True)
    def _engine(
        self, dockerd: engines.Dockerd, archive: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> typing.Iterator[None]:
        type(self).dockerd = dockerd
        monkeypatch.setattr(images, "IMAGE_API", Glance(archive))
        # Nova's test has no record of the migration.
        monkeypatch.setattr(moves, "_stays_here", lambda *_arguments: False)
        if node is not None:
            monkeypatch.setattr(node, "LOCAL_NODE_UUID", "0a0b0c0d-0000-0000-0000-000000000001")
        yield
        dockerd.remove_containers()

    def setUp(self) -> None:
        if self._testMethodName in _OF_LIBVIRT:
            self.skipTest("containers are not live migrated")
        super().setUp()
        self.flags(host_url=self.dockerd.url, start_timeout=0, stop_timeout=1, group="docker")
        log = "nova.tests.unit.virt.test_virt_drivers.LOG"
        self.stub_out(log, Report(self.skipTest))

    def tearDown(self) -> None:
        self.connection.register_event_listener(None)
        super().tearDown()

    def _clear_attrs(self) -> None:
        # pytest sets the test method as an attribute of the test and takes it away itself.
        method = self.__dict__.get(self._testMethodName)
        super()._clear_attrs()
        if method is not None:
            self.__dict__[self._testMethodName] = method

    def _get_running_instance(self, obj: bool = True) -> tuple[typing.Any, list[typing.Any]]:
        instance = test_virt_drivers.test_utils.get_test_instance(obj=obj)
        meta = test_virt_drivers.test_utils.get_test_image_object(None, instance)
        meta.container_format = "docker"
        self.connection.prepare_for_spawn(instance)
        self.connection.spawn(self.ctxt, instance, meta, [], "herp", {}, network_info=[])
        return instance, []
