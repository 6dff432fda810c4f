# SPDX-License-Identifier: Apache-2.0
"""Tells nova-api which values ``hw:fpga_ip_id`` and its like may have.

nova-api asks the entry-point group ``nova.api.extra_spec_validators`` from microversion 2.86 on.
"""

from nova.api.validation.extra_specs import base

from fpga_nova import request


def register() -> list[base.ExtraSpecValidator]:
    """The validators that nova-api adds to its own."""
    return [_validator(key, number) for key, number in request.NUMBERS.items()]


def _validator(key: str, number: int) -> base.ExtraSpecValidator:
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
