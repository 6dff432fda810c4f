# SPDX-License-Identifier: Apache-2.0
"""The operator's policy for bitstreams that users program into their running servers.

The host asks it again, whatever fpga-api has asked, and asks Glance as the user: what Glance does
not show to the user is not programmed, though fpga-cli could fetch it.
"""

import enum
import typing

from oslo_config import cfg

from fpga_nova import options

CONF = cfg.CONF
options.register_opts(CONF)

#: Stands in the list for the project of whoever asks.
OWN = "own"


class Refusal(enum.StrEnum):
    """Why a bitstream is not programmed."""

    UNKNOWN = "no_bitstream"
    NOT_ACCEPTED = "bitstream"


def refusal(context: typing.Any, image_id: str, any_bitstream: bool) -> Refusal | None:
    """Why a bitstream must not be programmed; None if it may.

    :param context: of the user, with the user's token
    :param any_bitstream: the user may program any that Glance shows
    :raises fpga_nova.bitstream_images.UnansweredError: Glance does not answer
    """
    from fpga_nova import bitstream_images

    bitstream = bitstream_images.describe(context, image_id)
    if bitstream is None:
        return Refusal.UNKNOWN
    if any_bitstream or (bitstream.public and "public" in CONF.fpga.program_bitstreams):
        return None
    own = context.project_id
    sources = {own if one == OWN else one for one in CONF.fpga.program_bitstreams} - {None}
    return None if bitstream.owner in sources else Refusal.NOT_ACCEPTED
