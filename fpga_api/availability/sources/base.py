# SPDX-License-Identifier: Apache-2.0
"""What a source of counts is."""

import abc
import typing

from oslo_config import cfg

from fpga_api.availability.cloud import Cloud
from fpga_api.availability.demand import UncountableError
from fpga_api.availability.flavors import Flavor
from fpga_api.availability.tenancy import Counted

#: By the flavor's id; only flavors with accelerators that the source knows are in it.
Counts = dict[str, Counted | UncountableError]


class Source(abc.ABC):
    """A source of counts.

    :param cloud: what it asks
    :param conf: options of `fpga_api.options`
    """

    #: Whether the last counts have all hosts in their totals.
    complete = True

    def __init__(self, cloud: Cloud, conf: cfg.ConfigOpts) -> None:
        self.cloud = cloud
        self.conf = conf

    @abc.abstractmethod
    def count(self, flavors: typing.Sequence[Flavor]) -> Counts:
        """Count the servers of flavors; one bad flavor does not spoil the others.

        :raises fpga_api.errors.CloudUnavailable: nothing can be counted now
        """
