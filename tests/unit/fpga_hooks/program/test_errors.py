# SPDX-License-Identifier: Apache-2.0
"""From exit statuses to errors with a reason."""

import pytest

from fpga_hooks.program import errors


@pytest.mark.parametrize("code", [96, 97, 98, 99])
def test_rootwrap_failures_say_what_to_do(code: int) -> None:
    error = errors.from_exit("fpga-cli.py", code, "/usr/bin/nova-rootwrap: Unauthorized command")
    assert error.misconfigured
    assert "cannot be run as root" in error.reason


def test_a_refusal_by_sudo_is_told() -> None:
    error = errors.from_exit("fpga-cli.py", 1, "\nsudo: a password is required\n")
    assert error.misconfigured
    assert "a password is required" in error.reason


def test_a_program_that_says_nothing_is_told_with_its_exit_status() -> None:
    assert "exit 9" in errors.from_exit("fpga-cli.py", 9, "").reason
