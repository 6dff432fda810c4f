# SPDX-License-Identifier: Apache-2.0
"""fpga-api serve --env-file: the availability of GPUs alone, as OpenstackGPUService is run.

There is no Keystone in front of it, no database and no engine beside it: one process counts by the
metadata of host aggregates and answers anybody. Credentials are those of an openrc file.
"""

import argparse
import functools
import os
import pathlib
import threading
import typing

from keystoneauth1 import adapter as adapters
from openstack import config as openstack_config
from oslo_config import cfg

from fpga_api import app
from fpga_api.availability.cloud import Cloud
from fpga_api.availability.refresh import Refresh
from fpga_api.command import server
from fpga_api.engine.daemon import Alone, Engine
from fpga_api.engine.metrics import Metrics
from fpga_api.engine.task import Task
from fpga_api.service import Service

#: What stands for a file whose variables are in the environment already.
ENVIRONMENT = "-"

_OVERRIDES: dict[str, dict[str, typing.Any]] = {
    "availability": {"public": True, "private_flavors": True},
    "cache": {"backend": "dogpile.cache.memory"},
}
#: What an operator's file may say otherwise.
_DEFAULTS: dict[str, dict[str, typing.Any]] = {
    "availability": {"sources": ["aggregate"], "interval": 60},
    "fpga_api": {"host": "127.0.0.1", "port": 8080},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add those of this way to serve."""
    parser.add_argument(
        "--env-file",
        nargs="?",
        const=ENVIRONMENT,
        metavar="FILE",
        help="serve the availability of GPUs alone, with the OS_ variables of this file, or of "
        "the environment",
    )
    parser.add_argument("--bind", type=_address, metavar="HOST:PORT", help="address to listen on")
    parser.add_argument(
        "--memcached", metavar="HOST:PORT", help="with --env-file: cache, instead of memory"
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not 0 < int(port) < 65536:
        raise ValueError(text)
    return host.strip("[]"), int(port)


def read(text: str) -> dict[str, str]:
    """The variables of a file as ``docker run --env-file`` takes it, or of an openrc file.

    :raises ValueError: a line is none of NAME=VALUE, comment or empty
    """
    variables = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip().removeprefix("export ").strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"line {number} of the environment file is not NAME=VALUE")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        variables[name] = value[1:-1] if quoted else value
    return variables


class StandaloneService(Service):
    """A service whose user is that of an openrc file.

    :param region: the cloud, as openstacksdk sees it
    """

    def __init__(self, conf: cfg.ConfigOpts, region: typing.Any) -> None:
        super().__init__(conf)
        self._region = region

    def adapter(self, service_type: str, user: typing.Any = None) -> adapters.Adapter:
        """The client of another service; nobody has a token here."""
        return adapters.Adapter(
            self._session_of_region,
            service_type=service_type,
            interface=self._region.get_interface(service_type),
            region_name=self._region.get_region_name(service_type),
        )

    @functools.cached_property
    def _session_of_region(self) -> typing.Any:
        return self._region.get_session()


def configure(conf: cfg.ConfigOpts, memcached: str | None = None) -> None:
    """Change what cannot be as elsewhere.

    :param memcached: address of one
    """
    for group, values in _DEFAULTS.items():
        for name, value in values.items():
            conf.set_default(name, value, group)
    for group, values in _OVERRIDES.items():
        for name, value in values.items():
            conf.set_override(name, value, group)
    if memcached:
        conf.set_override("backend", "dogpile.cache.pymemcache", "cache")
        conf.set_override("memcache_servers", [memcached], "cache")


def serve(conf: cfg.ConfigOpts, arguments: argparse.Namespace) -> None:
    """Count and serve.

    :raises ValueError: the environment file is not valid
    :raises openstack.exceptions.ConfigException: the variables do not name a cloud
    """
    if arguments.env_file != ENVIRONMENT:
        os.environ.update(read(pathlib.Path(arguments.env_file).read_text()))
    configure(conf, arguments.memcached)
    region = openstack_config.OpenStackConfig(load_yaml_config=False).get_one()
    service = StandaloneService(conf, region)
    application = app.create_app(conf, service, authenticate=False)
    refresh = Refresh(Cloud(service.adapter), conf, service.publication)
    interval = conf.availability.interval
    engine = Engine(
        [Task("availability", interval, refresh)],
        Alone(),
        Metrics(lambda: refresh.flavors),
        interval,
    )
    threading.Thread(target=engine.run, name="engine", daemon=True).start()
    server.serve(application, conf, arguments.bind)
