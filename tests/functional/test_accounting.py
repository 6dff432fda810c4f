# SPDX-License-Identifier: Apache-2.0
"""What Nova counts: regions are taken at the claim and given back at the delete."""

import concurrent.futures

from nova.scheduler import host_manager

from tests.functional import base


class OneRegion(base.FunctionalTestCase):
    """One host with one region and no filter, so that the claim alone decides."""

    FPGA_FILTER = False

    def test_host_reports_its_regions(self):
        node = self.compute_node()
        self.assertEqual((1, 0), (node.fpga_regions, node.fpga_regions_used))

    def test_claim_takes_a_region_without_waiting_for_the_audit(self):
        self.boot(self.fpga_flavor())
        self.assertEqual(1, self.used())

    def test_delete_gives_the_region_back_without_waiting_for_the_audit(self):
        self.delete(self.boot(self.fpga_flavor()))
        self.assertEqual(0, self.used())

    def test_audit_comes_to_the_same_count(self):
        self.boot(self.fpga_flavor())
        self.audit()
        self.assertEqual(1, self.used())

    def test_ordinary_server_takes_no_region(self):
        self.boot(self.plain_flavor())
        self.assertEqual(0, self.used())

    def test_ordinary_server_boots_where_all_regions_are_used(self):
        self.boot(self.fpga_flavor())
        self.boot(self.plain_flavor())
        self.assertEqual(1, self.used())

    def test_key_that_only_looks_like_ours_takes_no_region(self):
        flavor = self._create_flavor(
            name="other", memory_mb=64, disk=1, ephemeral=0, extra_spec={"fpga:model": "x"}
        )
        self.boot(flavor)
        self.assertEqual(0, self.used())

    def test_claim_refuses_a_second_server(self):
        flavor = self.fpga_flavor()
        self.boot(flavor)
        self.boot(flavor, state="ERROR")
        self.assertIn("1 FPGA region wanted, 0 free", self.stdlog.logger.output)
        self.assertEqual(1, self.used())

    def test_one_of_two_builds_at_once_gets_the_region(self):
        flavor = self.fpga_flavor()
        requests = [
            self._build_server(flavor_id=flavor, networks="none", name=f"at-once-{n}")
            for n in range(2)
        ]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            posted = list(pool.map(lambda r: self.api.post_server({"server": r}), requests))
        self.assertEqual({"ACTIVE", "ERROR"}, {self.settle(server) for server in posted})
        self.assertEqual(1, self.used())

    def test_deleting_the_refused_server_leaves_the_count(self):
        flavor = self.fpga_flavor()
        self.boot(flavor)
        self.delete(self.boot(flavor, state="ERROR"))
        self.assertEqual(1, self.used())

    def test_stopped_server_keeps_its_region(self):
        server = self.boot(self.fpga_flavor())
        self._stop_server(server)
        self.audit()
        self.assertEqual(1, self.used())

    def test_shelving_gives_the_region_back_and_unshelving_takes_it_again(self):
        server = self._shelve_server(
            self.boot(self.fpga_flavor()), expected_state="SHELVED_OFFLOADED"
        )
        self.assertEqual(0, self.used())
        self._unshelve_server(server)
        self.assertEqual(1, self.used())


class NoRegion(base.FunctionalTestCase):
    """A host without an FPGA."""

    REGIONS = 0
    FPGA_FILTER = False

    def test_claim_refuses_a_server_with_a_region(self):
        self.boot(self.fpga_flavor(), state="ERROR")
        self.assertEqual(0, self.used())

    def test_ordinary_server_boots(self):
        self.boot(self.plain_flavor())


class TwoHosts(base.FunctionalTestCase):
    """Two hosts with one region each, and the scheduler's filter."""

    HOSTS = ("host1", "host2")

    def test_second_server_goes_to_the_other_host(self):
        flavor = self.fpga_flavor()
        self.boot(flavor)
        self.boot(flavor)
        self.assertEqual([1, 1], [self.used(host) for host in self.HOSTS])

    def test_third_server_finds_no_host(self):
        flavor = self.fpga_flavor()
        self.boot(flavor)
        self.boot(flavor)
        self.assertIn("No valid host", self.fault(self.boot(flavor, state="ERROR")))
        self.assertIn("FpgaFilter", self.stdlog.logger.output)

    def test_two_servers_of_one_request_go_to_two_hosts(self):
        request = self._build_server(flavor_id=self.fpga_flavor(), networks="none")
        self.api.post_server({"server": {**request, "min_count": 2, "max_count": 2}})
        for server in self.api.get_servers():
            self._wait_for_state_change(server, "ACTIVE")
        self.assertEqual([1, 1], [self.used(host) for host in self.HOSTS])


class HostState(base.FunctionalTestCase):
    """What the scheduler keeps of a host."""

    REGIONS = 2

    def _state(self):
        state = host_manager.HostState("host1", "host1", self.cell_mappings["cell1"].uuid)
        state.update(compute=self.compute_node())
        return state

    def _request(self, flavor):
        server = self.boot(flavor)
        with self.api_fixture_context() as context:
            return base.objects.RequestSpec.get_by_instance_uuid(context, server["id"])

    def api_fixture_context(self):
        return base.nova_context.target_cell(self.admin_context(), self.cell_mappings["cell1"])

    def test_new_state_has_no_regions(self):
        state = host_manager.HostState("host1", "host1", None)
        self.assertEqual((0, 0), (state.fpga_regions, state.fpga_regions_used))

    def test_counts_are_those_of_the_compute_node(self):
        self.boot(self.fpga_flavor())
        state = self._state()
        self.assertEqual((2, 1), (state.fpga_regions, state.fpga_regions_used))

    def test_consuming_a_request_takes_a_region(self):
        request = self._request(self.fpga_flavor())
        state = self._state()
        state.consume_from_request(request)
        self.assertEqual(2, state.fpga_regions_used)

    def test_consuming_an_ordinary_request_takes_none(self):
        request = self._request(self.plain_flavor())
        state = self._state()
        state.consume_from_request(request)
        self.assertEqual(0, state.fpga_regions_used)

    def test_compute_node_that_never_reported_counts_as_none(self):
        node = self.compute_node()
        node.fpga_regions = None
        node.fpga_regions_used = None
        state = host_manager.HostState("host1", "host1", None)
        state.update(compute=node)
        self.assertEqual((0, 0), (state.fpga_regions, state.fpga_regions_used))
