# SPDX-License-Identifier: Apache-2.0
"""The paths of docs/lifecycle.md: what the user sees and what becomes of the region, with ledgers.

Each host has a ledger of its own. All compute services run in one process, so which host is at work
is told by the compute manager or resource tracker that is on the stack; a burn has a thread of its
own, which is told by whom it was started.
"""

import functools
import shlex
import sys
import threading

import fixtures
from nova.compute import manager, resource_tracker
from oslo_utils import fixture as oslo_fixture

from fpga_hooks.instance import background
from fpga_hooks.program import root
from tests.functional import recorder
from tests.functional.test_hooks import HooksTestCase
from tests.support.host import Host, wait_until

_burning = threading.local()


def host_at_work():
    """The compute host on whose behalf this thread runs."""
    if hasattr(_burning, "host"):
        return _burning.host
    frame = sys._getframe()
    while frame is not None:
        found = frame.f_locals.get("self")
        if isinstance(found, manager.ComputeManager | resource_tracker.ResourceTracker):
            return found.host
        frame = frame.f_back
    raise AssertionError("no compute host is at work here")


def burn_there(start, request, burn):
    """Start a burn whose thread knows the host."""
    host = host_at_work()

    def burn_for_host():
        _burning.host = host
        return burn()

    start(request, burn_for_host)


class LifecycleTestCase(HooksTestCase):
    """Hosts with two regions each."""

    def configure(self):
        super().configure()
        self.ledgers = {}
        for name in self.HOSTS:
            (self.host.folder / name).mkdir()
            self.ledgers[name] = Host(self.host.folder / name, self.cloud.options())
            self.addCleanup(self.ledgers[name].close)
        self.program()
        real = root._environment
        self.useFixture(
            fixtures.MonkeyPatch(
                "fpga_hooks.program.root._environment",
                lambda: real() | {"FPGA_HOST": host_at_work()},
            )
        )
        start = functools.partial(burn_there, background.burns.start)
        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.instance.background.burns.start", start))
        self.useFixture(fixtures.MonkeyPatch("fpga_hooks.program.last_look.host", host_at_work))

    def program(self, first=""):
        """Make the program that reaches each host's ledger; `first` is shell to run before."""
        calls = [
            f'{name}) exec {shlex.join(ledger.command())} "$@";;'
            for name, ledger in self.ledgers.items()
        ]
        path = self.host.folder / "fpga-cli.py"
        path.write_text(f'#!/bin/sh\n{first}\ncase "$FPGA_HOST" in {" ".join(calls)} esac\n')
        path.chmod(0o755)

    def owners(self):
        """Which servers hold regions, by host."""
        return {
            name: sorted(r["owner"] for r in ledger.status()["regions"] if r["owner"])
            for name, ledger in self.ledgers.items()
        }

    def assert_owners(self, host1=(), host2=()):
        """These servers hold a region each, and no others; Nova has counted the same."""
        expected = {"host1": [s["id"] for s in host1], "host2": [s["id"] for s in host2]}
        expected = {name: expected[name] for name in self.HOSTS}
        self.assertEqual(expected, self.owners())

    def fpga_server(self, **options):
        return self.boot(self.fpga_flavor(self.image), **options)

    def restart(self, host="host1", keep_hypervisor_state=True):
        self.computes[host] = self.restart_compute_service(
            self.computes[host], keep_hypervisor_state=keep_hypervisor_state
        )


class OneHost(LifecycleTestCase):
    """What stays on its host."""

    def test_soft_deleted_server_keeps_its_region_until_it_is_restored(self):
        self.flags(reclaim_instance_interval=3600)
        server = self.soft_deleted()
        self.audit()
        self.assert_owners([server])
        self.api.post_server_action(server["id"], {"restore": {}})
        self._wait_for_state_change(server, "ACTIVE")
        self.assert_owners([server])

    def soft_deleted(self):
        server = self.fpga_server()
        self.api.delete_server(server["id"])
        return self._wait_for_state_change(server, "SOFT_DELETED")

    def test_soft_deleted_server_that_is_deleted_by_force_gives_its_region_back(self):
        self.flags(reclaim_instance_interval=3600)
        server = self.soft_deleted()
        self.api.post_server_action(server["id"], {"forceDelete": {}})
        self._wait_until_deleted(server)
        self.assert_owners()

    def test_reclaimed_server_gives_its_region_back(self):
        self.flags(reclaim_instance_interval=1)
        server = self.soft_deleted()
        with self.in_cell() as context, oslo_fixture.TimeFixture() as clock:
            clock.advance_time_seconds(2)  # the interval is in whole seconds
            self.computes["host1"].manager._reclaim_queued_deletes(context)
        self._wait_until_deleted(server)
        self.assert_owners()

    def test_paused_server_keeps_its_region(self):
        server = self.fpga_server()
        for action, state in (("pause", "PAUSED"), ("unpause", "ACTIVE")):
            self.api.post_server_action(server["id"], {action: {}})
            self._wait_for_state_change(server, state)
            self.audit()
            self.assert_owners([server])

    def test_stopped_started_and_rebooted_server_keeps_its_region(self):
        server = self.fpga_server()
        self._stop_server(server)
        self.audit()
        self._start_server(server)
        self._reboot_server(server)
        self._reboot_server(server, hard=True)
        self.assert_owners([server])
        self.assertEqual(1, self.cloud.downloads)

    def test_rescued_server_keeps_its_region(self):
        server = self.fpga_server()
        self.api.post_server_action(server["id"], {"rescue": {}})
        self._wait_for_state_change(server, "RESCUE")
        self.audit()
        self.assert_owners([server])
        self.api.post_server_action(server["id"], {"unrescue": None})
        self._wait_for_state_change(server, "ACTIVE")
        self.assert_owners([server])

    def test_server_deleted_while_it_is_built_leaves_no_region(self):
        spawning, deleted = threading.Event(), threading.Event()
        real = recorder.RecordingDriver.spawn

        def spawn(*arguments, **more):
            spawning.set()
            deleted.wait(30)
            real(*arguments, **more)

        self.useFixture(
            fixtures.MonkeyPatch("tests.functional.recorder.RecordingDriver.spawn", spawn)
        )
        request = self._build_server(flavor_id=self.fpga_flavor(self.image), networks="none")
        server = self.api.post_server({"server": request})
        self.assertTrue(spawning.wait(60))
        self.api.delete_server(server["id"])
        deleted.set()
        self._wait_until_deleted(server)
        wait_until(lambda: self.owners() == {"host1": []}, seconds=30)

    def test_server_deleted_while_its_host_is_down_gives_its_region_back_at_the_start(self):
        server = self.fpga_server()
        self.computes["host1"].stop()
        self.admin_api.put_service_force_down(self.computes["host1"].service_ref.uuid, True)
        self.api.delete_server(server["id"])
        self._wait_until_deleted(server)
        self.assert_owners([server])
        self.restart(keep_hypervisor_state=False)
        self.assert_owners()
        self.assertIn("fpga_hooks.host.reconcile", self.log())

    def test_restart_of_the_service_leaves_a_server_and_its_region_alone(self):
        server = self.fpga_server()
        self.restart()
        self.assert_owners([server])
        self.assertEqual(1, self.cloud.downloads)
        self.assertEqual("ACTIVE", self.api.get_server(server["id"])["status"])

    def test_resize_to_a_flavor_with_fpga_and_back_by_a_revert(self):
        self.flags(allow_resize_to_same_host=True)
        server = self.boot(self.plain_flavor())
        self._resize_server(server, self.fpga_flavor(self.image))
        self.assert_owners([server])
        self._revert_resize(server)
        self.assert_owners()

    def test_resize_on_one_host_to_a_flavor_without_fpga_gives_the_region_back_by_the_audit(self):
        self.flags(allow_resize_to_same_host=True)
        server = self.fpga_server()
        self._confirm_resize(self._resize_server(server, self.plain_flavor()))
        self.audit()
        self.assert_owners()

    def test_burn_that_hangs_is_in_the_fault_and_leaves_no_region(self):
        self.program('[ "$1" = burn ] && exec sleep 120')
        self.flags(timeout=6, group="fpga")
        self.flags(max_attempts=1, group="scheduler")
        request = self._build_server(flavor_id=self.fpga_flavor(self.image), networks="none")
        server = self.api.post_server({"server": request})
        wait_until(lambda: self.api.get_server(server["id"])["status"] == "ERROR", seconds=60)
        self.assertIn("did not end within 6 s", self.fault(server))
        self.assert_owners()

    def test_erase_that_hangs_does_not_keep_a_server_from_being_deleted(self):
        server = self.fpga_server()
        self.program('[ "$1" = erase ] && exec sleep 120')
        self.flags(timeout=6, group="fpga")
        self.delete(server)
        self.assert_owners([server])
        self.program()
        self.audit()
        self.assert_owners()

    def test_status_that_hangs_offers_no_regions_and_keeps_those_that_are_used(self):
        server = self.fpga_server()
        self.program('[ "$1" = status ] && exec sleep 120')
        self.flags(timeout=5, group="fpga")
        self.audit()
        self.assertEqual(0, self.compute_node().fpga_regions)
        self.program()
        self.flags(timeout=60, group="fpga")
        self.audit()
        self.assertEqual(2, self.compute_node().fpga_regions)
        self.assert_owners([server])


class TwoHosts(LifecycleTestCase):
    """What moves from host to host."""

    HOSTS = ("host1", "host2")

    def evacuated(self):
        """A server that was evacuated from host1, which is down, to host2."""
        server = self.fpga_server(host="host1")
        self.computes["host1"].stop()
        self.admin_api.put_service_force_down(self.computes["host1"].service_ref.uuid, True)
        return self._evacuate_server(server, expected_host="host2")

    def test_rescheduled_server_has_a_region_on_its_second_host_only(self):
        failed = []
        real = recorder.RecordingDriver.spawn

        def spawn(*arguments, **more):
            if not failed:
                failed.append(host_at_work())
                raise RuntimeError("no")
            real(*arguments, **more)

        self.useFixture(
            fixtures.MonkeyPatch("tests.functional.recorder.RecordingDriver.spawn", spawn)
        )
        server = self.fpga_server()
        expected = {host: [] if host in failed else [server["id"]] for host in self.HOSTS}
        self.assertEqual(expected, self.owners())
        self.assertEqual([1, 0], sorted((self.used(h) for h in self.HOSTS), reverse=True))

    def test_migrated_server_has_a_region_on_both_hosts_until_it_is_confirmed(self):
        server = self._migrate_server(self.fpga_server(host="host1"))
        self.audit()
        self.assert_owners([server], [server])
        self._confirm_resize(server)
        self.assert_owners([], [server])
        self.assertIsNotNone(self.instance(server).fpga_device)

    def test_reverted_server_has_its_region_on_its_old_host_only(self):
        server = self._migrate_server(self.fpga_server(host="host1"))
        self._revert_resize(server)
        self.assert_owners([server], [])
        device = self.ledgers["host1"].status()["regions"]
        held = next(r["id"] for r in device if r["owner"] == server["id"])
        self.assertEqual(held, self.instance(server).fpga_device)

    def test_evacuated_server_loses_its_old_region_when_the_old_host_returns(self):
        server = self.evacuated()
        self.assert_owners([server], [server])
        self.restart()
        self.assert_owners([], [server])

    def test_evacuated_server_whose_old_guest_is_gone_loses_its_old_region_by_the_reconcile(self):
        server = self.evacuated()
        self.ledgers["host1"].close()
        self.restart(keep_hypervisor_state=False)
        self.assert_owners([], [server])
        self.assertIn("erased: its instance is on host host2", self.log())

    def test_shelved_server_gives_its_region_back_and_unshelved_has_one_again(self):
        server = self._shelve_server(self.fpga_server(host="host1"))
        self.assert_owners()
        self._unshelve_server(server)
        held = [owner for owners in self.owners().values() for owner in owners]
        self.assertEqual([server["id"]], held)

    def test_unshelve_that_fails_leaves_neither_a_region_nor_the_name_of_one(self):
        server = self._shelve_server(self.fpga_server(host="host1"))
        recorder.EVENTS.fail.add("spawn")
        self.api.post_server_action(server["id"], {"unshelve": None})
        self._wait_for_action_fail_completion(server, "unshelve", "compute_unshelve_instance")
        self._wait_until(server, lambda record: record["OS-EXT-STS:task_state"] is None)
        self.assert_owners()
        self.assertIsNone(self.instance(server).fpga_device)

    def test_host_that_cannot_reach_glance_leaves_the_build_to_another(self):
        wrong = self.ledgers["host1"].config
        nobody = "http://127.0.0.1:9/v3"
        wrong.write_text(wrong.read_text().replace(f"{self.cloud.url}/v3", nobody))
        self.boot(self.plain_flavor(), host="host2")  # so that host1 has more room, and is tried
        server = self.fpga_server()
        self.assert_owners([], [server])
        self.assertIn("fpga-cli.py exit 73", self.log())

    def test_live_migration_is_refused_and_changes_nothing(self):
        server = self.fpga_server(host="host1")
        before = self.ledgers["host1"].status()
        anywhere = {"host": None, "block_migration": "auto"}
        self.api.post_server_action(server["id"], {"os-migrateLive": anywhere})
        self._wait_for_migration_status(server, ["error"])
        self._wait_until(server, lambda record: record["status"] == "ACTIVE")
        self.assertEqual(before, self.ledgers["host1"].status())
        self.assert_owners([server], [])
        server_record = self.api.get_server(server["id"])
        self.assertEqual(
            ("ACTIVE", "host1"), (server_record["status"], server_record["OS-EXT-SRV-ATTR:host"])
        )
        self.assertIn("containers are not live migrated", self.log())
