# SPDX-License-Identifier: Apache-2.0
"""The ``[fpga]`` options of the scheduler's nova.conf."""

from oslo_config import cfg

OPTS = [
    cfg.BoolOpt(
        "request_placement",
        default=False,
        help="""
The scheduler asks Placement for one CUSTOM_FPGA_REGION for each flavor with ``hw:fpga_ip_id``.

Enable it after every compute host reports its regions to Placement. Before that, flavors with FPGA
find no host. The scheduler does not change a flavor that names ``resources:CUSTOM_FPGA_REGION``
itself.
""",
    ),
    cfg.BoolOpt(
        "request_quota",
        default=False,
        help="""
Nova refuses every region beyond the project's limit ``class:CUSTOM_FPGA_REGION``.

The limit is one of Keystone's unified limits, ``[oslo_limit]`` says where. A project without a
limit gets no region. Set it for nova-api, nova-scheduler and nova-conductor. nova-api answers 403
if it has ``[quota] driver = nova.quota.UnifiedLimitsDriver``. If the option is off, Nova counts the
regions of flavors that name ``resources:CUSTOM_FPGA_REGION``, and no others.
""",
    ),
    cfg.ListOpt(
        "image_traits",
        default=["board"],
        item_type=cfg.types.String(choices=["board", "vendor"]),
        help="""
Properties of the bitstream image that the scheduler requires of a card, by its traits.

``board`` is the property ``board``, or the board that the manifest names, as
``CUSTOM_FPGA_BOARD_...``. ``vendor`` is the property ``vendor``, as ``CUSTOM_FPGA_VENDOR_...``. It
is for clouds whose images have the maker of the card there. It is not a default, because ``image
create`` writes the maker of the package. The option needs ``request_placement``. If Glance does not
show the image, the scheduler requires no trait.
""",
    ),
    cfg.FloatOpt(
        "weight_multiplier",
        default=1.0,
        help="""
How much FpgaWeigher counts among the scheduler's weighers; 0 disables it.

The metadata fpga_weight_multiplier of a host aggregate overrides this.
""",
    ),
    cfg.StrOpt(
        "strategy",
        default="pack",
        choices=[
            ("pack", "prefer hosts whose regions are used; whole hosts stay free"),
            ("spread", "prefer hosts whose regions are free"),
        ],
        help="How FpgaWeigher orders hosts for a request that wants a region.",
    ),
    cfg.FloatOpt(
        "warm_weight",
        default=2.0,
        min=0,
        help="""
How much FpgaWeigher prefers a host with a free region that is warm with the flavor's bitstream.

FpgaWeigher adds it to the host's share of used (pack) or free (spread) regions, which is from 0 to
1. So with more than 1, it prefers a warm host to any other. It adds half of it for a host that has
the bitstream programmed for another server. The content of regions is as of the last audit.
""",
    ),
    cfg.BoolOpt(
        "keep_free",
        default=True,
        help="""
FpgaWeigher prefers hosts without free FPGA regions for requests that want none.
""",
    ),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    """Register the options; a second call changes nothing."""
    conf.register_opts(OPTS, group="fpga")


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """The options for oslo.config's sample generator."""
    return [("fpga", OPTS)]
