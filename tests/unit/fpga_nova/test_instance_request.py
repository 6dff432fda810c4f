# SPDX-License-Identifier: Apache-2.0
"""What one instance asks for."""

import dataclasses

from fpga_nova import grants
from fpga_nova.instance_request import InstanceRequest

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
OTHER = "aaaaaaaa-0000-4000-8000-000000000001"
PLAIN = InstanceRequest(
    owner="11111111-2222-3333-4444-555555555555",
    extra_specs={},
    grants=None,
    accepted_bitstream=None,
    image_bitstream=IMAGE,
    device=None,
    open_to_image=False,
)


def test_only_what_is_on_record_counts_whatever_flavor_and_image_name() -> None:
    flavor = {"hw:fpga_ip_id": OTHER, "hw:fpga_ip_id_2": OTHER}
    request = dataclasses.replace(PLAIN, extra_specs=flavor, open_to_image=True)
    assert request.granted({}).bitstreams == {}
    assert request.granted(grants.of_image(IMAGE)).bitstreams == {1: IMAGE}


def test_image_counts_only_at_a_step_that_makes_a_guest_or_where_there_is_a_region() -> None:
    assert PLAIN.bitstreams == {}
    assert dataclasses.replace(PLAIN, open_to_image=True).bitstreams == {1: IMAGE}
    assert dataclasses.replace(PLAIN, device="r").bitstreams == {1: IMAGE}
    assert dataclasses.replace(PLAIN, device="r", grants={}).account == {}


def test_grant_of_an_image_is_what_was_accepted_of_it() -> None:
    request = PLAIN.granted(grants.of_image(OTHER))
    assert request.accepted_bitstream == OTHER
    assert request.of_new_image().accepted_bitstream == OTHER
    assert request.granted({}).accepted_bitstream is None


def test_grant_of_a_flavor_keeps_what_was_accepted_until_the_image_is_another() -> None:
    rights = grants.of_flavor({"hw:fpga_ip_id_2": OTHER})
    request = dataclasses.replace(PLAIN, accepted_bitstream=IMAGE).granted(rights)
    assert request.of_new_image().accepted_bitstream == IMAGE
    assert (
        dataclasses.replace(request, image_bitstream=OTHER).of_new_image().accepted_bitstream
        is None
    )


def test_request_without_some_numbers_has_the_others() -> None:
    rights = grants.of_flavor({"hw:fpga_ip_id": IMAGE, "hw:fpga_ip_id_2": OTHER})
    rest = PLAIN.granted(rights).without({1: "a region"})
    assert rest.bitstreams == {2: OTHER}
    assert rest.without({2}).grants == {}


def test_record_is_read_as_it_was_written() -> None:
    rights = grants.of_flavor({"hw:fpga_ip_id_3": IMAGE}) | grants.of_image(OTHER)
    assert grants.read(grants.write(rights, OTHER)) == rights
    assert grants.read(grants.NOTHING) == {}
    assert grants.read({"image_hw_fpga_ip_id": IMAGE}) is None
