# SPDX-License-Identifier: Apache-2.0
"""The application in process, its cache in memory, and tokens that need no Keystone."""

import typing

import pytest
from oslo_config import cfg

from fpga_api import service
from tests.support import api as support


@pytest.fixture
def conf() -> cfg.ConfigOpts:
    return support.configuration()


@pytest.fixture
def tokens() -> typing.Iterator[support.Tokens]:
    with support.Tokens() as fixture:
        yield fixture


@pytest.fixture
def api(conf: cfg.ConfigOpts, tokens: support.Tokens) -> support.Api:
    return support.Api(service.Service(conf))
