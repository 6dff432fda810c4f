# SPDX-License-Identifier: Apache-2.0
"""The ``[fpga]`` options of the scheduler's nova.conf."""

from oslo_config import cfg

OPTS = [
    cfg.BoolOpt(
        "request_placement",
        default=False,
        help="""
The scheduler asks Placement for one CUSTOM_FPGA_REGION for each flavor with ``hw:fpga_ip_id``.

Turn it on when every compute host with FPGA regions reports them to Placement, or flavors with
FPGA find no host. A flavor that names ``resources:CUSTOM_FPGA_REGION`` itself is not changed.
""",
    ),
    cfg.ListOpt(
        "image_traits",
        default=["board"],
        item_type=cfg.types.String(choices=["board", "vendor"]),
        help="""
Which of the bitstream image's properties the scheduler requires of a card, by its traits.

``board``: the property ``board``, or the board that the manifest names, as CUSTOM_FPGA_BOARD_...;
``vendor``: the property ``vendor`` as CUSTOM_FPGA_VENDOR_..., for clouds whose images have the
maker of the card there. ``image create`` writes the maker of the package, so it is not a default.
Works with ``request_placement``. If Glance does not describe the image, no trait is required.
""",
    ),
    cfg.FloatOpt(
        "weight_multiplier",
        default=1.0,
        help="""
How much FpgaWeigher counts among the scheduler's weighers; 0 turns it off.

The metadata fpga_weight_multiplier of a host aggregate goes before this.
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

Added to the host's share of used (pack) or free (spread) regions, which is from 0 to 1; so with
more than 1 a warm host goes before any other. Half of it is added for a host that has the
bitstream programmed for another server. What regions hold is as of the last audit.
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
