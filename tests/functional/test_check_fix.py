# SPDX-License-Identifier: Apache-2.0
"""fpga-manage check --fix, after what nova-manage placement made of allocations of regions."""

import contextlib
import io
import json
import uuid

import fixtures
import sqlalchemy as sa
from nova.cmd import manage
from nova.db.main import api as main_db_api

from fpga_manage import command
from fpga_manage.check import command as check
from tests.functional.test_card_providers import TwoCards
from tests.functional.test_placement import REGION


class Answer:
    """An answer of Nova's client of Placement with the names of keystoneauth's."""

    def __init__(self, answer):
        self.status_code, self._body = answer.status, answer.body

    def json(self):
        return self._body


class Adapter:
    """Asks the Placement service of the test as keystoneauth's adapter does."""

    def __init__(self, client):
        self._client = client

    def get(self, path, microversion, raise_exc):
        return Answer(self._client.get(path, version=microversion))

    def put(self, path, json, microversion, raise_exc):
        return Answer(self._client.put(path, json, version=microversion))


class AllocationsTestCase(TwoCards):
    """A host with two cards, whose allocations go wrong."""

    def setUp(self):
        super().setUp()
        client = self.placement

        def connect(placement, files):
            placement._adapter = Adapter(client)

        self.useFixture(
            fixtures.MonkeyPatch("fpga_manage.check.command.Placement.__init__", connect)
        )
        self.useFixture(
            fixtures.MonkeyPatch("fpga_manage.check.command._request_placement", lambda _: True)
        )
        with self.in_cell() as context:
            self.engine = main_db_api.get_engine(context=context)
        self.useFixture(fixtures.MonkeyPatch("fpga_manage.command._engine", lambda _: self.engine))

    def check(self, *options, status=True):
        """Exit status of fpga-manage check, and code and outcome of each finding."""
        file = self.host.folder / "status.json"
        file.write_text(json.dumps(self.host.status()))
        statuses = ("--status", f"host1={file}") if status else ()
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            code = command.main(["check", "--format", "json", *statuses, *options])
        found = json.loads(out.getvalue())["findings"]
        return code, [(one["code"], one["fix"]) for one in found]

    def nova_manage(self, name, **options):
        """Exit status of a command of nova-manage placement."""
        with contextlib.redirect_stdout(io.StringIO()):
            return getattr(manage.PlacementCommands(), name)(**options)

    def allocations(self, consumer):
        return self.placement.get(f"/allocations/{consumer}", version="1.28").body["allocations"]

    def lose(self, server):
        """Delete the allocations of a server; what they were."""
        before = self.resources(server["id"])
        self.placement.delete(f"/allocations/{server['id']}")
        return before

    def resources(self, consumer):
        return {uuid: one["resources"] for uuid, one in self.allocations(consumer).items()}

    def allocate(self, consumer, resources):
        body = {
            "allocations": {provider: {"resources": r} for provider, r in resources.items()},
            "project_id": "p",
            "user_id": "u",
            "consumer_generation": None,
        }
        answer = self.placement.put(f"/allocations/{consumer}", body, version="1.28")
        self.assertEqual(204, answer.status)

    def assert_fixed(self, server, before):
        self.assertEqual((3, [("allocation-missing", "")]), self.check())
        self.assertEqual((0, [("allocation-missing", check.DONE)]), self.check("--fix"))
        self.assertEqual(before, self.resources(server["id"]))
        self.assertEqual((0, []), self.check("--fix"))
        self.assertEqual(before, self.resources(server["id"]))
        self.delete(server)
        self.assertEqual({}, self.allocations(server["id"]))


class OfCards(AllocationsTestCase):
    """Each card has a provider of its own."""

    PROVIDERS = "card"

    def named(self):
        """A server whose flavor names its region for Placement itself."""
        return self.boot(self.flavor(hw__fpga_ip_id=self.image, **{f"resources1__{REGION}": "1"}))

    def test_region_that_heal_allocations_leaves_out_is_allocated_again(self):
        server = self.three()
        before = self.lose(server)
        self.assertEqual(0, self.nova_manage("heal_allocations"))
        self.assert_fixed(server, before)

    def test_region_that_a_forced_heal_takes_away_is_allocated_again(self):
        server = self.boot(self.fpga_flavor(self.image))
        before = self.resources(server["id"])
        self.nova_manage("heal_allocations", force=True, instance_uuid=server["id"])
        self.assert_fixed(server, before)

    def test_allocation_that_heal_allocations_cannot_make_is_made(self):
        server = self.named()
        before = self.lose(server)
        self.assertEqual(3, self.nova_manage("heal_allocations"))
        self.assert_fixed(server, before)

    def test_card_is_not_guessed(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.lose(server)
        self.nova_manage("heal_allocations")
        code, ((_, outcome),) = self.check("--fix", status=False)
        self.assertEqual(3, code)
        self.assertIn("give --status host1=FILE", outcome)
        self.assertEqual({}, self.chosen(server))

    def test_region_of_another_consumer_is_not_taken(self):
        flavor = self.fpga_flavor(self.image)
        servers = [self.boot(flavor) for _ in range(2)]
        (card,) = self.burnt(servers[0])
        self.lose(servers[0])
        self.nova_manage("heal_allocations")
        other = str(uuid.uuid4())
        offered = 2 - self.chosen(servers[1]).get(card, 0)
        self.allocate(other, {self.tree()[card]: {REGION: offered}})
        code, found = self.check("--fix")
        self.assertEqual(3, code)
        self.assertIn("not fixed: Placement refused: ", dict(found)["allocation-missing"])
        self.assertEqual({}, self.chosen(servers[0]))
        self.assertEqual({self.tree()[card]: {REGION: offered}}, self.resources(other))

    def test_region_that_audit_leaves_of_an_orphan_is_found_until_its_consumer_is_deleted(self):
        server = self.boot(self.fpga_flavor(self.image))
        orphan = str(uuid.uuid4())
        self.allocate(orphan, self.resources(server["id"]))
        self.assertEqual(4, self.nova_manage("audit", delete=True))
        self.assertEqual((3, [("allocation-orphan", "")]), self.check("--fix"))
        self.assertEqual(1, len(self.allocations(orphan)))
        # As `openstack resource provider allocation delete` does.
        self.placement.delete(f"/allocations/{orphan}")
        self.assertEqual((0, []), self.check())

    def test_instance_that_is_deleted_meanwhile_gets_no_allocation(self):
        server = self.named()
        self.lose(server)
        looks = []
        real = self.placement.put

        def put(url, body, **more):
            answer = real(url, body, **more)
            if url.startswith("/allocations/") and not looks:
                looks.append(url)
                with self.engine.begin() as connection:
                    connection.execute(
                        sa.text("UPDATE instances SET task_state = 'deleting' WHERE uuid = :u"),
                        {"u": server["id"]},
                    )
            return answer

        self.useFixture(
            fixtures.MonkeyPatch(
                "tests.functional.test_check_fix.Adapter.put",
                lambda _, path, json, microversion, raise_exc: Answer(
                    put(path, json, version=microversion)
                ),
            )
        )
        code, ((_, outcome),) = self.check("--fix")
        self.assertEqual(3, code)
        self.assertIn("the instance was deleted meanwhile", outcome)
        self.assertEqual({}, self.allocations(server["id"]))


class OfHost(AllocationsTestCase):
    """The host has one provider."""

    PROVIDERS = "host"

    def test_region_that_heal_allocations_leaves_out_is_allocated_again_without_a_status(self):
        server = self.boot(self.fpga_flavor(self.image))
        before = self.lose(server)
        self.assertEqual(0, self.nova_manage("heal_allocations"))
        self.assertEqual(
            (0, [("allocation-missing", check.DONE)]), self.check("--fix", status=False)
        )
        self.assertEqual(before, self.resources(server["id"]))

    def test_allocation_that_is_gone_is_made_with_all_that_the_flavor_asks_for(self):
        server = self.boot(self.fpga_flavor(self.image))
        self.assert_fixed(server, self.lose(server))
