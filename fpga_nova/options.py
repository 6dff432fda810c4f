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
Whether this host has FPGA regions for instances.

If true, nova-compute loads the hooks of the entry-point group ``nova.fpga.hooks`` at start, and
does not start without them. If false, it loads none, and the host reports no regions.
""",
    ),
    cfg.StrOpt(
        "exec",
        default="fpga-cli.py",
        deprecated_name="fpga_exec",
        deprecated_group="DEFAULT",
        help="""
The program that burns, erases and reports regions.

nova-compute runs it as root through rootwrap. rootwrap's fpga.filters must have the same name, and
rootwrap's ``exec_dirs`` the folder of the program. Any program with the interface of fpga-cli.py
works.
""",
    ),
    cfg.StrOpt(
        "status_file",
        default="/run/fpga-nova/status.json",
        help="""
File in which fpga-cli publishes the status, ``status_file`` of fpga-cli.conf.

nova-compute reads it for the devices of a region that was burnt right before, because nobody needs
to look at the hardware again. ``status_group`` of fpga-cli.conf must be a group of nova-compute's
user. If nova-compute cannot read the file, or this option is empty, it calls the program.
""",
    ),
    cfg.BoolOpt(
        "simulation_mode",
        default=False,
        deprecated_name="fpga_simulation_mode",
        deprecated_group="DEFAULT",
        help="""
Whether to accept simulated regions.

If this is off and the program reports a simulated region (of the emulator), nova-compute refuses to
start. So no instance gets a simulated accelerator by accident.
""",
    ),
    cfg.ListOpt(
        "image_bitstreams",
        default=[],
        help="""
Bitstreams that a container image may name by its property ``hw_fpga_ip_id``.

``public`` accepts public bitstream images. Any other item is the id of a project whose bitstream
images are accepted. If the list is empty, no image may name a bitstream, and Nova ignores the
property. Set the same list for nova-scheduler and every nova-compute, and with ``request_quota``
for nova-api and nova-conductor. Any user who can upload images, and can see such a bitstream, can
then get a region without a flavor of yours. A bitstream may damage a card.
""",
    ),
    cfg.BoolOpt(
        "image_bitstreams_signed",
        default=False,
        help="""
Whether a bitstream that a container image names must have a signature in Glance.

fpga-cli.py verifies the signature, if ``require_signature`` in its configuration says so.
""",
    ),
    cfg.ListOpt(
        "program_bitstreams",
        default=[],
        help="""
Bitstreams that users may program into the regions of their running servers, through fpga-api.

``public`` accepts public bitstream images, ``own`` those of the user's own project. Any other item
is the id of a project whose bitstream images are accepted. If the list is empty, only those may
program a server whom the policy of fpga-api permits any bitstream. Set the same list for every
nova-compute. A bitstream may damage a card.
""",
    ),
    cfg.ListOpt(
        "function_bitstreams",
        default=[],
        help="""
Bitstreams of which this host may choose one for a flavor that asks for a function.

``public`` accepts public bitstream images. Any other item is the id of a project whose bitstream
images are accepted. If the list is empty, the host offers no function. With each audit,
nova-compute lists the images with tag ``FPGA``, as the user in ``[placement]``. That user must see
the images of all projects. Set the same list for every nova-compute. Whoever owns an accepted
bitstream chooses what flavors with its function get. A bitstream may damage a card.
""",
    ),
    cfg.BoolOpt(
        "function_bitstreams_signed",
        default=False,
        help="""
Whether a bitstream that this host chooses by its function must have a signature in Glance.

fpga-cli.py verifies the signature, if ``require_signature`` in its configuration says so.
""",
    ),
    cfg.ListOpt(
        "function_digests",
        default=[],
        help="""
Values of ``os_hash_value`` in Glance that a bitstream chosen by its function may have.

Glance computes the value from the package. If the list is empty, any package is accepted.
""",
    ),
    cfg.DictOpt(
        "function_versions",
        default={},
        help="""
Versions to which functions are pinned, as in ``crypto:1.4,zip:2.0``.

Of a function without an entry, the host takes the newest version.
""",
    ),
    cfg.IntOpt(
        "accelerator_traits",
        default=50,
        min=0,
        help="""
Most traits ``CUSTOM_ACCELERATOR_...`` that the providers of this host have together.

Each is a function of which this host has an accepted bitstream. Functions in use come first, then
those of warm regions, then all others, each in alphabetical order. nova-compute deletes the traits
that no provider has any more from Placement.
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
Resource providers of Placement that have the regions of this host.

With ``card``, Placement chooses the card for each burn. A change takes effect when nova-compute
starts, and moves the allocations of servers.
""",
    ),
    cfg.Opt(
        "region_classes",
        type=cfg.types.Dict(cfg.types.String(max_length=255, regex="^CUSTOM_FPGA_[A-Z0-9_]+$")),
        default={},
        help="""
Classes of Placement for regions of a board, or of a vendor, as in ``intel:CUSTOM_FPGA_INTEL_PF``.

The words are those that ``fpga-cli.py status --format json`` has in ``board`` and ``vendor``; a
board goes first. All other regions are of the class CUSTOM_FPGA_REGION, and so are those of a
provider whose regions would have several. A class begins with ``CUSTOM_FPGA_``. A change takes
effect when nova-compute starts, and moves the allocations of servers. Flavors then have to name the
class, because the scheduler itself asks for CUSTOM_FPGA_REGION.
""",
    ),
    cfg.IntOpt(
        "start_timeout",
        default=120,
        min=1,
        help="""
Seconds after which a starting nova-compute, or an audit, begins no further burn.

nova-compute burns regions that lost their configuration before it resumes guests. After this time,
it leaves the remaining regions to the next audit, so that the service is up soon after a power cut.
It waits for a burn that has begun.
""",
    ),
    cfg.IntOpt(
        "function_traits",
        default=50,
        min=0,
        help="""
Most traits ``CUSTOM_FPGA_FUNCTION_...`` that the providers of this host have together.

Users who can upload bitstreams choose the names, so their number needs a limit. Functions in use
come first, then those of warm regions, each in alphabetical order. nova-compute deletes the traits
that no provider has any more from Placement.
""",
    ),
    cfg.IntOpt(
        "timeout",
        default=600,
        min=1,
        help="""
Seconds that one call of the program may take.

fpga-cli.py keeps shorter time limits of its own. This limit is for a program that hangs.
""",
    ),
    cfg.StrOpt(
        "transport_url",
        secret=True,
        help="""
Broker on which this host reports its regions to fpga-api:
``rabbit://USER:PASSWORD@HOST:PORT/VHOST``.

If it is not set, fpga-api does not know the regions of this host. Give fpga-api a virtual host and
a user of its own in the broker. It cannot then call the methods of nova-compute.
``[oslo_messaging_rabbit]`` of this file holds for this broker, too.
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
