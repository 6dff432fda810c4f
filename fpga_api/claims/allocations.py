# SPDX-License-Identifier: Apache-2.0
"""The allocations of claims in Placement."""

import random
import typing
import urllib.parse

import tenacity
from keystoneauth1 import adapter as adapters
from keystoneauth1 import exceptions

from fpga_api import errors
from fpga_api.claims.places import Place
from fpga_api.db.claims import Claim
from fpga_api.service import Service
from fpga_nova import contract, region_classes

#: The member of a claim's request that has all traits: those of the request and the bitstream's.
REQUIRED = "required"

_VERSION = contract.CLAIM_MICROVERSION

#: Candidates of one question where no host is named: whoever meets a conflict asks again.
_CANDIDATES = 100

#: Seconds: for all tries of one claim, and for the longest pause between two.
_TRIES, _PAUSE = 30.0, 1.0

Document = dict[str, typing.Any]


_T = typing.TypeVar("_T")


class Consumer(typing.Protocol):
    """Whoever has something in Placement: a claim, or a session."""

    @property
    def id(self) -> str:
        """Uuid of the consumer."""

    @property
    def project_id(self) -> str:
        """Whose it is."""

    @property
    def user_id(self) -> str:
        """Who asked for it."""


class _ConflictError(Exception):
    """Somebody else was faster."""


class Allocations:
    """Placement, as the service's user sees it."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def allocate(self, claim: Claim, places: typing.Mapping[str, Place]) -> Place:
        """Allocate a claim on one of some places.

        Placement answers a conflict where many ask at once, and with its default retries it may
        allocate more than there is: the host that is asked next refuses what is too much.

        :raises errors.NoneFree: none of the places has room
        :raises errors.BadRequest: Placement knows no such class, or no such trait
        :raises errors.CloudUnavailable: Placement does not answer; what it did is not known
        """
        return self._persist(self._try, claim, places)

    def take(self, consumer: Consumer, provider: str, resources: dict[str, int], kind: str) -> None:
        """Allocate amounts of one provider, which is known to have them.

        :param kind: type of the consumer
        :raises errors.CloudUnavailable: Placement does not answer; what it did is not known
        """
        self._persist(self._put, consumer, provider, resources, kind)

    @staticmethod
    def _persist(work: typing.Callable[..., _T], *arguments: typing.Any) -> _T:
        """Do something again while there are conflicts."""
        tries = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_ConflictError),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=_PAUSE),
            stop=tenacity.stop_after_delay(_TRIES),
        )
        try:
            return tries(work, *arguments)
        except tenacity.RetryError as e:
            raise errors.CloudUnavailable("Placement answered with conflicts alone") from e

    def free(self, claim_id: str) -> None:
        """Free what a claim has; nothing happens if it has nothing.

        :raises errors.CloudUnavailable: Placement does not answer
        """
        try:
            self._adapter().delete(f"/allocations/{claim_id}", microversion=_VERSION)
        except exceptions.NotFound:
            return
        except exceptions.ClientException as e:
            raise errors.CloudUnavailable(f"Placement does not answer: {e}") from e

    def has(self, claim_id: str) -> bool:
        """Whether a claim has something.

        :raises errors.CloudUnavailable: Placement does not answer
        """
        return bool(self._get(f"/allocations/{claim_id}")["allocations"])

    def _try(self, claim: Claim, places: typing.Mapping[str, Place]) -> Place:
        found = self._candidates(claim, places)
        if not found:
            raise errors.NoneFree("no accelerator that fits is free")
        # Of several who ask at once, few take the same one.
        provider, resources = random.choice(found)  # noqa: S311
        self._put(claim, provider, resources, contract.CLAIM_CONSUMER)
        return places[provider]

    def _candidates(
        self, claim: Claim, places: typing.Mapping[str, Place]
    ) -> list[tuple[str, dict[str, int]]]:
        """Providers among the places, each with what is to be allocated of it."""
        if not places:
            return []
        named = claim.request.get("resource_class")
        answers = (
            self._of_class(name, claim, places) for name in ([named] if named else self._classes())
        )
        return next(filter(None, answers), [])

    def _classes(self) -> list[str]:
        """The classes of regions, the common one first; where there is none, that one as well."""
        answer = self._get("/resource_classes")
        names = region_classes.among(one["name"] for one in answer["resource_classes"])
        return sorted(
            names or [region_classes.REGION], key=lambda one: one != region_classes.REGION
        )

    def _of_class(
        self, name: str, claim: Claim, places: typing.Mapping[str, Place]
    ) -> list[tuple[str, dict[str, int]]]:
        query = {"resources": f"{name}:1", "root_required": "!COMPUTE_STATUS_DISABLED"}
        if claim.request[REQUIRED]:
            query["required"] = ",".join(claim.request[REQUIRED])
        if claim.request.get("host"):
            query["in_tree"] = next(iter(places))
        elif not claim.request.get("device"):
            query["limit"] = str(_CANDIDATES)
        answer = self._get(f"/allocation_candidates?{urllib.parse.urlencode(query)}")
        return [
            (provider, one["resources"])
            for request in answer["allocation_requests"]
            for provider, one in request["allocations"].items()
            if provider in places
        ]

    def _put(self, consumer: Consumer, provider: str, resources: dict[str, int], kind: str) -> None:
        body = {
            "allocations": {provider: {"resources": resources}},
            "project_id": consumer.project_id,
            "user_id": consumer.user_id,
            "consumer_generation": None,
            "consumer_type": kind,
        }
        try:
            self._adapter().put(f"/allocations/{consumer.id}", json=body, microversion=_VERSION)
        except exceptions.Conflict as e:
            raise _ConflictError(str(e)) from e
        except exceptions.ClientException as e:
            raise errors.CloudUnavailable(f"Placement does not answer: {e}") from e

    def _get(self, path: str) -> Document:
        try:
            return dict(self._adapter().get(path, microversion=_VERSION).json())
        except exceptions.BadRequest as e:
            raise errors.BadRequest(f"Placement refuses the class or a trait: {e}") from e
        except (exceptions.ClientException, ValueError) as e:
            raise errors.CloudUnavailable(f"Placement does not answer: {e}") from e

    def _adapter(self) -> adapters.Adapter:
        return self._service.adapter("placement")
