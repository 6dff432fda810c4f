# SPDX-License-Identifier: Apache-2.0
"""Conditions between the parts of a description, which its schema cannot express.

Each rule passes over what has another form than the schema wants, so that one run finds all faults.
"""

import collections.abc
import ipaddress
import typing

from deployment.catalogue import PACKAGED, Catalogue, release_of
from deployment.document import Document, Path
from deployment.model import networks_of
from deployment.problems import Problem, text_of

Problems = collections.abc.Iterator[Problem]

#: Names that Ansible keeps for the machine it runs on.
_LOCAL = ("localhost",)


def problems(document: Document, catalogue: Catalogue) -> Problems:
    """All that the rules forbid."""
    yield from _release(document, catalogue)
    yield from _database(document)
    yield from _twice(document, "name", _text)
    yield from _addresses(document)
    yield from _twice(document, "address", _address)
    yield from _roles(document)
    yield from _modules(document)
    yield from _cards(document)
    yield from _networks(document)
    yield from _tunnels(document)


def _release(document: Document, catalogue: Catalogue) -> Problems:
    data = _mapping(document.data)
    value, distribution = data.get("release"), _text(data.get("distribution"))
    install = _mapping(data.get("configuration")).get("install", "venv")
    if not isinstance(value, str | int) or isinstance(value, bool):
        return
    series = catalogue.series_of(str(value))
    if series is None:
        known = ", ".join(f"{release_of(n)} (Nova {n})" for n in sorted(catalogue.series))
        yield document.at(("release",), f"unknown release {text_of(value)}; known: {known}")
    elif install == "packages" and distribution in PACKAGED:
        packaged = PACKAGED[distribution]
        if series != packaged:
            words = (
                f"release {release_of(series)} is not in the packages of {distribution}; "
                f"they have {release_of(packaged)} (Nova {packaged})"
            )
            yield document.at(("release",), words)
    elif install == "venv" and series != catalogue.locked:
        words = (
            f"release {release_of(series)} has a diff, but no lock file of a whole cloud; "
            f"requirements/cloud.txt has {release_of(catalogue.locked)} (Nova {catalogue.locked})"
        )
        yield document.at(("release",), words)


def _database(document: Document) -> Problems:
    data = _mapping(document.data)
    configuration, place = _mapping(data.get("configuration")), ("configuration", "database")
    if configuration.get("database") != "postgresql":
        return
    # The role has PostgreSQL 15, which Debian 13 lacks.
    if data.get("distribution") == "debian-13":
        yield document.at(place, "postgresql needs debian-12")
    # Nobody has tried Debian's releases with it.
    if configuration.get("install") == "packages":
        yield document.at(place, "postgresql needs install: venv")


def _twice(
    document: Document,
    member: str,
    form: collections.abc.Callable[[typing.Any], collections.abc.Hashable | None],
) -> Problems:
    first: dict[collections.abc.Hashable, Path] = {}
    for path, node in _nodes(document):
        value = form(node.get(member))
        if value is None:
            continue
        if value in first:
            line, _ = document.places[*first[value], member]
            words = f"{member} {text_of(node[member])} is there twice, first in line {line}"
            yield document.at((*path, member), words)
        first.setdefault(value, path)


def _addresses(document: Document) -> Problems:
    nodes = list(_nodes(document))
    for path, node in nodes:
        value, place = node.get("address"), (*path, "address")
        if _text(node.get("name")) in _LOCAL:
            yield document.at((*path, "name"), f"{node['name']} names every host")
        if not isinstance(value, str):
            continue
        address = _address(value)
        if address is None:
            yield document.at(place, f"address {text_of(value)} is not an IPv4 address")
        elif address.is_unspecified or address.is_multicast or address.is_reserved:
            yield document.at(place, f"address {value} is not of one host")
        elif address.is_loopback and len(nodes) > 1:
            yield document.at(place, f"address {value} is not reached by the other nodes")


def _roles(document: Document) -> Problems:
    nodes = list(_nodes(document))
    if any(not isinstance(node.get("roles"), list) for _, node in nodes) or not nodes:
        return
    controllers = [path for path, node in nodes if "controller" in node["roles"]]
    if not controllers:
        yield document.at_key(("nodes",), "no node has the role controller")
    for path in controllers[1:]:
        line, _ = document.places[controllers[0]]
        words = f"a second controller; the first is in line {line}, and one has all APIs"
        yield document.at((*path, "roles"), words)
    if not any("compute" in node["roles"] for _, node in nodes):
        yield document.at_key(("nodes",), "no node has the role compute")


def _modules(document: Document) -> Problems:
    first: dict[str, Path] = {}
    for path, node in _nodes(document):
        modules = node.get("modules")
        for index, module in enumerate(modules if isinstance(modules, list) else []):
            place = (*path, "modules", index)
            if module == "content" and "controller" not in _items(node.get("roles")):
                yield document.at(place, "module content needs the role controller")
            if isinstance(module, str) and first.setdefault(module, place)[:2] != path:
                line, _ = document.places[first[module]]
                words = f"module {text_of(module)} is there twice, first in line {line}"
                yield document.at(place, words)


def _cards(document: Document) -> Problems:
    for path, node in _nodes(document):
        if "fpga" not in node:
            continue
        if isinstance(node.get("roles"), list) and "compute" not in node["roles"]:
            yield document.at_key((*path, "fpga"), "fpga needs the role compute")
        fpga = _mapping(node["fpga"])
        drivers = _items(fpga.get("drivers"))
        if "regions" in fpga and "emulator" not in drivers:
            words = (
                "regions without the driver emulator; other drivers find their regions"
                if drivers
                else "regions without a driver; name it in drivers"
            )
            yield document.at_key((*path, "fpga", "regions"), words)
        for section in _mapping(fpga.get("options")):
            driver = section.partition(":")[0]
            if driver not in drivers:
                words = f"options of {text_of(driver)}, which is not a driver of this node"
                place = (*path, "fpga", "options", section)
                yield document.at_key(place, words)


def _networks(document: Document) -> Problems:
    configuration = _mapping(_mapping(document.data).get("configuration"))
    networks = networks_of(configuration)
    if configuration.get("install") == "packages" and networks == "ovn":
        words = "networks: ovn needs install: venv"
        yield document.at(("configuration", "networks"), words)
    for path, node in _nodes(document):
        for member in [name for name in ("tunnel", "external") if name in node]:
            if "compute" not in _items(node.get("roles")):
                yield document.at_key((*path, member), f"{member} needs the role compute")
            if networks == "none":
                yield document.at_key((*path, member), f"{member} needs networks: ovn")
        tunnel = _mapping(node.get("tunnel"))
        if _text(tunnel.get("interface")) and tunnel["interface"] == node.get("external"):
            words = "external is the interface of the tunnels"
            yield document.at((*path, "external"), words)


def _tunnels(document: Document) -> Problems:
    taken = {_address(node.get("address")) for _, node in _nodes(document)}
    first: tuple[ipaddress.IPv4Interface, int] | None = None
    for path, node in _nodes(document):
        value = _text(_mapping(node.get("tunnel")).get("address"))
        if value is None:
            continue
        place = (*path, "tunnel", "address")
        address = _interface(value)
        if address is None:
            words = f"address {text_of(value)} is not one such as 10.0.1.11/24"
            yield document.at(place, words)
            continue
        if address.ip in taken:
            yield document.at(place, f"address {address.ip} is there twice")
        elif first and address.network != first[0].network:
            words = f"address {value} is not in {first[0].network}, as that of line {first[1]}"
            yield document.at(place, words)
        taken.add(address.ip)
        first = first or (address, document.places[place][0])


def _nodes(document: Document) -> collections.abc.Iterator[tuple[Path, dict[str, typing.Any]]]:
    for index, node in enumerate(_items(_mapping(document.data).get("nodes"))):
        if isinstance(node, dict):
            yield ("nodes", index), node


def _mapping(value: typing.Any) -> dict[str, typing.Any]:
    return value if isinstance(value, dict) else {}


def _items(value: typing.Any) -> list[typing.Any]:
    return value if isinstance(value, list) else []


def _text(value: typing.Any) -> str | None:
    return value if isinstance(value, str) else None


def _address(value: typing.Any) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _interface(value: str) -> ipaddress.IPv4Interface | None:
    """An address with its prefix, if a host can have it."""
    try:
        found = ipaddress.IPv4Interface(value)
    except ValueError:
        return None
    network = found.network
    usable = "/" in value and found.ip not in (network.network_address, network.broadcast_address)
    return found if usable and not (found.is_multicast or found.is_loopback) else None
