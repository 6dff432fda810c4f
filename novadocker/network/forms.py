# SPDX-License-Identifier: Apache-2.0
"""Forms of what the privileged process accepts; anything else is refused."""

import ipaddress
import re
import typing

#: Least MTU of IPv4 (RFC 791) and of IPv6 (RFC 8200), and the most that Linux's veth has.
LEAST_MTU, LEAST_MTU_OF_IPV6, MOST_MTU = 68, 1280, 65535

#: Neutron's names of taps, and Nova's of the bridges of a hybrid plug.
_HOST = re.compile(r"tap[0-9a-f]{8}-[0-9a-f]{2}")
_INSIDE = re.compile(r"eth(0|[1-9][0-9]{0,2})")
#: Of one card; a first byte that is odd names a group.
_MAC = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}")

#: Addresses and routes of one interface, at most.
_MOST = 256


class FormError(ValueError):
    """A name, an address or a number has not the form that it must have."""


def host_name(name: object) -> str:
    """The host's end of an interface.

    :raises FormError: it cannot be one
    """
    return _matching(_HOST, name)


def inside_name(name: object) -> str:
    """The container's end of an interface.

    :raises FormError: it cannot be one
    """
    return _matching(_INSIDE, name)


def mac(address: object) -> str:
    """The hardware address of an interface.

    :raises FormError: it cannot be one
    """
    return _matching(_MAC, address)


def mtu(size: object) -> int:
    """The bytes of an interface's largest packet.

    :raises FormError: Linux has no such interface
    """
    if type(size) is int and LEAST_MTU <= size <= MOST_MTU:
        return size
    raise FormError(f"MTU {size!r} is not between {LEAST_MTU} and {MOST_MTU}")


def addresses(
    listed: typing.Sequence[object],
) -> list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]:
    """Addresses of an interface, each with the length of its prefix.

    :raises FormError: one is no address, or there are too many
    """
    _check_count(listed)
    try:
        return [ipaddress.ip_interface(str(one)) for one in listed]
    except ValueError as e:
        raise FormError(str(e)) from e


def routes(
    listed: typing.Sequence[typing.Sequence[object]],
) -> list[tuple[str, str | None]]:
    """Destinations, each with its gateway or None where it is on the link.

    :raises FormError: one is no route, or there are too many
    """
    _check_count(listed)
    try:
        return [_route(*one) for one in listed]
    except (TypeError, ValueError) as e:
        raise FormError(str(e)) from e


def _route(destination: object, gateway: object) -> tuple[str, str | None]:
    to = ipaddress.ip_network(str(destination))
    if gateway is None:
        return str(to), None
    through = ipaddress.ip_address(str(gateway))
    if to.version != through.version:
        raise FormError(f"gateway {through} is of another family than {to}")
    return str(to), str(through)


def _check_count(listed: typing.Sequence[object]) -> None:
    if len(listed) > _MOST:
        raise FormError(f"{len(listed)} are more than {_MOST}")


def _matching(form: re.Pattern[str], text: object) -> str:
    if isinstance(text, str) and form.fullmatch(text):
        return text
    raise FormError(f"{text!r} is not of the form {form.pattern}")
