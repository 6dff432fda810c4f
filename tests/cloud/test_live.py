# SPDX-License-Identifier: Apache-2.0
"""Servers become live images on one host, and other servers are made of these on another."""

import collections.abc
import dataclasses
import functools
import pathlib
import tarfile
import typing
import uuid

import pytest

from tests.cloud.conftest import HOSTS
from tests.cloud.site import FOLDER, NETWORKS, SUITE
from tests.cloud.test_networks import NETWORK
from tests.cloud.users import CloudOfHosts, counts, wait_for

TRAIT = "CUSTOM_LIVE_IMAGE"

#: Where this machine and the hosts keep their builds of CRIU.
_BUILDS = pathlib.Path("/var/cache/fpga-nova/criu")

#: Remembers a word, and gives it and the host's name to whoever asks. The first answer of a clone
#: was in a pipe when its source was dumped.
_PORT = 8080
_LOOP = (
    "word=$(cat /proc/sys/kernel/random/uuid); "
    f"while :; do echo $word $(hostname) | nc -l -p {_PORT}; done"
)
