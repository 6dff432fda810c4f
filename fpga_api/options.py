# SPDX-License-Identifier: Apache-2.0
"""The options of fpga-api.conf."""

import typing

from keystoneauth1 import loading
from oslo_cache import core as oslo_cache
from oslo_config import cfg
from oslo_db import options as oslo_db
from oslo_log import log as logging

from fpga_api import claim_options, opencl_options
from fpga_regions.package.options import LIMITS

DEFAULT_FILE = "/etc/fpga-nova/fpga-api.conf"

#: How this service authenticates itself to Keystone, and finds the other services' endpoints.
CREDENTIALS = "service_credentials"

#: Seconds that another service of the cloud has for its answer, unless `timeout` there says more.
_PATIENCE = 60

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
]

AVAILABILITY = cfg.OptGroup(
    "availability", title="How many servers of each flavor there is room for"
)
AVAILABILITY_OPTS = [
    cfg.ListOpt(
        "sources",
        default=["placement"],
        help="""
Sources of the counts, entry points of ``fpga_api.availability.sources``.

``placement`` counts what Placement has. ``aggregate`` counts GPUs by the metadata ``gpu``,
``gpu_count`` and ``gpu_type`` of host aggregates, for clouds without PCI devices in Placement. If
several sources know a flavor, the first one counts it.
""",
    ),
    cfg.IntOpt(
        "interval",
        default=15,
        min=1,
        help="Seconds after which the engine counts again.",
    ),
    cfg.BoolOpt(
        "public",
        default=False,
        help="Whether anybody may read the availability of public flavors, without a token.",
    ),
    cfg.BoolOpt(
        "private_flavors",
        default=False,
        help="""
Whether answers to anybody have private flavors, too.

Their names and ids are then public. The service without Keystone, ``fpga-api serve --env-file``,
always shows them.
""",
    ),
    cfg.MultiStrOpt(
        "pci_alias",
        default=[],
        help="""
An alias of PCI devices, the same as ``[pci] alias`` of nova.conf; may be there several times.

It needs ``resource_class``, or ``vendor_id`` and ``product_id``. Nova has to have
``[filter_scheduler] pci_in_placement`` on.
""",
    ),
    cfg.BoolOpt(
        "request_regions",
        default=True,
        help="""
Whether nova-scheduler has ``[fpga] request_placement`` on.

If this is false, flavors that name only bitstreams are not counted: Placement then does not know
which regions are in use.
""",
    ),
    cfg.BoolOpt(
        "request_quota",
        default=False,
        help="""
Whether Nova has ``[fpga] request_quota`` on.

``mine`` then counts the limit of regions for flavors that do not name their class, too. It needs
``unified_limits``.
""",
    ),
    cfg.ListOpt(
        "image_traits",
        default=["board"],
        item_type=cfg.types.String(choices=["board", "vendor"]),
        help="The same as ``[fpga] image_traits`` of nova-scheduler.",
    ),
    cfg.ListOpt(
        "tenant_aggregates",
        default=[],
        item_type=cfg.types.String(choices=["filter", "placement", "required"]),
        help="""
What ``filter_tenant_id`` in the metadata of host aggregates means in this cloud.

``filter``: nova-scheduler runs AggregateMultiTenancyIsolation. ``placement``: it has ``[scheduler]
limit_tenants_to_placement_aggregate`` on. ``required``: and
``placement_aggregate_required_for_tenants``, too.
""",
    ),
    cfg.BoolOpt(
        "aggregate_extra_specs",
        default=True,
        help="""
Whether nova-scheduler runs AggregateInstanceExtraSpecsFilter.

Extra specs ``aggregate_instance_extra_specs:KEY`` then limit a flavor to host aggregates.
""",
    ),
    cfg.BoolOpt(
        "isolated_aggregates",
        default=False,
        help="Whether nova-scheduler has ``enable_isolated_aggregate_filtering`` on.",
    ),
    cfg.StrOpt(
        "default_zone",
        default="nova",
        help="The same as ``default_availability_zone`` of nova.conf.",
    ),
    cfg.FloatOpt(
        "cpu_allocation_ratio",
        default=4.0,
        min=1.0,
        help="Virtual CPUs of each physical one, for the source ``aggregate``.",
    ),
    cfg.BoolOpt(
        "unified_limits",
        default=False,
        help="""
Whether Nova has ``[quota] driver = nova.quota.UnifiedLimitsDriver``.

``mine`` then counts the limits of Keystone, those of resource classes among them.
""",
    ),
    cfg.IntOpt(
        "sample_interval",
        default=300,
        min=15,
        help="Seconds after which the engine keeps a sample for the history.",
    ),
    cfg.IntOpt(
        "sample_days",
        default=30,
        min=1,
        help="Days that samples are kept.",
    ),
]

ENGINE = cfg.OptGroup("engine", title="The engine")
ENGINE_OPTS = [
    cfg.IntOpt(
        "lease",
        default=15,
        min=3,
        help="""
Seconds after which another engine becomes active if the active one is gone.

It has to be the same for all engines.
""",
    ),
    cfg.HostAddressOpt(
        "metrics_host",
        default="127.0.0.1",
        help="""
Address on which the engine serves ``/metrics`` for Prometheus.

The metrics have the names of all flavors, and nobody needs a token for them.
""",
    ),
    cfg.PortOpt(
        "metrics_port",
        default=8691,
        help="Port of ``/metrics``; with 0, there is none.",
    ),
]

HOSTS = cfg.OptGroup("hosts", title="The compute hosts")
HOSTS_OPTS = [
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="""
Broker on which the hosts report their regions: ``rabbit://USER:PASSWORD@HOST:PORT/VHOST``.

It is the value of ``[fpga] transport_url`` in nova.conf of each compute host. Without a value, the
engine asks no host, and the service has no cards and no regions.
""",
    ),
    cfg.FloatOpt(
        "timeout",
        default=2.0,
        min=0.1,
        help="Seconds within which a host has to answer.",
    ),
    cfg.IntOpt(
        "workers",
        default=16,
        min=1,
        help="Hosts that the engine asks at a time.",
    ),
    cfg.FloatOpt(
        "interval",
        default=15.0,
        min=1.0,
        help="Seconds from one question to all hosts to the next.",
    ),
]

#: All groups of ours.
GROUPS: list[tuple[cfg.OptGroup, list[cfg.Opt]]] = [
    (API, API_OPTS),
    (AVAILABILITY, AVAILABILITY_OPTS),
    (ENGINE, ENGINE_OPTS),
    (HOSTS, HOSTS_OPTS),
    *claim_options.GROUPS,
    (opencl_options.OPENCL, opencl_options.OPENCL_OPTS),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register all options of the service; a second call changes nothing."""
    for group, opts in GROUPS:
        # One of its own for each configuration: copies of a group share what is set in it.
        conf.register_group(cfg.OptGroup(group.name, group.title))
        conf.register_opts(opts, group=group.name)
    conf.register_opts(LIMITS, group="packages")
    loading.register_auth_conf_options(conf, CREDENTIALS)
    loading.register_session_conf_options(conf, CREDENTIALS)
    loading.register_adapter_conf_options(conf, CREDENTIALS)
    # keystoneauth waits for ever by default, and a thread of ours with it.
    conf.set_default("timeout", _PATIENCE, group=CREDENTIALS)
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
    """The options of ours for oslo.config's sample generator.

    The limits of packages are among those of the namespace ``fpga_regions``.
    """
    credentials = [
        *loading.get_auth_common_conf_options(),
        *loading.get_auth_plugin_conf_options("password"),
        *loading.get_session_conf_options(),
        *loading.get_adapter_conf_options(),
    ]
    return [
        *GROUPS,
        (CREDENTIALS, credentials),
    ]
