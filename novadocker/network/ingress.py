# SPDX-License-Identifier: Apache-2.0
"""Chains that keep what a container sends from the host's own stack.

Open vSwitch's userspace datapath reads the host's end of an interface through a packet socket, and
the host's stack receives each frame as well. A container that names the host's end in a static
neighbour would reach sockets of the host past all security groups. A chain of nftables at the
interface's ingress drops these frames; packet sockets get theirs before it. The kernel's datapath
takes frames after that hook, and leaves none to the stack, so there a chain would cut the
container off and has no use.

With a hybrid plug, the stack receives the frames that name the bridge, on either datapath. What the
bridge forwards does not come to its own ingress.
"""

import errno
import typing

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWCHAIN, nft_chain_msg
from pyroute2.nftables.main import NFTables

#: linux/netfilter.h: the family of chains at one device, its hook, and the verdict.
_NFPROTO_NETDEV, _NF_NETDEV_INGRESS, _NF_DROP = 5, 0, 0

#: The table of a container's interface has a chain for each device, and goes as a whole.
_PREFIX = "fpga-nova-"


class _Tables(NFTables):  # type: ignore[misc]
    """pyroute2 knows the hooks of IP alone."""

    def close_ingress(self, table: str, device: str) -> None:
        hook = [
            ["NFTA_HOOK_HOOKNUM", _NF_NETDEV_INGRESS],
            ["NFTA_HOOK_PRIORITY", 0],
            ["NFTA_HOOK_DEV", device],
        ]
        options = {
            "table": table,
            "name": device,
            "hook": {"attrs": hook},
            "type": "filter",
            "policy": _NF_DROP,
        }
        self._command(nft_chain_msg, {"add": NFT_MSG_NEWCHAIN}, "add", options)


def close(host: str, devices: typing.Iterable[str]) -> None:
    """Drop whatever the host's stack would receive from devices; those that are closed stay so.

    :param host: the host's end of the container's interface
    :raises pyroute2.NetlinkError: the kernel has no such chains, or no such device
    """
    with _Tables(nfgen_family=_NFPROTO_NETDEV) as tables:
        for device in devices:
            tables.table("add", name=_PREFIX + host)
            tables.close_ingress(_PREFIX + host, device)


def open_again(host: str) -> None:
    """Remove the chains of an interface; none is as good."""
    with _Tables(nfgen_family=_NFPROTO_NETDEV) as tables:
        try:
            tables.table("del", name=_PREFIX + host)
        except NetlinkError as e:
            # The last is the answer of a kernel without nftables, where there is no chain either.
            if e.code not in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
                raise
