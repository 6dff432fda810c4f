# SPDX-License-Identifier: Apache-2.0
"""The options of fpga-api.conf."""

import typing

from keystoneauth1 import loading
from oslo_cache import core as oslo_cache
from oslo_config import cfg
from oslo_db import options as oslo_db
from oslo_log import log as logging

from fpga_regions.package.options import LIMITS

DEFAULT_FILE = "/etc/fpga-nova/fpga-api.conf"

#: How this service authenticates itself to Keystone, and finds the other services' endpoints.
CREDENTIALS = "service_credentials"

API = cfg.OptGroup("fpga_api", title="The REST service")
API_OPTS = [
    cfg.StrOpt(
        "host",
        default="127.0.0.1",
        help="Address on which ``fpga-api serve`` listens.",
    ),
    cfg.PortOpt(
        "port",
        default=8690,
        help="Port on which ``fpga-api serve`` listens.",
    ),
    cfg.IntOpt(
        "threads",
        default=8,
        min=1,
        help="Requests that one process of ``fpga-api serve`` answers at a time.",
    ),
    cfg.IntOpt(
        "max_limit",
        default=1000,
        min=1,
        help="Most items of one page of a list.",
    ),
    cfg.StrOpt(
        "upload_folder",
        help="""
Folder for uploads while they are checked.

It needs room for as many packages of ``[packages] max_size`` as there are threads. Without a value,
the system's folder for temporary files is used.
""",
    ),
    cfg.IntOpt(
        "body_timeout",
        default=600,
        min=1,
        help="Seconds within which the body of an upload has to arrive.",
    ),
    cfg.IntOpt(
        "service_timeout",
        default=60,
        min=1,
        help="Seconds within which another service of the cloud has to answer.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register all options of the service; a second call changes nothing."""
    conf.register_group(API)
    conf.register_opts(API_OPTS, group=API)
    conf.register_opts(LIMITS, group="packages")
    loading.register_auth_conf_options(conf, CREDENTIALS)
    loading.register_session_conf_options(conf, CREDENTIALS)
    loading.register_adapter_conf_options(conf, CREDENTIALS)
    oslo_cache.configure(conf)
    # What nobody can read serves nobody: with the defaults of oslo.cache nothing is cached.
    conf.set_default("enabled", True, group="cache")
    conf.set_default("backend", "dogpile.cache.pymemcache", group="cache")
    conf.register_opts(oslo_db.database_opts, group="database")


def load(files: typing.Sequence[str] | None = None) -> cfg.ConfigOpts:
    """Read the configuration.

    :param files: those to read; None for the default one, which need not be there
    :raises oslo_config.cfg.Error: a file cannot be read or has a value that cannot be used
    """
    conf = cfg.ConfigOpts()
    logging.register_options(conf)
    register_opts(conf)
    conf(
        args=[word for file in files or () for word in ("--config-file", file)],
        project="fpga-nova",
        prog="fpga-api",
        default_config_files=None if files is None else [],
        default_config_dirs=[],
    )
    return conf


def list_opts() -> list[tuple[cfg.OptGroup | str, list[cfg.Opt]]]:
    """The options of ours for oslo.config's sample generator."""
    credentials = [
        *loading.get_auth_common_conf_options(),
        *loading.get_auth_plugin_conf_options("password"),
        *loading.get_session_conf_options(),
        *loading.get_adapter_conf_options(),
    ]
    return [(API, API_OPTS), ("packages", LIMITS), (CREDENTIALS, credentials)]
