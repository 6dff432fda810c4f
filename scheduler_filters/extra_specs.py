# SPDX-License-Identifier: Apache-2.0
"""Tells nova-api which values ``hw:fpga_ip_id``, ``hw:fpga_function`` and their like may have.

nova-api asks the entry-point group ``nova.api.extra_spec_validators`` from microversion 2.86 on.
"""

from nova.api.validation.extra_specs import base

from fpga_nova import functions, request


def register() -> list[base.ExtraSpecValidator]:
    """The validators that nova-api adds to its own."""
    return [
        *(_image(key, number) for key, number in request.NUMBERS.items()),
        *(_function(key, number) for key, number in functions.NUMBERS.items()),
    ]


def _function(key: str, number: int) -> base.ExtraSpecValidator:
    return base.ExtraSpecValidator(
        name=key,
        description=(
            f"What FPGA region {number} of each instance of the flavor is to do; the host chooses "
            "the bitstream image."
        ),
        value={
            "type": str,
            "description": "The type of bitstream images, as their property type has it.",
            "pattern": functions.WORD.pattern,
        },
    )


def _image(key: str, number: int) -> base.ExtraSpecValidator:
    return base.ExtraSpecValidator(
        name=key,
        description=(
            f"The Glance id of the bitstream image to program into FPGA region {number} of each "
            "instance of the flavor."
        ),
        value={
            "type": str,
            "description": "The uuid of an image with container format fpga.",
            "pattern": request.UUID.pattern,
        },
    )
