# SPDX-License-Identifier: Apache-2.0
"""The options of a node, and those of an agent, in their configuration."""

from keystoneauth1 import loading
from oslo_config import cfg

DEFAULT_FILE = "/etc/fpga-nova/fpga-opencl-node.conf"

#: How a node authenticates itself to Keystone, and finds fpga-api.
CREDENTIALS = "service_credentials"

#: Seconds that fpga-api has for its answer, unless `timeout` there says otherwise.
_PATIENCE = 5

NODE = cfg.OptGroup("opencl_node", title="A node of OpenCL")
NODE_OPTS = [
    cfg.StrOpt(
        "name",
        help="Name of the node, which no other one has; by default, that of the host.",
    ),
    cfg.StrOpt(
        "address",
        help="""
Where clients reach the node, ``HOST:PORT``.

Without a value, the name and the port of ``--listen``.
""",
    ),
    cfg.StrOpt(
        "reserved_for",
        help="Id of the project that alone may use the node; without a value, all may.",
    ),
]

AGENT = cfg.OptGroup("opencl_agent", title="An agent of OpenCL, for regions of its host")
AGENT_OPTS = [
    cfg.IntOpt(
        "memory",
        min=64,
        help="MiB of each session; without a value, as many as fpga-api gives by default.",
    ),
    cfg.StrOpt(
        "device_type",
        choices=["cpu", "gpu", "accelerator", "other"],
        help="What runs the kernels; without a value, any device.",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register all options."""
    for group, opts in list_opts():
        conf.register_group(cfg.OptGroup(group.name, group.title))
        conf.register_opts(opts, group=group.name)
    loading.register_auth_conf_options(conf, CREDENTIALS)
    loading.register_session_conf_options(conf, CREDENTIALS)
    loading.register_adapter_conf_options(conf, CREDENTIALS)
    # keystoneauth waits for ever by default, and the node would be lost meanwhile.
    conf.set_default("timeout", _PATIENCE, group=CREDENTIALS)


def load(file: str) -> cfg.ConfigOpts:
    """Read a configuration.

    :raises oslo_config.cfg.Error: it cannot be read or has a value that cannot be used
    """
    conf = cfg.ConfigOpts()
    register_opts(conf)
    conf(args=["--config-file", file], project="fpga-nova", prog="fpga-opencl-node")
    return conf


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """The options for oslo.config's sample generator; the credentials are those of fpga-api."""
    return [(NODE, NODE_OPTS), (AGENT, AGENT_OPTS)]
