# SPDX-License-Identifier: Apache-2.0
"""What Nova, Placement, Cyborg, Glance and Keystone are asked, each by one method."""

import typing

from fpga_api.availability import flavors
from fpga_api.peers import COMPUTE, Document, MissingError, Peers, quote

#: Placement since Xena has this.
_PLACEMENT = "1.35"


class Cloud(Peers):
    """What the counts need of a cloud."""

    def flavors(self) -> list[flavors.Flavor]:
        """All flavors, those that are disabled too."""
        return [flavors.of_document(one) for one in self.flavor_documents()]

    def projects_of(self, flavor: str) -> list[str]:
        """The projects that have access to a private flavor; none if it is gone."""
        try:
            answer = self.get("compute", f"/flavors/{quote(flavor)}/os-flavor-access", COMPUTE)
        except MissingError:
            return []
        return [one["tenant_id"] for one in answer["flavor_access"]]

    def services(self) -> list[Document]:
        """The compute services: host, state, status."""
        found: list[Document] = self.get("compute", "/os-services?binary=nova-compute", COMPUTE)[
            "services"
        ]
        return found

    def aggregates(self) -> list[Document]:
        """The host aggregates: hosts, metadata."""
        found: list[Document] = self.get("compute", "/os-aggregates", COMPUTE)["aggregates"]
        return found

    def hypervisor(self, uuid: str) -> Document:
        """A compute node: hypervisor_hostname, service.

        :raises MissingError: there is none of that id
        """
        found: Document = self.get("compute", f"/os-hypervisors/{uuid}", COMPUTE)["hypervisor"]
        return found

    def hypervisors_of(self, host: str) -> list[Document]:
        """The compute nodes of a service's host, by a name that contains the host's."""
        for pattern in dict.fromkeys((host, host.partition(".")[0])):
            path = f"/os-hypervisors/detail?hypervisor_hostname_pattern={quote(pattern)}"
            try:
                answer = self.get("compute", path, COMPUTE)
            except MissingError:
                continue
            found = [one for one in answer["hypervisors"] if one["service"]["host"] == host]
            if found:
                return found
        return []

    def servers_on(self, host: str) -> list[Document]:
        """The servers of all projects on a host: flavor with its extra specs."""
        return list(self.pages(f"/servers/detail?all_tenants=1&host={quote(host)}", "servers"))

    def limits(self, project: str) -> dict[str, int]:
        """Nova's limits and usage of a project."""
        answer = self.get("compute", f"/limits?tenant_id={project}", COMPUTE)
        return dict(answer["limits"]["absolute"])

    def providers_with(self, wanted: typing.Iterable[tuple[str, int]]) -> frozenset[str]:
        """The uuids of the providers that would give these amounts of classes now."""
        amounts = ",".join(f"{name}:{amount}" for name, amount in wanted)
        path = f"/resource_providers?resources={amounts}"
        found = self.get("placement", path, _PLACEMENT)["resource_providers"]
        return frozenset(one["uuid"] for one in found)

    def summaries(self, name: str, amount: int) -> dict[str, Document]:
        """All providers of the trees that can give an amount of a class, by uuid."""
        try:
            answer = self.get(
                "placement",
                f"/allocation_candidates?resources={name}:{amount}"
                "&root_required=!COMPUTE_STATUS_DISABLED",
                _PLACEMENT,
            )
        except MissingError:
            return {}
        return dict(answer["provider_summaries"])

    def providers(self) -> list[Document]:
        """All resource providers: uuid, name, generation, root_provider_uuid."""
        found: list[Document] = self.get("placement", "/resource_providers", _PLACEMENT)[
            "resource_providers"
        ]
        return found

    def classes(self) -> frozenset[str]:
        """The names of all resource classes."""
        answer = self.get("placement", "/resource_classes", _PLACEMENT)
        return frozenset(one["name"] for one in answer["resource_classes"])

    def traits(self) -> frozenset[str]:
        """The names of all traits."""
        return frozenset(self.get("placement", "/traits", _PLACEMENT)["traits"])

    def inventories(self, provider: str) -> Document:
        """The inventories of a provider by class, with its generation.

        :raises MissingError: it is gone
        """
        path = f"/resource_providers/{provider}/inventories"
        return dict(self.get("placement", path, _PLACEMENT))

    def traits_of(self, provider: str) -> frozenset[str]:
        """The traits of a provider.

        :raises MissingError: it is gone
        """
        path = f"/resource_providers/{provider}/traits"
        return frozenset(self.get("placement", path, _PLACEMENT)["traits"])

    def usages(self, project: str) -> dict[str, int]:
        """What a project has allocated, by class."""
        answer = self.get("placement", f"/usages?project_id={project}", _PLACEMENT)
        return {name: int(amount) for name, amount in answer["usages"].items()}

    def device_profile(self, name: str) -> list[dict[str, str]]:
        """The groups of a device profile of Cyborg.

        :raises MissingError: there is none of that name
        """
        found = self.get("accelerator", f"/v2/device_profiles?name={quote(name)}")[
            "device_profiles"
        ]
        if not found:
            raise MissingError(f"the accelerator service has no device profile {name}")
        return list(found[0]["groups"])

    def image(self, image_id: str) -> Document:
        """An image of Glance.

        :raises MissingError: there is none
        """
        return dict(self.get("image", f"/v2/images/{quote(image_id)}"))

    def unified_limits(self, project: str) -> dict[str, int]:
        """Keystone's limits of Nova's resources for a project, by name."""
        limits: dict[str, int] = {}
        for kind in ("registered_limits", f"limits?project_id={project}"):
            answer = self.get("identity", f"/v3/{kind}")
            for one in answer[kind.partition("?")[0]]:
                limits[one["resource_name"]] = one.get("resource_limit", one.get("default_limit"))
        return limits
