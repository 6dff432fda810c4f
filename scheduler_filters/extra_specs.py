# SPDX-License-Identifier: Apache-2.0
"""Tells nova-api which value ``hw:fpga_ip_id`` may have.

nova-api asks the entry-point group ``nova.api.extra_spec_validators`` from microversion 2.86 on.
"""

from nova.api.validation.extra_specs import base

from fpga_hooks import accounting


def register() -> list[base.ExtraSpecValidator]:
    """The validators that nova-api adds to its own."""
    return [
        base.ExtraSpecValidator(
            name=accounting.EXTRA_SPEC,
            description=(
                "The Glance id of the bitstream image to program into an FPGA region for each "
                "instance of the flavor."
            ),
            value={
                "type": str,
                "description": "The uuid of an image with container format fpga.",
                "pattern": accounting.UUID.pattern,
            },
        )
    ]
