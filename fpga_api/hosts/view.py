# SPDX-License-Identifier: Apache-2.0
"""Reads what the engine published of the hosts, for the handlers."""

from fpga_api import errors
from fpga_api.publication import Published
from fpga_api.service import Service

#: What the document is published as.
NAME = "hosts"


def read(service: Service) -> Published:
    """The last document.

    :raises errors.NotPublished: there is none yet
    :raises errors.CacheUnavailable: the cache does not answer
    """
    published = service.publication.read(NAME)
    if published is None:
        raise errors.NotPublished("the engine has not asked the hosts yet; try again soon")
    return published
