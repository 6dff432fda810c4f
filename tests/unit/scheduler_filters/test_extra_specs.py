# SPDX-License-Identifier: Apache-2.0
"""Which values nova-api accepts for hw:fpga_ip_id and hw:fpga_function."""

import pytest
from nova import exception
from nova.api.validation.extra_specs import validators

UUID = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"


@pytest.mark.parametrize("number", ["", "_2", "_3", "_4", "_5", "_6"])
def test_a_uuid_is_accepted_by_the_installed_validator(number: str) -> None:
    validators.validate(f"hw:fpga_ip_id{number}", UUID)


@pytest.mark.parametrize("value", ["", "lzo", UUID[:-1], UUID + "0", f" {UUID}", UUID.upper()])
def test_anything_else_is_refused_and_named(value: str) -> None:
    with pytest.raises(exception.ValidationError) as caught:
        validators.validate("hw:fpga_ip_id", value)
    assert f"'{value}' is not of the format" in caught.value.format_message()


@pytest.mark.parametrize("tail", ["x", "_1", "_7", "_", "_22"])
def test_a_neighbouring_name_is_still_unknown_to_nova(tail: str) -> None:
    with pytest.raises(exception.ValidationError):
        validators.validate(f"hw:fpga_ip_id{tail}", UUID)


@pytest.mark.parametrize("number", ["", "_2", "_6"])
def test_a_function_is_accepted_by_the_installed_validator(number: str) -> None:
    validators.validate(f"hw:fpga_function{number}", "Lzo-1.x")


@pytest.mark.parametrize("value", ["", "my crypto", "crypto,zip", "x" * 65])
def test_what_is_no_function_is_refused_and_named(value: str) -> None:
    with pytest.raises(exception.ValidationError) as caught:
        validators.validate("hw:fpga_function", value)
    assert f"'{value}' is not of the format" in caught.value.format_message()
