# SPDX-License-Identifier: Apache-2.0
"""What a flavor asks of Placement, read as Nova's scheduler reads it (nova/scheduler/utils.py)."""

import collections
import dataclasses
import json
import re
import typing

import os_resource_classes
import os_traits

from fpga_api.availability.demand import Demand, Group, Resources, UncountableError, resources
from fpga_api.availability.flavors import Flavor
from fpga_nova import functions, request

ALIAS = "pci_passthrough:alias"
DEVICE_PROFILE = "accel:device_profile"

_KEY = re.compile("(resources|trait)([a-zA-Z0-9_-]{1,64})?:(.*)")
_NAME = re.compile("[A-Z0-9_]{1,255}")
_POLICIES = ("none", "isolate")
_HYPERTHREADING = "HW_CPU_HYPERTHREADING"
_THREAD_POLICIES = {"isolate": "forbidden", "require": "required"}

#: Extra specs that change what is asked of Placement in ways that are not counted here.
_UNCOUNTED = ("hw:mem_encryption", "hw:pmem", "hw:tpm_version", "hw:tpm_model")


@dataclasses.dataclass(frozen=True)
class Alias:
    """Devices that ``[pci] alias`` of nova.conf describes.

    :ivar resource_class: None where Placement does not have them under one class
    """

    name: str
    resource_class: str | None
    traits: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Terms:
    """What the words of extra specs mean in this cloud.

    :ivar aliases: by name
    :ivar regions: whether the scheduler asks Placement for the regions of ``hw:fpga_ip_id``
    :ivar quota: whether unified limits count these regions
    :ivar traits_of_image: the traits that it requires of a card for a bitstream image
    :ivar profile: the groups of a device profile of Cyborg
    """

    aliases: typing.Mapping[str, Alias]
    regions: bool
    quota: bool
    traits_of_image: typing.Callable[[str], frozenset[str]]
    profile: typing.Callable[[str], list[dict[str, str]]]


def parse_alias(text: str) -> Alias:
    """An alias as ``[pci] alias`` of nova.conf has it, in JSON.

    :raises ValueError: it has no name, or is no JSON
    """
    try:
        document = json.loads(text)
    except ValueError as e:
        raise ValueError(f"the alias {text} is not JSON: {e}") from e
    if not isinstance(document, dict) or not str(document.get("name", "")).strip():
        raise ValueError(f"{text} is no alias: it has no name")
    traits = [one for one in str(document.get("traits") or "").split(",") if one.strip()]
    return Alias(
        str(document["name"]).strip(),
        _alias_class(document),
        frozenset(_normal(one.strip(), os_traits.get_traits()) for one in traits),
    )


def _normal(name: str, standard: typing.Container[str]) -> str:
    upper = name.upper()
    if upper in standard or upper.startswith("CUSTOM_"):
        return upper
    return "CUSTOM_" + re.sub("[^A-Z0-9_]", "_", upper)


def _alias_class(document: typing.Mapping[str, typing.Any]) -> str | None:
    if document.get("resource_class"):
        return _normal(str(document["resource_class"]), os_resource_classes.STANDARDS)
    if document.get("vendor_id") and document.get("product_id"):
        return f"CUSTOM_PCI_{document['vendor_id']}_{document['product_id']}".upper()
    return None


def alias_counts(value: str) -> dict[str, int]:
    """How many devices of which alias the extra spec ``pci_passthrough:alias`` asks for.

    :raises UncountableError: it is not NAME:NUMBER[,NAME:NUMBER…]
    """
    counts: collections.Counter[str] = collections.Counter()
    for one in value.split(","):
        name, colon, number = one.strip().partition(":")
        if not (name and colon and number.isdecimal() and int(number) > 0):
            raise UncountableError(
                "fpga.flavor_invalid", f"{ALIAS} is '{value}', which is not NAME:NUMBER"
            )
        counts[name.strip()] += int(number)
    return dict(counts)


class _Groups:
    """The groups of a request while they are collected; the unnumbered one has the name ''."""

    def __init__(self) -> None:
        self.amounts: dict[str, dict[str, int]] = {"": {}}
        self.traits: dict[str, dict[str, set[str]]] = {}

    def add(self, group: str, kind: str, name: str, value: str) -> None:
        if not _NAME.fullmatch(name):
            raise UncountableError("fpga.flavor_invalid", f"{name} is no name of Placement's")
        if kind == "resources":
            if not value.isdecimal():
                raise UncountableError(
                    "fpga.flavor_invalid", f"the flavor asks for '{value}' of {name}"
                )
            self.amounts.setdefault(group, {})[name] = int(value)
        elif value in ("required", "forbidden"):
            self.trait(group, name, value)
        else:
            raise UncountableError(
                "fpga.flavor_invalid", f"the trait {name} is neither required nor forbidden"
            )

    def trait(self, group: str, name: str, value: str) -> None:
        self.traits.setdefault(group, {}).setdefault(value, set()).add(name)

    def asks_for(self, *names: str) -> bool:
        return any(name in of_group for of_group in self.amounts.values() for name in names)

    def group(self, name: str) -> Group:
        traits = self.traits.get(name, {})
        return Group(
            resources(self.amounts.get(name, {})),
            frozenset(traits.get("required", ())),
            frozenset(traits.get("forbidden", ())),
        )

    def together(self) -> Resources:
        total: collections.Counter[str] = collections.Counter()
        for amounts in self.amounts.values():
            total.update(amounts)
        return resources(total)

    def numbered(self) -> tuple[Group, ...]:
        names = sorted((self.amounts.keys() | self.traits.keys()) - {""})
        return tuple(group for group in map(self.group, names) if group.resources)


def demand(flavor: Flavor, terms: Terms) -> Demand:
    """What one server of a flavor needs; without accelerators if the flavor asks for none.

    :raises UncountableError: the flavor asks for what no server gets, or for what is not counted
    """
    specs = flavor.extra_specs
    _refuse(specs)
    groups = _Groups()
    for key, value in specs.items():
        match = _KEY.fullmatch(key)
        if match:
            kind, suffix, name = match.groups()
            groups.add(suffix or "", kind, name, value)
    own = len(groups.numbered())
    _add_host_classes(flavor, groups)
    more = [*_regions(specs, terms), *_devices(specs, terms), *_profile(specs, terms)]
    numbered = (*groups.numbered(), *more)
    isolate = _isolate(specs, own, len(numbered))
    limited = dict(groups.together())
    if terms.quota:  # as scheduler_filters.quota counts
        amount = request.regions_not_named(specs, limited)
        limited[request.RESOURCE_CLASS] = limited.get(request.RESOURCE_CLASS, 0) + amount
    result = Demand(groups.group(""), numbered, isolate, resources(limited))
    result.check()
    return result


def _refuse(specs: typing.Mapping[str, str]) -> None:
    flaw = request.flaw(specs)
    if flaw is not None:
        raise UncountableError("fpga.flavor_invalid", flaw)
    uncounted = [key for key in _UNCOUNTED if specs.get(key, "false").lower() != "false"]
    if specs.get("hw:cpu_policy") == "mixed":
        uncounted.append("hw:cpu_policy=mixed")
    if uncounted:
        raise UncountableError(
            "fpga.flavor_not_counted", f"flavors with {', '.join(uncounted)} are not counted"
        )


def _add_host_classes(flavor: Flavor, groups: _Groups) -> None:
    """What Nova adds of a flavor's size, where no extra spec asks for the same class."""
    specs, base = flavor.extra_specs, groups.amounts[""]
    if specs.get("hw:cpu_policy") == "dedicated":
        base["PCPU"] = flavor.vcpus + (specs.get("hw:emulator_threads_policy") == "isolate")
    thread_policy = _THREAD_POLICIES.get(specs.get("hw:cpu_thread_policy", ""))
    if thread_policy:
        groups.trait("", _HYPERTHREADING, thread_policy)
    if specs.get("hw:pci_numa_affinity_policy") == "socket":
        groups.trait("", "COMPUTE_SOCKET_PCI_NUMA_AFFINITY", "required")
    if not groups.asks_for("VCPU", "PCPU"):
        base["VCPU"] = flavor.vcpus
    if not groups.asks_for("MEMORY_MB"):
        base["MEMORY_MB"] = flavor.ram
    if not groups.asks_for("DISK_GB"):
        base["DISK_GB"] = flavor.local_disk


def _isolate(specs: typing.Mapping[str, str], own: int, together: int) -> bool:
    """Whether groups exclude each other.

    Nova takes ``none`` for the default only if the flavor itself has one group at most.
    """
    policy = specs.get("group_policy")
    if policy not in _POLICIES and own > 1 and together > 1:
        raise UncountableError(
            "fpga.flavor_invalid",
            "the flavor has several groups but no group_policy, so that no server gets a host",
        )
    return policy == "isolate"


def _regions(specs: typing.Mapping[str, str], terms: Terms) -> list[Group]:
    """The groups that scheduler_filters.request_filter adds."""
    wanted = request.functions_wanted(specs)
    if not (terms.regions or wanted) or request.names_resource(specs):
        return []
    traits = {n: frozenset({functions.trait(function)}) for n, function in wanted.items()}
    for number, image_id in request.bitstreams(specs).items():
        traits[number] = terms.traits_of_image(image_id)
    return [Group(((request.RESOURCE_CLASS, 1),), traits[number]) for number in sorted(traits)]


def _devices(specs: typing.Mapping[str, str], terms: Terms) -> list[Group]:
    """One group for each device: what ``[filter_scheduler] pci_in_placement`` adds."""
    if ALIAS not in specs:
        return []
    groups = []
    for name, number in alias_counts(specs[ALIAS]).items():
        alias = terms.aliases.get(name)
        if alias is None or alias.resource_class is None:
            raise UncountableError(
                "fpga.alias_unknown",
                f"[availability] pci_alias has no class of Placement for the alias {name}",
            )
        groups += [Group(((alias.resource_class, 1),), alias.traits)] * number
    return groups


def _profile(specs: typing.Mapping[str, str], terms: Terms) -> list[Group]:
    if DEVICE_PROFILE not in specs:
        return []
    groups = []
    for one in terms.profile(specs[DEVICE_PROFILE]):
        collected = _Groups()
        for key, value in one.items():
            kind, _, name = key.partition(":")
            if kind in ("resources", "trait"):
                collected.add("", kind, name, str(value))
        if collected.group("").resources:
            groups.append(collected.group(""))
    return groups
