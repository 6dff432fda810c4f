# SPDX-License-Identifier: Apache-2.0
"""Counts all flavors and publishes the document ``availability``: a task of the engine."""

import typing

import stevedore
from oslo_config import cfg
from oslo_log import log as logging

from fpga_api import clock, errors, publication
from fpga_api.availability.cloud import Cloud
from fpga_api.availability.demand import UncountableError
from fpga_api.availability.flavors import Flavor
from fpga_api.availability.sources.base import Source
from fpga_api.availability.tenancy import Count, Counted

LOG = logging.getLogger(__name__)

NAMESPACE = "fpga_api.availability.sources"

#: Its flavors have what `fpga_api.schemas.availability.FLAVOR` has, and beside that `projects`,
#: those that have a private flavor, `counts`, those of the projects that aggregates name, `zones`,
#: the counts by availability zone, and for quotas `vcpus`, `ram` and `limited`.
Document = dict[str, typing.Any]


def load_sources(cloud: Cloud, conf: cfg.ConfigOpts) -> dict[str, Source]:
    """The sources of ``[availability] sources``, by name, the first one first.

    :raises RuntimeError: there is none of such a name, or it cannot be loaded
    """
    names = conf.availability.sources
    manager = stevedore.NamedExtensionManager(
        NAMESPACE,
        names,
        name_order=True,
        on_load_failure_callback=_fail,
        on_missing_entrypoints_callback=_miss,
    )
    return {one.name: one.plugin(cloud, conf) for one in manager}


def _fail(_manager: typing.Any, entry_point: typing.Any, error: BaseException) -> None:
    raise RuntimeError(f"the source {entry_point.name} cannot be loaded: {error}") from error


def _miss(names: typing.Iterable[str]) -> None:
    raise RuntimeError(f"[availability] sources: there is no {', '.join(sorted(names))}")


class Refresh:
    """Counts and publishes.

    :ivar flavors: what was published last
    """

    def __init__(
        self,
        cloud: Cloud,
        conf: cfg.ConfigOpts,
        published: publication.Publication,
        sources: typing.Mapping[str, Source] | None = None,
    ) -> None:
        self._cloud = cloud
        self._interval = conf.availability.interval
        self._publication = published
        self._sources = load_sources(cloud, conf) if sources is None else dict(sources)
        self.flavors: list[Document] = []

    def __call__(self) -> None:
        """Count once; where that fails, mark what was published as stale.

        :raises errors.CloudUnavailable: another service does not answer
        :raises fpga_api.errors.CacheUnavailable: memcached does not take it
        """
        at = clock.now()
        try:
            document = self.count()
        except errors.CloudUnavailable as e:
            self._publication.fail(publication.AVAILABILITY, str(e))
            raise
        self._publication.publish(publication.AVAILABILITY, document, self._interval, at)
        self.flavors = document["flavors"]

    def count(self) -> Document:
        """The document of now.

        :raises errors.CloudUnavailable: another service does not answer
        """
        flavors = [one for one in self._cloud.flavors() if not one.disabled]
        found: dict[str, Document] = {}
        for name, source in self._sources.items():
            for flavor_id, counted in source.count(flavors).items():
                before = found.get(flavor_id)
                if before is None or (before["error"] and isinstance(counted, Counted)):
                    found[flavor_id] = _of_source(name, counted)
        documents = [
            self._of_flavor(flavor) | found[flavor.id] for flavor in flavors if flavor.id in found
        ]
        documents.sort(key=lambda one: (one["name"], one["id"]))
        return {
            "flavors": documents,
            "complete": all(source.complete for source in self._sources.values()),
        }

    def _of_flavor(self, flavor: Flavor) -> Document:
        return {
            "id": flavor.id,
            "name": flavor.name,
            "vcpus": flavor.vcpus,
            "ram": flavor.ram,
            "public": flavor.public,
            "projects": [] if flavor.public else self._cloud.projects_of(flavor.id),
        }


def _of_source(name: str, counted: Counted | UncountableError) -> Document:
    if isinstance(counted, UncountableError):
        LOG.debug("The source %s does not count a flavor: %s", name, counted)
        error = {"code": counted.code, "detail": str(counted)}
        empty: Document = {
            "free": None,
            "total": None,
            "counts": {},
            "zones": {},
            "accelerators": {},
            "limited": {},
        }
        return {**empty, "source": name, "error": error}
    return {
        **_numbers(counted.count),
        "zones": _zones(counted, None),
        "counts": {
            project: {**_numbers(one), "zones": _zones(counted, project)}
            for project, one in counted.projects.items()
        },
        "accelerators": dict(counted.accelerators),
        "limited": dict(counted.limited),
        "source": name,
        "error": None,
    }


def _zones(counted: Counted, project: str | None) -> dict[str, dict[str, int]]:
    return {zone: _numbers(one) for zone, one in counted.zones.get(project, {}).items()}


def _numbers(count: Count) -> dict[str, int]:
    return {"free": count.free, "total": count.total}
