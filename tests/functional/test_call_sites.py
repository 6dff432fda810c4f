# SPDX-License-Identifier: Apache-2.0
"""Where Nova calls the hooks: before a guest is made and after it is destroyed, on every path."""

import fixtures
from nova import exception
from nova.policies import base as base_policies
from nova.policies import servers as servers_policies
from nova.tests.fixtures import glance

from tests.functional import base, recorder

EVENTS = recorder.EVENTS


class NotingTestCase(base.FunctionalTestCase):
    """Hosts with a driver, and calls, that note down what happens."""

    def configure(self):
        self.flags(compute_driver="tests.functional.recorder.RecordingDriver")
        notes = {"build_instance": "build", "delete_instance": "delete", "check_rebuild": "check"}
        for name, note in notes.items():
            self.useFixture(fixtures.MonkeyPatch(f"fpga_hooks.calls.{name}", self._noting(note)))
        self.useFixture(
            fixtures.MonkeyPatch("fpga_hooks.calls.init_host", lambda host: EVENTS.note("init"))
        )
        EVENTS.clear()
        EVENTS.fail.clear()

    @staticmethod
    def _noting(note):
        return lambda *arguments: EVENTS.note(note)

    def booted(self, **kwargs):
        """A server, with the notes of its boot thrown away."""
        server = self.boot(self.plain_flavor(), **kwargs)
        EVENTS.clear()
        return server


class TwoHosts(NotingTestCase):
    """Every path that makes or destroys a guest."""

    HOSTS = ("host1", "host2")

    def test_hooks_start_right_after_the_driver(self):
        self.assertEqual(["driver init", "init"] * 2, EVENTS)

    def test_boot_builds_before_the_spawn(self):
        EVENTS.clear()
        self.boot(self.plain_flavor())
        self.assertEqual(["build", "spawn"], EVENTS)

    def test_delete_comes_after_the_destroy(self):
        self.delete(self.booted())
        self.assertEqual(["destroy", "delete"], EVENTS)

    def test_failed_spawn_is_cleaned_up_before_the_next_host_builds(self):
        EVENTS.clear()
        EVENTS.fail.add("spawn")
        self.boot(self.plain_flavor(), state="ERROR")
        self.assertEqual(["build", "spawn", "destroy", "delete"] * 2, EVENTS)

    def test_failed_build_hook_is_cleaned_up_without_a_spawn(self):
        EVENTS.clear()
        EVENTS.fail.add("build")
        self.boot(self.plain_flavor(), state="ERROR", host="host1")
        self.assertEqual(["build", "destroy", "delete"], EVENTS)

    def test_nothing_is_erased_where_the_destroy_fails(self):
        server = self.booted()
        EVENTS.fail.add("destroy")
        self.api.delete_server(server["id"])
        self._wait_for_state_change(server, "ERROR")
        self.assertEqual(["destroy"], EVENTS)

    def test_rebuild_builds_again_and_deletes_nothing(self):
        server = self.booted()
        self._rebuild_server(server, glance.GlanceFixture.image2["id"])
        self.assertEqual(["check", "destroy", "build", "spawn"], EVENTS)

    def test_rebuild_that_is_refused_destroys_nothing_and_keeps_its_allocations(self):
        server = self.booted()
        before = self.placement.get(f"/allocations/{server['id']}").body["allocations"]

        def refuse(*_arguments):
            inner = exception.BuildAbortException(instance_uuid=server["id"], reason="no")
            raise exception.InstanceFaultRollback(inner_exception=inner)

        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.calls.check_rebuild", refuse))
        body = {"rebuild": {"imageRef": glance.GlanceFixture.image2["id"]}}
        self.api.post_server_action(server["id"], body)
        self._wait_for_action_fail_completion(server, "rebuild", "compute_rebuild_instance")
        self._wait_for_server_parameter(server, {"status": "ACTIVE", "OS-EXT-STS:task_state": None})
        after = self.placement.get(f"/allocations/{server['id']}").body["allocations"]
        self.assertEqual((before, []), (after, EVENTS))

    def test_shelved_server_is_deleted_from_its_host(self):
        self._shelve_server(self.booted())
        self.assertEqual(["destroy", "delete"], EVENTS)

    def test_unshelved_server_is_built(self):
        server = self._shelve_server(self.booted())
        EVENTS.clear()
        self._unshelve_server(server)
        self.assertEqual(["build", "spawn"], EVENTS)

    def test_failed_unshelve_is_deleted(self):
        server = self._shelve_server(self.booted())
        EVENTS.clear()
        EVENTS.fail.add("spawn")
        self.api.post_server_action(server["id"], {"unshelve": None})
        self._wait_for_server_parameter(
            server, {"status": "SHELVED_OFFLOADED", "OS-EXT-STS:task_state": None}
        )
        self.assertEqual(["build", "spawn", "delete"], EVENTS)

    def test_migrated_server_is_built_at_its_destination(self):
        self._migrate_server(self.booted(host="host1"))
        self.assertEqual(["build", "finish migration", "spawn"], EVENTS)

    def test_confirmed_migration_deletes_at_the_source(self):
        server = self._migrate_server(self.booted(host="host1"))
        EVENTS.clear()
        self._confirm_resize(server)
        self.assertEqual(["confirm migration", "destroy", "delete"], EVENTS)

    def test_reverted_migration_deletes_at_the_destination_and_builds_at_the_source(self):
        server = self._migrate_server(self.booted(host="host1"))
        EVENTS.clear()
        self._revert_resize(server)
        self.assertEqual(["destroy", "delete", "build", "finish revert"], EVENTS)

    def test_evacuated_server_is_built_anew_and_deleted_when_its_old_host_returns(self):
        server = self.booted(host="host1")
        self.computes["host1"].stop()
        service = self.computes["host1"].service_ref
        self.admin_api.put_service_force_down(service.uuid, True)
        self._evacuate_server(server, expected_host="host2")
        self.assertEqual(["check", "build", "spawn"], EVENTS)
        EVENTS.clear()
        self.restart_compute_service(self.computes["host1"], keep_hypervisor_state=True)
        self.assertEqual(["driver init", "init", "destroy", "delete"], EVENTS)


class SameHost(NotingTestCase):
    """One host, on which servers may be resized."""

    def configure(self):
        super().configure()
        self.flags(allow_resize_to_same_host=True)

    def resized(self):
        """A server that was resized and not confirmed yet."""
        server = self._resize_server(self.booted(), self.fpga_flavor())
        EVENTS.clear()
        return server

    def test_confirming_keeps_what_the_new_guest_was_built_with(self):
        self._confirm_resize(self.resized())
        self.assertNotIn("delete", EVENTS)

    def test_reverting_builds_again_for_the_old_guest(self):
        self._revert_resize(self.resized())
        self.assertEqual(["destroy", "delete", "build", "finish revert"], EVENTS)


class TwoCells(NotingTestCase):
    """A host in each of two cells, between which servers may be resized."""

    NUMBER_OF_CELLS = 2
    CELLS = ("cell1", "cell2")

    def _setup_compute_service(self):
        hosts = [self._start_compute(f"host{cell}", cell_name=cell) for cell in self.CELLS]
        rule = {servers_policies.CROSS_CELL_RESIZE: base_policies.RULE_ADMIN_API}
        self.policy.set_rules(rule, overwrite=False)
        return hosts[0]

    def configure(self):
        super().configure()
        # Only the pytest process itself waits for these calls, which a busy machine makes slow.
        self.flags(rpc_response_timeout=30, long_rpc_timeout=120)
        self.report_regions(dict.fromkeys((f"host{cell}" for cell in self.CELLS), 1))

    def resized(self):
        """A server that was resized to the other cell and is not confirmed yet."""
        server = self._resize_server(self.booted(), self.fpga_flavor())
        self.assertEqual(["build", "spawn"], [e for e in EVENTS if e != "destroy"])
        EVENTS.clear()
        return server

    def test_resized_server_is_built_in_the_other_cell_and_keeps_its_region(self):
        self._resize_server(self.booted(), self.fpga_flavor())
        self.assertEqual(["destroy", "build", "spawn"], EVENTS)

    def test_confirming_deletes_in_the_cell_it_left(self):
        self._confirm_resize(self.resized(), cross_cell=True)
        self.assertEqual(["delete"], EVENTS)

    def test_reverting_deletes_in_the_other_cell_and_builds_in_its_own(self):
        self._revert_resize(self.resized())
        self.assertEqual(["destroy", "delete", "build", "finish revert"], EVENTS)

    def test_failed_resize_is_deleted_in_the_other_cell(self):
        server = self.booted()
        EVENTS.fail.add("spawn")
        body = {"resize": {"flavorRef": self.fpga_flavor()}}
        self.api.post_server_action(server["id"], body)
        self._wait_for_migration_status(server, ["error"])
        self.assertEqual(["destroy", "build", "spawn", "delete"], EVENTS)
