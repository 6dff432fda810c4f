# SPDX-License-Identifier: Apache-2.0
"""Fifty boots at once: for the last regions of two hosts, and for the last ones of a quota."""

import threading
import time

import fixtures
from nova import context as nova_context
from nova.db.main import api as database
from nova.tests.functional.api import client

from tests.functional.test_functions import FunctionsTestCase
from tests.functional.test_quotas import Limits

SERVERS = 50
#: Seconds that all of them may take together, also beside other tests.
_PATIENCE = 270
#: Later ones have the hints to the scheduler in each server, and Nova's tests refuse the answer
#: where there are none: the conductor removes those of servers that are beyond a quota.
_WITHOUT_HINTS = "2.93"

#: Nova's own; its fixture has another in its place while a test runs.
_TARGET_CELL = nova_context.target_cell


class Race(FunctionsTestCase):
    """Boots that begin together.

    Nova's fixture of cells has one cell for all threads, and locks to change it. Of many threads,
    one holds the lock of a database and waits for that of the cell, and another the other way
    round. So here the context says which cell it is, as it does outside of tests.
    """

    def configure(self):
        super().configure()
        of_computes = database.get_context_manager(None)

        def manager(context):
            return getattr(context, "db_connection", None) or of_computes

        self.flags(driver="nova.quota.NoopQuotaDriver", group="quota")  # the default is ten servers
        self.useFixture(fixtures.MonkeyPatch("nova.context.target_cell", _TARGET_CELL))
        self.useFixture(fixtures.MonkeyPatch("nova.db.main.api.get_context_manager", manager))

    def race(self):
        """Boot them all; the servers, each of which is there or failed, and all refusals."""
        self.publish_both()
        self.flavor = self.function_flavor()
        body = self._build_server(flavor_id=self.flavor, networks="none")
        refusals = []

        def post():
            try:
                self.api.post_server({"server": body})
            except client.OpenStackApiException as e:
                refusals.append(e.response)

        threads = [threading.Thread(target=post) for _ in range(SERVERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.api.microversion = _WITHOUT_HINTS
        return self.settled(), refusals

    def settled(self):
        """All servers, once none is being built; whole records are costly, so they come last."""
        end = time.monotonic() + _PATIENCE
        while self.api.get_servers(detail=False, search_opts={"status": "BUILD"}):
            if time.monotonic() > end:
                raise self.failureException(f"waited {_PATIENCE} s for {SERVERS} servers")
            time.sleep(1)
        return self.api.get_servers()

    def words(self, server):
        """The message of a server's fault, which may come after its state."""
        return server["fault"]["message"] if "fault" in server else self.fault(server)

    def assert_held(self, servers):
        """These hold a region each: in the ledgers, in Nova's count and in Placement."""
        ids = sorted(server["id"] for server in servers)
        owners = self.owners()
        self.assertEqual(ids, sorted(one for host in self.HOSTS for one in owners[host]))
        counts = [len(owners[host]) for host in self.HOSTS]
        self.assertEqual(counts, [self.used(host) for host in self.HOSTS])
        providers = [self.compute_node(host).uuid for host in self.HOSTS]
        urls = [f"/resource_providers/{provider}/allocations" for provider in providers]
        held = [self.placement.get(url).body["allocations"] for url in urls]
        self.assertEqual(ids, sorted(one for allocations in held for one in allocations))


def of_status(servers, status):
    return [server for server in servers if server["status"] == status]


class LastRegions(Race):
    """Two hosts with two regions each."""

    def test_fifty_boots_at_once_get_each_region_once(self):
        servers, refusals = self.race()
        active, failed = of_status(servers, "ACTIVE"), of_status(servers, "ERROR")
        self.assertEqual([], refusals)
        self.assertEqual((2 * self.CARDS, SERVERS), (len(active), len(active) + len(failed)))
        for server in failed:
            self.assertIn("No valid host was found", self.words(server))
        self.assertEqual([self.CARDS] * 2, [len(self.burnt(host)) for host in self.HOSTS])
        self.assert_held(active)
        for server in active:
            self.delete(server)
        self.assert_held([])


class LastOfQuota(Limits, Race):
    """The same hosts, and a project that may have fewer regions than there are."""

    LIMIT = 3

    def test_fifty_boots_at_once_never_get_more_than_the_limit(self):
        servers, refusals = self.race()
        self.assertEqual({403} if refusals else set(), {one.status_code for one in refusals})
        active, failed = of_status(servers, "ACTIVE"), of_status(servers, "ERROR")
        self.assertEqual(SERVERS, len(active) + len(failed) + len(refusals))
        # As with Nova's own quotas, requests that passed together may all be refused.
        self.assertLessEqual(len(active), self.LIMIT)
        for server in failed:
            known = f"FPGA regions and may have {self.LIMIT}|No valid host was found"
            self.assertRegex(self.words(server), known)
        self.assert_held(active)
        while len(active) < self.LIMIT:
            active.append(self.boot(self.flavor))
        self.assert_forbidden(f"current usage {self.LIMIT} and delta 1", self.boot, self.flavor)
        self.assert_held(active)
