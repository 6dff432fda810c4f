# SPDX-License-Identifier: Apache-2.0
"""The ``[fpga]`` options of nova.conf."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "fpga",
    title="FPGA regions",
    help="FPGA regions as a resource of this compute host.",
)

OPTS = [
    cfg.BoolOpt(
        "access",
        default=False,
        deprecated_name="fpga_access",
        deprecated_group="DEFAULT",
        help="""
This host has FPGA regions to give to instances.

When on, nova-compute loads the hooks of the entry-point group ``nova.fpga.hooks`` at start and
does not start without them. When off, none is loaded and the host reports no regions.
""",
    ),
    cfg.StrOpt(
        "exec",
        default="fpga-cli.py",
        deprecated_name="fpga_exec",
        deprecated_group="DEFAULT",
        help="""
The program that burns and erases regions and reports their status.

It is run as root through rootwrap. The name must be the one in rootwrap's fpga.filters, and its
folder must be among rootwrap's ``exec_dirs``. Any program with the interface of fpga-cli.py
will do.
""",
    ),
    cfg.StrOpt(
        "status_file",
        default="/run/fpga-nova/status.json",
        help="""
File in which fpga-cli publishes the status, ``status_file`` of fpga-cli.conf.

Read, instead of a call of the program, where the hardware need not be looked at again: for the
devices of a region that was burnt right before. It needs ``status_group`` of fpga-cli.conf to be a
group of nova-compute's user; where it cannot be read, the program is called. Empty for never.
""",
    ),
    cfg.BoolOpt(
        "simulation_mode",
        default=False,
        deprecated_name="fpga_simulation_mode",
        deprecated_group="DEFAULT",
        help="""
Accept regions that are simulated.

A host whose program reports a simulated region (the emulator) refuses to start nova-compute unless
this is on, so that no instance gets a simulated accelerator by accident.
""",
    ),
    cfg.ListOpt(
        "image_bitstreams",
        default=[],
        help="""
Which bitstreams a container image may name by its property ``hw_fpga_ip_id``; with none, no image
may, and the property is not looked at.

``public``: bitstream images that are public; anything else is the id of a project whose bitstream
images are accepted. To be set alike for nova-scheduler and every nova-compute. Anybody who may
upload an image, and to whom such a bitstream is visible, gets a region by it without a flavor of
yours; a bitstream may damage a card.
""",
    ),
    cfg.BoolOpt(
        "image_bitstreams_signed",
        default=False,
        help="""
Of the bitstreams that container images name, accept only those with a signature in Glance.

fpga-cli.py verifies it, if ``require_signature`` in its configuration says so.
""",
    ),
    cfg.StrOpt(
        "providers",
        default="host",
        choices=[
            ("host", "the regions of all cards are an inventory of the host's own provider"),
            ("card", "each card is a child provider NODE_fpga_CARD with its regions and traits"),
        ],
        help="""
Which resource providers of Placement have the regions of this host.

With ``card`` Placement chooses the card that is burnt. A change takes effect when nova-compute is
started, and moves what is allocated to servers.
""",
    ),
    cfg.IntOpt(
        "start_timeout",
        default=120,
        min=1,
        help="""
Seconds after which a starting nova-compute, or an audit, begins no further burn.

Regions that lost their configuration are burnt again before guests are resumed. What is not burnt
by then is left for the next audit, so that the service is up soon after a power cut. A burn
that has begun is waited for.
""",
    ),
    cfg.IntOpt(
        "function_traits",
        default=50,
        min=0,
        help="""
Most traits CUSTOM_FPGA_FUNCTION_... that the providers of this host have together.

Whoever may upload bitstreams chooses the names. Functions in use come first, then those that free
regions are kept warm with, each in alphabetical order. Those that no provider has any more are
deleted from Placement.
""",
    ),
    cfg.IntOpt(
        "timeout",
        default=600,
        min=1,
        help="""
Seconds that one call of the program may take.

fpga-cli.py keeps shorter time limits of its own; this one is for a program that hangs.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the group and its options; a second call changes nothing."""
    conf.register_group(GROUP)
    conf.register_opts(OPTS, group=GROUP)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """The options for oslo.config's sample generator."""
    return [(GROUP, OPTS)]
