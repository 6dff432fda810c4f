# SPDX-License-Identifier: Apache-2.0
"""A Glance that Nova's own image API talks to, and options of [fpga]."""

import typing

import pytest
from nova import context as nova_context
from nova import objects
from oslo_config import cfg
from oslo_config import fixture as config_fixture

from fpga_nova import bitstream_images
from scheduler_filters import request_filter  # noqa: F401 - registers the options
from tests.support import openstack

objects.register_all()


@pytest.fixture
def config() -> typing.Iterator[typing.Callable[..., None]]:
    """Set options of [fpga] for the test; Placement is asked for regions."""
    fixture = config_fixture.Config(cfg.CONF)
    fixture.setUp()
    fixture.config(group="fpga", request_placement=True)
    yield lambda **options: fixture.config(group="fpga", **options)
    fixture.cleanUp()


@pytest.fixture
def cloud(config) -> typing.Iterator[openstack.OpenStack]:
    """The Glance; nothing of it is remembered from another test."""
    fixture = config_fixture.Config(cfg.CONF)
    fixture.setUp()
    bitstream_images.forget()
    with openstack.OpenStack() as cloud:
        fixture.config(group="glance", api_servers=[cloud.url], num_retries=0)
        yield cloud
    fixture.cleanUp()


@pytest.fixture
def context() -> nova_context.RequestContext:
    """Whoever asks for a server."""
    return nova_context.RequestContext(
        "user", "project", is_admin=False, auth_token=openstack.TOKEN
    )
