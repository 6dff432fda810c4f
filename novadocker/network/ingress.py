# SPDX-License-Identifier: Apache-2.0
"""Chains that keep what a container sends from the host's own stack.

Open vSwitch's userspace datapath reads the host's end of an interface through a packet socket, and
the host's stack receives each frame as well. A container that names the host's end in a static
neighbour would reach sockets of the host past all security groups. A chain of nftables at the
interface's ingress drops these frames; packet sockets get theirs before it. The kernel's datapath
takes frames after that hook, and leaves none to the stack, so there a chain would cut the
container off and has no use.
"""

import errno

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWCHAIN, nft_chain_msg
from pyroute2.nftables.main import NFTables

#: linux/netfilter.h: the family of chains at one device, its hook, and the verdict.
_NFPROTO_NETDEV, _NF_NETDEV_INGRESS, _NF_DROP = 5, 0, 0

#: A table of each interface has one chain and goes as a whole.
_PREFIX = "fpga-nova-"
_CHAIN = "ingress"


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
            "name": _CHAIN,
            "hook": {"attrs": hook},
            "type": "filter",
            "policy": _NF_DROP,
        }
        self._command(nft_chain_msg, {"add": NFT_MSG_NEWCHAIN}, "add", options)


def close(device: str) -> None:
    """Drop whatever the host's stack would receive from an interface.

    :raises pyroute2.NetlinkError: the kernel has no such chains, or no such interface
    """
    open_again(device)
    with _Tables(nfgen_family=_NFPROTO_NETDEV) as tables:
        tables.table("add", name=_PREFIX + device)
        tables.close_ingress(_PREFIX + device, device)


def open_again(device: str) -> None:
    """Remove the chain of an interface; none is as good."""
    with _Tables(nfgen_family=_NFPROTO_NETDEV) as tables:
        try:
            tables.table("del", name=_PREFIX + device)
        except NetlinkError as e:
            # The last is the answer of a kernel without nftables, where there is no chain either.
            if e.code not in (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT):
                raise
