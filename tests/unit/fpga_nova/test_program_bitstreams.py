# SPDX-License-Identifier: Apache-2.0
"""Which bitstreams users may program into their running servers."""

from types import SimpleNamespace

import pytest
from oslo_config import cfg
from oslo_config import fixture as config_fixture

from fpga_nova import bitstream_images, program_bitstreams
from fpga_nova.bitstream_images import Bitstream

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
MINE, OTHERS = Bitstream(owner="mine"), Bitstream(owner="others")
PUBLIC, OWNERLESS = Bitstream(owner="others", public=True), Bitstream()


@pytest.mark.parametrize(
    ("accepted", "bitstream", "any_bitstream", "refusal"),
    [
        ([], MINE, False, "bitstream"),
        ([], PUBLIC, False, "bitstream"),
        ([], OTHERS, True, None),
        (["own"], MINE, False, None),
        (["own"], OTHERS, False, "bitstream"),
        (["own"], OWNERLESS, False, "bitstream"),
        (["public"], PUBLIC, False, None),
        (["public"], MINE, False, "bitstream"),
        (["others"], OTHERS, False, None),
        (["own", "public", "others"], None, True, "no_bitstream"),
    ],
)
def test_what_the_operator_accepts_is_programmed(
    monkeypatch, accepted, bitstream, any_bitstream, refusal
) -> None:
    monkeypatch.setattr(bitstream_images, "describe", lambda context, image_id: bitstream)
    with config_fixture.Config(cfg.CONF) as config:
        config.config(group="fpga", program_bitstreams=accepted)
        context = SimpleNamespace(project_id="mine")
        assert program_bitstreams.refusal(context, IMAGE, any_bitstream) == refusal


def test_own_project_is_none_where_the_context_has_none(monkeypatch) -> None:
    monkeypatch.setattr(bitstream_images, "describe", lambda context, image_id: OWNERLESS)
    with config_fixture.Config(cfg.CONF) as config:
        config.config(group="fpga", program_bitstreams=["own"])
        context = SimpleNamespace(project_id=None)
        assert program_bitstreams.refusal(context, IMAGE, False) == "bitstream"
