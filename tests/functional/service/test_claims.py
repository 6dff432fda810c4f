# SPDX-License-Identifier: Apache-2.0
"""Regions for claims, as fpga-api asks a host for them: patched Nova, Placement, real fpga-cli."""

import uuid

import fixtures
from nova.scheduler.client import report

from fpga_hooks.instance import guests
from fpga_hooks.rpc import server as rpc_server
from fpga_hooks.service import claims as work
from tests.functional.test_hooks import HooksTestCase
from tests.support import bitstreams


class ClaimsTestCase(HooksTestCase):
    """A host whose regions Placement has."""

    def configure(self):
        super().configure()
        self.endpoint = rpc_server.Endpoint()

    def setUp(self):
        super().setUp()
        self.provider = self.compute_node().uuid

    def allocate(self, consumer_type="FPGA_CLAIM", claim=None, provider=None):
        """Have Placement allocate a region for a claim; its id."""
        claim = claim or str(uuid.uuid4())
        provider = provider or self.provider
        body = {
            "allocations": {provider: {"resources": {"CUSTOM_FPGA_REGION": 1}}},
            "consumer_generation": None,
            "consumer_type": consumer_type,
            "project_id": "project",
            "user_id": "user",
        }
        answer = self.placement.put(f"/allocations/{claim}", body, version="1.38")
        self.assertEqual(204, answer.status, answer.body)
        return claim

    def hold(self, claim, **changes):
        """Have the host hold a region to the end of its work."""
        order = {"id": claim, "device": None, "board": None, "bitstream": None} | changes
        answer = self.endpoint.hold({}, order, 5)
        while answer["claim"] and answer["claim"]["state"] == "programming":
            work.running.wait(claim, 5)
            answer = self.endpoint.claim_status({}, claim)
        return answer

    def held(self, **changes):
        claim = self.allocate()
        document = self.hold(claim, **changes)["claim"]
        self.assertEqual("active", document["state"])
        return claim, document


class Claims(ClaimsTestCase):
    """Two regions."""

    def test_claim_holds_a_region_that_no_server_gets(self):
        claim, document = self.held()
        region = self.regions()[claim]
        self.assertEqual((region["id"], "claimed"), (document["region"], region["state"]))
        self.assertEqual(
            ("emulator0", None, None),
            tuple(document[name] for name in ("device", "address", "nodes")),
        )
        self.audit()
        self.assertEqual(1, self.compute_node().fpga_regions)
        self.assertEqual("claimed", self.regions()[claim]["state"])
        flavor = self.fpga_flavor(self.image)
        self.boot(flavor)
        self.assertIn("No valid host", self.fault(self.boot(flavor, state="ERROR")))

    def test_placement_counts_a_claim_once(self):
        self.held()
        self.audit()
        url = f"/resource_providers/{self.provider}"
        inventory = self.placement.get(f"{url}/inventories/CUSTOM_FPGA_REGION").body
        self.assertEqual((2, 0), (inventory["total"], inventory["reserved"]))
        usages = self.placement.get(f"{url}/usages").body["usages"]
        self.assertEqual(1, usages["CUSTOM_FPGA_REGION"])

    def test_claim_with_a_bitstream_gets_its_nodes(self):
        crc = self.cloud.add(bitstreams.package("crc32"))
        claim, document = self.held(bitstream=crc)
        self.assertEqual(("crc32", crc), (document["function"], document["bitstream"]))
        self.assertEqual(self.regions()[claim]["nodes"], document["nodes"])

    def test_claim_that_finds_no_region_holds_nothing(self):
        flavor = self.fpga_flavor(self.image)
        servers = [self.boot(flavor) for _ in range(2)]
        claim = self.allocate()
        document = self.hold(claim)["claim"]
        self.assertEqual(
            ("failed", 65, None), tuple(document[name] for name in ("state", "code", "region"))
        )
        self.assertEqual({one["id"] for one in servers}, set(self.regions()))

    def test_asking_again_gives_the_same_region(self):
        claim, document = self.held()
        self.assertEqual(document, self.hold(claim)["claim"])
        self.assertEqual([claim], list(self.regions()))

    def test_released_region_is_free(self):
        claim, _document = self.held()
        self.assertTrue(self.endpoint.release({}, claim)["released"])
        self.assertEqual({}, self.regions())
        self.assertEqual("none", self.endpoint.claim_status({}, claim)["claim"]["state"])
        self.assertTrue(self.endpoint.release({}, claim)["released"])

    def test_only_what_placement_gave_to_a_claim_is_held(self):
        cases = {
            "allocation": [str(uuid.uuid4()), self.allocate("INSTANCE")],
            "not_a_claim": [self.boot(self.plain_flavor())["id"]],
        }
        for code, claims in cases.items():
            for claim in claims:
                self.assertEqual(code, self.hold(claim)["refusal"]["code"])
        claim = self.allocate()
        for bad in ({"id": "x"}, {"device": "../x"}, {"bitstream": 1}):
            self.assertEqual("invalid", self.hold(claim, **bad)["refusal"]["code"])
        self.assertEqual({}, self.regions())

    def test_allocation_on_another_host_is_none_here(self):
        other = str(uuid.uuid4())
        self.placement.post("/resource_providers", {"name": "other", "uuid": other}, version="1.20")
        self.placement.put(
            f"/resource_providers/{other}/inventories",
            {
                "resource_provider_generation": 0,
                "inventories": {"CUSTOM_FPGA_REGION": {"total": 1}},
            },
            version="1.20",
        )
        claim = self.allocate(provider=other)
        self.assertEqual("allocation", self.hold(claim)["refusal"]["code"])

    def test_server_is_never_released(self):
        server = self.boot(self.fpga_flavor(self.image))
        answer = self.endpoint.release({}, server["id"])
        self.assertEqual(("not_a_claim", False), (answer["refusal"]["code"], answer["released"]))
        self.assertEqual([server["id"]], list(self.regions()))

    def test_region_that_a_guest_has_is_not_released(self):
        crc = self.cloud.add(bitstreams.package("crc32"))
        claim, document = self.held(bitstream=crc)
        (node,) = document["nodes"]
        guest = guests.Guest("stranger", None, True, frozenset({node["path"]}))
        probe = type("Probe", (), {"guests": lambda _self: [guest]})()
        guests.machine.register(probe)
        self.assertEqual("guest", self.endpoint.release({}, claim)["refusal"]["code"])
        self.assertEqual([claim], list(self.regions()))


class Audits(ClaimsTestCase):
    """What the audit makes of claims."""

    def test_region_is_erased_once_the_allocation_is_gone(self):
        claim, _document = self.held()
        self.audit()
        self.assertEqual([claim], list(self.regions()))
        self.placement.delete(f"/allocations/{claim}")
        self.audit()
        self.assertEqual({}, self.regions())
        self.audit()
        self.assertEqual(2, self.compute_node().fpga_regions)

    def test_region_is_kept_while_placement_does_not_answer(self):
        claim, _document = self.held()
        real = report.SchedulerReportClient.get

        def get(placement, url, *arguments, **more):
            if url.startswith("/allocations/"):
                return type("Answer", (), {"status_code": 503})()
            return real(placement, url, *arguments, **more)

        with fixtures.MonkeyPatch("nova.scheduler.client.report.SchedulerReportClient.get", get):
            self.placement.delete(f"/allocations/{claim}")
            self.audit()
            self.assertEqual([claim], list(self.regions()))
            self.assertEqual(1, self.compute_node().fpga_regions)
        self.audit()
        self.assertEqual({}, self.regions())
