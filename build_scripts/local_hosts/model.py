# SPDX-License-Identifier: Apache-2.0
"""What local hosts are: names, addresses, numbers, and the network that they share."""

import collections
import collections.abc
import dataclasses
import hashlib
import ipaddress
import pathlib
import re

#: Names and addresses of a host without an address of its own: the first host has this offset.
_FIRST = 11

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")

#: A name that every host has for itself or for the machine.
_RESERVED = frozenset({"localhost", "machine"})

#: A veth has a name with the host's number in it, of at most 15 characters.
_MOST = 999

#: Unless another is given.
SUBNET = "10.77.0.0/24"

SUITES = ("bookworm", "trixie")


class LocalHostsError(Exception):
    """Local hosts cannot be what they are asked to be; the message says what to do."""


@dataclasses.dataclass(frozen=True)
class Network:
    """The hosts' network; the machine, the way out and the name server have its first addresses."""

    subnet: ipaddress.IPv4Network

    @property
    def machine(self) -> str:
        """The machine's own address in it."""
        return str(self.subnet[1])

    @property
    def router(self) -> str:
        """Where slirp4netns takes what goes elsewhere."""
        return str(self.subnet[2])

    @property
    def nameserver(self) -> str:
        """Where slirp4netns answers with the machine's name server."""
        return str(self.subnet[3])

    def address(self, number: int) -> str:
        """The address of a host that has not been given one.

        :raises LocalHostsError: the network is too small
        """
        if _FIRST + number - 1 >= self.subnet.num_addresses - 1:
            raise LocalHostsError(f"{self.subnet} is too small for host {number}: give --subnet")
        return str(self.subnet[_FIRST + number - 1])


@dataclasses.dataclass(frozen=True)
class Host:
    """A host; its number stays, whatever it is called.

    :ivar suite: its Debian
    :ivar is_cut: its cable is out, until it is joined again
    """

    number: int
    name: str
    address: str
    suite: str
    is_cut: bool = False

    @property
    def container(self) -> str:
        """The name of its container."""
        return f"host{self.number}"


@dataclasses.dataclass(frozen=True)
class Share:
    """A folder of the machine that each host has, read-only.

    :ivar target: its path in the hosts
    :ivar writer: the name of the one host that may write it
    """

    source: str
    target: str
    writer: str | None = None

    def bind(self, host: str) -> str:
        """What ``docker run --volume`` calls it, for one host."""
        return f"{self.source}:{self.target}:{'rw' if host == self.writer else 'ro'}"


@dataclasses.dataclass(frozen=True)
class Site:
    """All hosts of one folder.

    :ivar user: whom the machine reaches a host as, by SSH
    :ivar shares: folders of the machine that each host has
    """

    network: Network
    user: str = "root"
    shares: tuple[Share, ...] = ()
    hosts: tuple[Host, ...] = ()

    def find(self, name: str) -> Host:
        """A host by its name.

        :raises LocalHostsError: there is none
        """
        for host in self.hosts:
            if host.name == name:
                return host
        names = ", ".join(host.name for host in self.hosts)
        raise LocalHostsError(f"there is no host {name}; the hosts are: {names or 'none'}")

    def put(self, host: Host) -> "Site":
        """The same hosts, with one more or one changed."""
        others = [one for one in self.hosts if one.number != host.number]
        every = sorted([*others, host], key=lambda one: one.number)
        return dataclasses.replace(self, hosts=tuple(every))


@dataclasses.dataclass(frozen=True)
class Common:
    """What a caller wants all hosts to have in common; None stands for what they have."""

    network: Network | None = None
    user: str | None = None
    shares: tuple[Share, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Request:
    """A host that there is to be; without an address it gets the next free one."""

    name: str
    address: str | None = None


def network(text: str) -> Network:
    """Read a subnet such as 10.77.0.0/24.

    :raises LocalHostsError: it is not a private IPv4 network with room for a host
    """
    try:
        subnet = ipaddress.IPv4Network(text)
    except ValueError as e:
        raise LocalHostsError(f"--subnet {text}: {e}") from e
    if not subnet.is_private or subnet.num_addresses < 2 * _FIRST:
        raise LocalHostsError(f"--subnet {text}: it is not a private network of /27 or larger")
    return Network(subnet)


def check_name(name: str) -> str:
    """The name, if a host can have it.

    :raises LocalHostsError: it cannot
    """
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise LocalHostsError(
            f"{name!r} is not a host name: small letters, digits and dashes, at most 63 of them, "
            f"and none of {', '.join(sorted(_RESERVED))}"
        )
    return name


def request(text: str) -> Request:
    """Read NAME or NAME=ADDRESS.

    :raises LocalHostsError: the name or the address is none
    """
    name, equals, address = text.partition("=")
    check_name(name)
    if not equals:
        return Request(name)
    try:
        return Request(name, str(ipaddress.IPv4Address(address)))
    except ValueError as e:
        raise LocalHostsError(f"{text}: {e}") from e


def share(text: str) -> Share:
    """Read FOLDER, FOLDER:PATH or FOLDER:PATH:HOST.

    :raises LocalHostsError: the folder is not there, or a path is not absolute
    """
    source, *rest = text.split(":")
    target, writer = rest[0] if rest else source, rest[1] if len(rest) == 2 else None
    if len(rest) > 2 or not pathlib.Path(source).is_dir():
        raise LocalHostsError(f"--share {text}: it is not a folder, and what follows it")
    if not all(pathlib.PurePath(path).is_absolute() for path in (source, target)):
        raise LocalHostsError(f"--share {text}: a path is not absolute")
    return Share(source, target, writer and check_name(writer))


def default_requests(count: int) -> list[Request]:
    """A controller and compute hosts.

    :raises LocalHostsError: not so many can be
    """
    if not 1 <= count <= _MOST:
        raise LocalHostsError(f"{count} hosts: it is 1 to {_MOST}")
    return [Request("controller"), *(Request(f"compute{n}") for n in range(1, count))]


def settle(site: Site | None, common: Common) -> Site:
    """The hosts, with what they have in common.

    :param site: hosts that there are
    :raises LocalHostsError: they have another network, user or share
    """
    known = site or Site(network(SUBNET))
    asked = {name: value for name, value in vars(common).items() if value is not None}
    differing = [name for name, value in asked.items() if getattr(known, name) != value]
    if known.hosts and differing:
        raise LocalHostsError(f"the hosts have another {', '.join(differing)}: run 'down' first")
    return dataclasses.replace(known, **asked)


def extend(site: Site, requests: collections.abc.Iterable[Request], suite: str) -> Site:
    """The hosts with those that are asked for; a host that is there stays as it is.

    :raises LocalHostsError: names or addresses do not fit together, with all reasons
    """
    asked = list(requests)
    if suite not in SUITES:
        raise LocalHostsError(f"suite {suite}: it is one of {', '.join(SUITES)}")
    problems = [*_twice(asked), *_misplaced(site, asked)]
    if problems:
        raise LocalHostsError("\n".join(problems))
    given = {one.address for one in asked}
    for one in asked:
        if any(host.name == one.name for host in site.hosts):
            continue
        number = 1 + max((host.number for host in site.hosts), default=0)
        if number > _MOST:
            raise LocalHostsError(f"host {one.name}: there were {_MOST} hosts, run 'down' first")
        address = one.address or _free(site, given)
        site = site.put(Host(number, one.name, address, suite))
    return site


def rename(site: Site, name: str, new: str) -> Site:
    """The hosts, one of them with a new name; where it has it already, they stay as they are.

    :raises LocalHostsError: there is no such host, or another has the name
    """
    check_name(new)
    names = {host.name for host in site.hosts}
    if name not in names and new in names:
        return site
    host = site.find(name)
    if new != name and any(other.name == new for other in site.hosts):
        raise LocalHostsError(f"another host is called {new}")
    shares = tuple(
        dataclasses.replace(share, writer=new) if share.writer == name else share
        for share in site.shares
    )
    return dataclasses.replace(site.put(dataclasses.replace(host, name=new)), shares=shares)


def key_of(folder: pathlib.Path) -> str:
    """What the hosts of a folder have in the names of what the machine sees of them."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:6]


def mac(folder: pathlib.Path, number: int, interface: str) -> str:
    """The hardware address of a host's interface: the same after each start, and local."""
    digest = hashlib.sha256(f"{folder} {number} {interface}".encode()).hexdigest()
    return ":".join(["02", *(digest[at : at + 2] for at in range(0, 10, 2))])


def _free(site: Site, given: collections.abc.Set[str | None]) -> str:
    used = given | {host.address for host in site.hosts}
    number = 1
    while (address := site.network.address(number)) in used:
        number += 1
    return address


def _twice(asked: list[Request]) -> list[str]:
    names = collections.Counter(one.name for one in asked)
    addresses = collections.Counter(one.address for one in asked if one.address)
    found = [*names.items(), *addresses.items()]
    return [f"{value} is given {count} times" for value, count in found if count > 1]


def _misplaced(site: Site, asked: list[Request]) -> list[str]:
    """What is wrong with addresses: outside of the network, reserved, or another host's."""
    network, problems = site.network, []
    reserved = {network.machine, network.router, network.nameserver}
    reserved |= {str(network.subnet[0]), str(network.subnet[-1])}
    owners = {host.address: host.name for host in site.hosts}
    addresses = {host.name: host.address for host in site.hosts}
    for one in asked:
        if one.address is None:
            continue
        if ipaddress.IPv4Address(one.address) not in network.subnet:
            problems.append(f"{one.name}: {one.address} is not in {network.subnet}")
        elif one.address in reserved:
            problems.append(f"{one.name}: {one.address} is reserved in {network.subnet}")
        elif owners.get(one.address, one.name) != one.name:
            problems.append(f"{one.name}: {owners[one.address]} has {one.address}")
        elif addresses.get(one.name, one.address) != one.address:
            problems.append(f"{one.name} has {addresses[one.name]}, and keeps it until 'down'")
    return problems
