# SPDX-License-Identifier: Apache-2.0
"""The engine's tasks that bring claims to where they have to be.

All that a claim is at is in its row, so another engine goes on where this one is killed. Each step
may be done twice. Whoever comes too late with a result changes nothing, and undoes what it did.
"""

import datetime
import typing

from oslo_log import log as logging

from fpga_api import clock, errors, publication
from fpga_api.claims import answers, places
from fpga_api.claims.allocations import Allocations
from fpga_api.db import claims
from fpga_api.db.claims import Claim
from fpga_api.hosts import calls, works
from fpga_api.hosts.calls import Refusal, Unknown
from fpga_api.service import Service
from fpga_nova.contract import Exit

LOG = logging.getLogger(__name__)

#: Seconds from one look at the claims to the next, and claims that are worked on at a time.
INTERVAL, _WORKERS = 0.5, 16

#: Seconds that a host takes for a call, at most: one waits for the end of a short programming.
_WAIT, _HOLD, _RELEASE = 2.0, 15.0, 60.0

#: Seconds after which the API is taken for gone that was to allocate a claim.
_ALLOCATING = 120.0

#: Seconds for which a release waits for a host that does not release; its audit erases later.
_RELEASING = 90.0

#: What a host refuses now and may do later.
_LATER = ("task", "unanswered", "guest", "not_erased")

#: Seconds from one look for allocations of ended claims to the next, and back before the first one.
SWEEP_INTERVAL, _FIRST_SWEEP = 60.0, 86400.0

Document = dict[str, typing.Any]


class Work:
    """The claims of all projects, on the way to where they have to be.

    :raises oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure: `[hosts]
        transport_url` is not the URL of a broker
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._database = service.database
        self._calls = calls.of(service)
        self._allocations = Allocations(service)
        self._works = works.Works("Claim", _WORKERS)
        #: Providers whose hosts had no free region, by claim.
        self._full: dict[str, set[str]] = {}
        self._swept: datetime.datetime | None = None

    def run(self) -> None:
        """Look once, and begin what is to be done.

        :raises errors.DatabaseUnavailable: the database does not answer
        """
        now = clock.now()
        for claim in claims.expired(self._database, now):
            self._end(claim, (claim.state,), claims.EXPIRED)
        old = now - datetime.timedelta(seconds=_ALLOCATING)
        for claim in claims.in_state(self._database, claims.ALLOCATING, before=old):
            fault = ("fpga.unavailable", "the API ended while it allocated the claim")
            self._end(claim, (claims.ALLOCATING,), claims.FAILED, *fault)
        found = claims.in_state(self._database, claims.PROGRAMMING, claims.RELEASING)
        self._works.begin({claim.id: claim for claim in found}, self._work)

    def sweep(self) -> None:
        """Free what claims have in Placement that ended a while ago; each is looked at once.

        Such an allocation is of an API that was slow, or of an engine that was not active any more.

        :raises errors.Unavailable: the database or Placement does not answer
        """
        now = clock.now()
        start = self._swept or now - datetime.timedelta(seconds=_FIRST_SWEEP)
        end = now - datetime.timedelta(seconds=_ALLOCATING)
        for claim in claims.ended_between(self._database, start, end):
            if self._allocations.has(claim.id):
                LOG.warning("Claim %s is %s and has an allocation", claim.id, claim.state)
                self._allocations.free(claim.id)
        self._swept = end

    def _work(self, claim: Claim) -> None:
        if claim.state == claims.PROGRAMMING:
            self._hold(claim)
        else:
            self._release(claim)

    def _end(
        self,
        claim: Claim,
        states: typing.Collection[str],
        outcome: str,
        code: str | None = None,
        fault: str | None = None,
    ) -> bool:
        """Have a claim released."""
        LOG.info("Claim %s of project %s ends: %s", claim.id, claim.project_id, fault or outcome)
        return claims.change(
            self._database,
            claim.id,
            states,
            state=claims.RELEASING,
            outcome=outcome,
            code=code,
            fault=fault,
        )

    def _fail(self, claim: Claim, code: str, fault: str) -> None:
        self._end(claim, (claims.PROGRAMMING,), claims.FAILED, code, fault)

    def _hold(self, claim: Claim) -> None:
        """Have the host hold a claim, or learn what came of it."""
        place = self._place(claim)
        if place is None:
            self._wait(claim, "its card is not there")
            return
        order = {"id": claim.id, "device": place.device, "board": place.board}
        order["bitstream"] = claim.bitstream_id
        try:
            answer = self._call(claim, "hold", _HOLD, claim=order, wait=_WAIT)
        except (Unknown, errors.BrokerUnavailable) as e:
            self._wait(claim, str(e))
            return
        except errors.HostTooOld as e:
            self._fail(claim, e.code, e.detail)
            return
        if isinstance(answer, Refusal):
            if answer.code in _LATER:
                self._wait(claim, answer.message)
            else:
                self._fail(claim, f"host.{answer.code}", answer.message)
            return
        found = answer.get("claim")
        found = found if isinstance(found, dict) else {}
        if found.get("state") == "active":
            self._hand_over(claim, found)
        elif found.get("state") == "failed":
            self._refused(claim, found)
        else:
            self._wait(claim, "it did not come to an end in time")

    def _wait(self, claim: Claim, why: str) -> None:
        """Try again with the next look, unless the time of the host is over."""
        age = (clock.now() - claim.created_at).total_seconds()
        if age > self._service.conf.claims.timeout:
            self._fail(claim, errors.HostUnavailable.code, f"the host does not hold it: {why}")

    def _hand_over(self, claim: Claim, region: Document) -> None:
        self._full.pop(claim.id, None)
        given = {"state": claims.ACTIVE, "region": answers.region(region)}
        if claims.change(self._database, claim.id, (claims.PROGRAMMING,), **given):
            LOG.info(
                "Claim %s has region %s of host %s", claim.id, region.get("region"), claim.host
            )
            return
        now = claims.get(self._database, claim.id)
        if now is None or now.state in claims.ENDED:
            # It was released meanwhile, before the host held it.
            self._call(claim, "release", _RELEASE, claim_id=claim.id)

    def _refused(self, claim: Claim, found: Document) -> None:
        if found.get("code") == Exit.NO_FREE_REGION:
            self._go_on(claim)
        else:
            self._fail(claim, *answers.failure(found))

    def _go_on(self, claim: Claim) -> None:
        """Look for another place: Placement allocated more here than there is."""
        full = self._full.setdefault(claim.id, set())
        full.add(claim.provider_id or "")
        hosts = self._service.publication.require(publication.HOSTS).document
        found = places.find(hosts, claim.request)
        rest = {provider: one for provider, one in found.items() if provider not in full}
        try:
            self._allocations.free(claim.id)
            place = self._allocations.allocate(claim, rest)
        except (errors.NoneFree, errors.BadRequest) as e:
            self._full.pop(claim.id, None)
            self._fail(claim, errors.NoneFree.code, e.detail)
            return
        except errors.CloudUnavailable as e:
            # If Placement kept the consumer and not its allocations, it answers conflicts for ever.
            self._wait(claim, e.detail)
            return
        values = {"provider_id": place.provider_id, "host": place.host}
        if not claims.change(self._database, claim.id, (claims.PROGRAMMING,), **values):
            self._allocations.free(claim.id)

    def _place(self, claim: Claim) -> places.Place | None:
        """Where a claim is allocated; None if the engine did not see the card the last time."""
        try:
            hosts = self._service.publication.require(publication.HOSTS).document
        except errors.Unavailable:
            return None
        return places.find(hosts, claim.request).get(claim.provider_id or "")

    def _release(self, claim: Claim) -> None:
        """Have the host erase what a claim has, then free it in Placement."""
        if claim.host is not None and not self._released(claim):
            age = (clock.now() - claim.updated_at).total_seconds()
            if age < _RELEASING:
                return
        self._allocations.free(claim.id)
        self._full.pop(claim.id, None)
        outcome = claim.outcome or claims.RELEASED
        claims.change(self._database, claim.id, (claims.RELEASING,), state=outcome)

    def _released(self, claim: Claim) -> bool:
        """Whether nothing more is to be expected of the host; one that is silent audits later."""
        try:
            answer = self._call(claim, "release", _RELEASE, claim_id=claim.id)
        except (Unknown, errors.HostTooOld, errors.BrokerUnavailable) as e:
            LOG.warning("Claim %s is released without its host: %s", claim.id, e)
            return True
        return not (isinstance(answer, Refusal) and answer.code in _LATER)

    def _call(
        self, owner: Claim, method: str, timeout: float, /, **arguments: typing.Any
    ) -> Document | Refusal:
        context = {"user_id": owner.user_id, "project_id": owner.project_id}
        return self._calls.call(owner.host or "", method, timeout, context, **arguments)
