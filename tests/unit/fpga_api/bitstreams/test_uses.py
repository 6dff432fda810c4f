# SPDX-License-Identifier: Apache-2.0
"""A bitstream of which it is not known whether a region has it is not taken for unused."""

import typing
import uuid

import pytest
from keystoneauth1 import adapter as adapters

from fpga_api import errors, publication
from fpga_api.bitstreams import uses
from fpga_api.service import Service
from tests.support import api as support
from tests.support.clouds import Nova

IMAGE = str(uuid.UUID(int=21))


class Cloud(Service):
    """A service whose Nova has no flavors."""

    def __init__(self, **groups: dict[str, typing.Any]) -> None:
        super().__init__(support.configuration(**groups))
        self._nova = Nova()

    def adapter(self, service_type: str, user: typing.Any = None) -> adapters.Adapter:
        """The client of a service type."""
        return self._nova.adapter(service_type)


def test_bitstream_may_be_in_use_while_the_hosts_were_not_asked() -> None:
    cloud = Cloud(hosts={"transport_url": "fake://"})
    with pytest.raises(errors.NotPublished):
        uses.check_unused(cloud, IMAGE)
    cloud.publication.publish(publication.HOSTS, {"regions": []}, 15)
    uses.check_unused(cloud, IMAGE)


def test_bitstream_is_in_no_region_where_no_host_is_asked() -> None:
    uses.check_unused(Cloud(), IMAGE)
