# SPDX-License-Identifier: Apache-2.0
"""The operator's policy for bitstreams that container images name themselves.

It is asked when a bitstream is granted, and not again.
"""

import typing

from oslo_config import cfg

from fpga_nova import options, request

CONF = cfg.CONF
options.register_opts(CONF)


def refusal(context: typing.Any, image_id: str) -> str | None:
    """Why a bitstream that an image names must not be burnt, for people; None if it may.

    :param context: of the request, on whose behalf Glance is asked
    :param image_id: what the image names, which may be anything
    :raises fpga_nova.bitstream_images.UnansweredError: Glance does not answer, so it is not known
    """
    from fpga_nova import bitstream_images

    if not request.UUID.fullmatch(image_id):
        where = f"the image's {request.IMAGE_PROPERTY} is '{image_id}'"
        return f"{where}, which is not the uuid of an image"
    what = f"the image names the bitstream {image_id}"
    bitstream = bitstream_images.describe(context, image_id)
    sources = CONF.fpga.image_bitstreams
    if bitstream is None:
        return f"{what}, which Glance does not have or does not show to you"
    if not (bitstream.public and "public" in sources) and bitstream.owner not in sources:
        return f"{what}, which is not one that the operator accepts of images"
    if CONF.fpga.image_bitstreams_signed and not bitstream.signed:
        return f"{what}, which has no signature"
    return None
