# SPDX-License-Identifier: Apache-2.0
"""The class that functional tests derive from: a patched Nova with all its services, in process.

API, conductor, scheduler and compute services are Nova's own, and so is Placement; the virt driver
is Nova's fake one, RPC and the databases live in memory or in temporary files.
"""

import pathlib
import sys
import time
import typing

import fixtures
from nova import context as nova_context
from nova import objects
from nova.tests.functional import integrated_helpers

#: A bitstream image; nothing looks it up unless the hooks are on.
BITSTREAM = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"

#: Nova's wheel puts it beside its interpreter; Nova's own tests look in a source tree.
_PASTE = str(pathlib.Path(sys.prefix, "etc/nova/api-paste.ini"))

#: Seconds that a server may take to come to a state.
_PATIENCE = 30

_CAST_AS_CALL = "nova.tests.fixtures.CastAsCallFixture"


class FunctionalTestCase(integrated_helpers._IntegratedTestBase):
    """A cloud whose compute hosts report as many regions as ``REGIONS`` says.

    The hooks are off (``[fpga] access`` is False): what is counted is seen without what is burnt.
    A class that wants the real hooks sets ``REGIONS`` to None and turns them on in
    ``configure``.
    """

    #: Compute hosts to start.
    HOSTS: typing.ClassVar[tuple[str, ...]] = ("host1",)
    #: Regions that each host reports; None leaves the report to the hooks.
    REGIONS: typing.ClassVar[int | None] = 1
    #: Whether the scheduler runs FpgaFilter; without it the claim is what refuses.
    FPGA_FILTER: typing.ClassVar[bool] = True

    ADMIN_API = True
    CAST_AS_CALL = False
    REQUIRES_LOCKING = False
    microversion = "latest"

    def setUp(self) -> None:
        """Leave casts casts in Zed, too, whose tests always make calls of them."""
        if not hasattr(integrated_helpers._IntegratedTestBase, "CAST_AS_CALL"):
            self.useFixture(fixtures.MonkeyPatch(_CAST_AS_CALL, lambda test: fixtures.Fixture()))
        super().setUp()

    def configure(self) -> None:
        """Set options before any service starts; for subclasses."""

    def _setup_services(self) -> None:
        if self.REGIONS is not None:
            self.report_regions(dict.fromkeys(self.HOSTS, self.REGIONS))
        self.flags(
            available_filters=[
                "nova.scheduler.filters.all_filters",
                "scheduler_filters.fpga_filter.FpgaFilter",
            ],
            enabled_filters=["ComputeFilter"] + ["FpgaFilter"] * self.FPGA_FILTER,
            group="filter_scheduler",
        )
        self.flags(api_paste_config=_PASTE, group="wsgi")
        self.configure()
        super()._setup_services()

    def _setup_compute_service(self) -> typing.Any:
        computes = [self._start_compute(host) for host in self.HOSTS]
        return computes[0]

    def _clear_attrs(self) -> None:
        # pytest sets the test method as an attribute of the test and takes it away itself.
        method = self.__dict__.get(self._testMethodName)
        super()._clear_attrs()
        if method is not None:
            self.__dict__[self._testMethodName] = method

    def _wait_for_server_parameter(
        self,
        server: typing.Mapping[str, typing.Any],
        expected_params: typing.Mapping[str, typing.Any],
        *limits: int,
        api: typing.Any = None,
        **_more: typing.Any,
    ) -> typing.Any:
        """Nova's own gives up after five seconds, which a busy machine may need."""
        return super()._wait_for_server_parameter(
            server, expected_params, max_retries=2 * _PATIENCE, api=api
        )

    def _wait_for_migration_status(
        self, server: typing.Mapping[str, typing.Any], expected_statuses: typing.Iterable[str]
    ) -> dict[str, typing.Any]:
        """Nova's own gives up after five seconds here, too."""
        for _attempt in range(10 * _PATIENCE):
            migrations: list[dict[str, typing.Any]]
            migrations = self.api.api_get("/os-migrations").body["migrations"]
            for migration in migrations:
                of_server = migration["instance_uuid"] == server["id"]
                if of_server and migration["status"].lower() in expected_statuses:
                    return migration
            time.sleep(0.1)
        waited = f"waited {_PATIENCE} s for a migration of server {server['id']}"
        raise self.failureException(waited)

    def _wait_until(
        self,
        server: typing.Mapping[str, typing.Any],
        condition: typing.Callable[[dict[str, typing.Any]], bool],
    ) -> None:
        for _attempt in range(10 * _PATIENCE):
            if condition(self.api.get_server(server["id"])):
                return
            time.sleep(0.1)
        self.fail(f"waited {_PATIENCE} s for server {server['id']}")

    def report_regions(self, regions: typing.Mapping[str, int]) -> None:
        """Have compute hosts report these counts from their next audit on."""

        def report(resources: dict[str, typing.Any]) -> None:
            resources["fpga_regions"] = regions[resources["hypervisor_hostname"]]

        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.calls.update_resources", report))

    def fpga_flavor(self, bitstream: str = BITSTREAM) -> str:
        """Make a flavor that asks for a region; its id."""
        flavor: str = self._create_flavor(
            name=f"fpga-{bitstream}",
            memory_mb=64,
            vcpu=1,
            disk=1,
            ephemeral=0,
            extra_spec={"hw:fpga_ip_id": bitstream},
        )
        return flavor

    def plain_flavor(self) -> str:
        """Make a flavor that asks for no region; its id."""
        flavor: str = self._create_flavor(
            name="plain", memory_mb=64, vcpu=1, disk=1, ephemeral=0, extra_spec={}
        )
        return flavor

    def boot(
        self, flavor: str, state: str = "ACTIVE", host: str | None = None
    ) -> dict[str, typing.Any]:
        """Boot a server without a network and wait until it is in a state."""
        server: dict[str, typing.Any] = self._create_server(
            flavor_id=flavor, networks="none", host=host, expected_state=state
        )
        return server

    def settle(self, server: typing.Mapping[str, typing.Any]) -> str:
        """Wait until a server is not being built any more; its status."""
        self._wait_until(server, lambda record: record["status"] != "BUILD")
        status: str = self.api.get_server(server["id"])["status"]
        return status

    def delete(self, server: typing.Mapping[str, typing.Any]) -> None:
        """Delete a server and wait until it is gone."""
        self._delete_server(server)

    def fault(self, server: typing.Mapping[str, typing.Any]) -> str:
        """The fault message that a user sees; Nova writes it after the state ERROR."""
        self._wait_until(server, lambda record: "fault" in record)
        message: str = self.api.get_server(server["id"])["fault"]["message"]
        return message

    def compute_node(self, host: str = "host1") -> objects.ComputeNode:
        """The record of a compute host as the scheduler reads it."""
        with nova_context.target_cell(self.admin_context(), self.cell_mappings["cell1"]) as context:
            return objects.ComputeNode.get_first_node_by_host_for_old_compat(context, host)

    def instance(self, server: typing.Mapping[str, typing.Any]) -> objects.Instance:
        """The record of a server, of a deleted one too."""
        with nova_context.target_cell(
            self.admin_context(read_deleted="yes"), self.cell_mappings["cell1"]
        ) as context:
            return objects.Instance.get_by_uuid(context, server["id"])

    def used(self, host: str = "host1") -> int | None:
        """The regions in use that Nova's database has for a host."""
        count: int | None = self.compute_node(host).fpga_regions_used
        return count

    def in_cell(self) -> typing.ContextManager[nova_context.RequestContext]:
        """A context whose database is that of the compute hosts."""
        cell = self.cell_mappings["cell1"]
        target: typing.ContextManager[nova_context.RequestContext] = nova_context.target_cell(
            self.admin_context(), cell
        )
        return target

    def audit(self) -> None:
        """Have every compute host report what it has, as it does from time to time."""
        before = len(self.stdlog.logger.output)
        self._run_periodics()
        # Nova logs what goes wrong, and goes on; up to Zed its tests have no way to ask for more.
        self.assertNotIn("Traceback (most recent call last", self.stdlog.logger.output[before:])

    def admin_context(self, **options: typing.Any) -> nova_context.RequestContext:
        """A context of the cloud's administrator."""
        return nova_context.get_admin_context(**options)
