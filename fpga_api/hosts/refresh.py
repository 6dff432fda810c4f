# SPDX-License-Identifier: Apache-2.0
"""The engine's task that asks all hosts, and publishes their cards and regions.

The regions of a host that does not answer are not published: what they were is no answer to what
they are. The servers that had them are, so that their owners learn why they see nothing.
"""

import collections
import typing

from fpga_api import clock, errors, publication
from fpga_api.hosts import inventory, owners, reports
from fpga_api.hosts.client import Answer, Client
from fpga_api.hosts.inventory import Consumer
from fpga_api.peers import Peers
from fpga_api.service import Service

Document = dict[str, typing.Any]

_NO_HOST = Answer(None, "Nova has no compute host of this name")


class Hosts:
    """What is kept from one refresh to the next.

    :raises ValueError: there cannot be such a broker
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._client = Client(service.conf)
        self._inventory = inventory.Inventory(Peers(service.adapter))
        self._owners = owners.Owners(self._inventory)
        self._last: dict[str, reports.Report] = {}

    def refresh(self) -> None:
        """Ask all hosts, and publish what they say.

        :raises errors.Unavailable: Placement, Nova, the broker or the cache does not answer; what
            was published is stale then
        """
        published, at = self._service.publication, clock.now()
        try:
            document = self.collect()
        except errors.Unavailable as e:
            published.fail(publication.HOSTS, str(e))
            raise
        published.publish(publication.HOSTS, document, self._service.conf.hosts.interval, at)

    def collect(self) -> Document:
        """The document: cards, regions, hosts that did not answer, traits.

        :raises errors.Unavailable: Placement, Nova or the broker does not answer
        """
        names = self._inventory.traits()
        providers = self._inventory.providers(names)
        answers = self._client.ask(sorted({one.host for one in providers if one.host}))
        known = {one.host for one in providers}
        self._last = {host: report for host, report in self._last.items() if host in known}
        self._last |= {host: one.report for host, one in answers.items() if one.report}
        seen = {r["owner"] for one in self._last.values() for r in one.regions if r["owner"]}
        consumers = self._owners.consumers(seen)
        places = _Places(providers)
        regions = [
            _region(host, one.report, region, places, consumers)
            for host, one in answers.items()
            if one.report
            for region in one.report.regions
        ]
        regions.sort(key=lambda one: (one["id"], one["host"]))
        of_cards: dict[str, list[Document]] = collections.defaultdict(list)
        for region in regions:
            of_cards[region["card"]].append(region)
        return {
            "cards": [_card(one, answers, of_cards[one.id]) for one in providers],
            "regions": regions,
            "unreachable": self._unreachable(providers, answers, consumers),
            "traits": names,
        }

    def _unreachable(
        self,
        providers: list[inventory.Provider],
        answers: dict[str, Answer],
        consumers: dict[str, Consumer],
    ) -> list[Document]:
        silent = {host: one for host, one in answers.items() if one.report is None}
        silent |= {one.node: _NO_HOST for one in providers if one.host is None}
        return [
            {"host": host, "reason": one.fault, **self._before(host, consumers)}
            for host, one in sorted(silent.items())
        ]

    def _before(self, host: str, consumers: dict[str, Consumer]) -> Document:
        """What a host that is silent reported last."""
        last = self._last.get(host)
        regions = last.regions if last else ()
        servers = sorted(
            {r["owner"] for r in regions if r["owner"] and not _of_claim(r, consumers)}
        )
        return {
            "at": clock.text(last.at) if last else None,
            "servers": [{"id": one, "project_id": _project(one, consumers)} for one in servers],
        }


class _Places:
    """The provider of each region."""

    def __init__(self, providers: list[inventory.Provider]) -> None:
        self._providers = {(one.host, one.card): one.id for one in providers}

    def of(self, host: str, device: str | None) -> str | None:
        """The provider of a card, or of its host; None where Placement has neither."""
        return self._providers.get((host, device)) or self._providers.get((host, None))


def _region(
    host: str,
    report: reports.Report,
    region: reports.Region,
    places: _Places,
    consumers: dict[str, Consumer],
) -> Document:
    of_claim = _of_claim(region, consumers)
    others = ("owner", "image_id", "claimed")
    rest = {name: value for name, value in region.items() if name not in others}
    return rest | {
        "host": host,
        "card": places.of(host, region["device"]),
        "at": clock.text(report.at),
        "server_id": None if of_claim else region["owner"],
        "claim_id": region["owner"] if of_claim else None,
        "project_id": _project(region["owner"], consumers),
        "bitstream_id": region["image_id"],
    }


def _of_claim(region: reports.Region, consumers: dict[str, Consumer]) -> bool:
    """Whether a claim has a region: Placement knows, or else the host."""
    found = consumers.get(region["owner"] or "")
    return found.claim if found else bool(region["claimed"])


def _project(owner: str | None, consumers: dict[str, Consumer]) -> str | None:
    found = consumers.get(owner or "")
    return found.project if found else None


def _card(
    provider: inventory.Provider, answers: dict[str, Answer], here: list[Document]
) -> Document:
    """A card with its regions counted; the counts are null where they are not known."""
    known = provider.host in answers and answers[provider.host].report is not None
    states = [one["state"] for one in here]
    free = sum(one["state"] == "free" and not one["withheld"] for one in here)
    quarantined = states.count("quarantined")
    return {
        "id": provider.id,
        "name": provider.name,
        "host": provider.host,
        "devices": [provider.card] if provider.card else _values(here, "device"),
        "vendors": _values(here, "vendor"),
        "boards": _values(here, "board"),
        "total": len(here) if known else None,
        "free": free if known else None,
        "used": len(here) - states.count("free") - quarantined if known else None,
        "quarantined": quarantined if known else None,
    }


def _values(regions: list[Document], name: str) -> list[str]:
    return sorted({one[name] for one in regions if one[name]})
