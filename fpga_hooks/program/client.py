# SPDX-License-Identifier: Apache-2.0
"""Runs fpga-cli as root through rootwrap and reads its answers."""

import json
import re

from oslo_config import cfg

from fpga_hooks.program import errors, root
from fpga_nova import host_status
from fpga_nova.contract import Exit

CONF = cfg.CONF

_REGION_ID = re.compile(r"[!-~]{1,255}")


def burn(image_id: str, owner: str, number: int = 1, device: str | None = None) -> str:
    """Burn a bitstream image into a region for an owner; at once if the owner has it already.

    :param image_id: Glance id of the bitstream image
    :param owner: uuid of the instance
    :param number: which of the instance's regions it is; passed only where it is not the first
    :param device: the card; None for any
    :returns: the region's id, at most 255 printable characters
    :raises errors.CliError: it did not succeed
    """
    which = [] if number == 1 else ["--number", str(number)]
    where = [] if device is None else ["--device", device]
    region_id = _run("burn", image_id, "--owner", owner, *which, *where).strip()
    if not _REGION_ID.fullmatch(region_id):
        raise errors.CliError(None, f"{CONF.fpga.exec} burn printed no region id")
    return region_id


def erase(owner: str, region_id: str | None = None) -> None:
    """Erase all that an owner holds; done, too, if it holds nothing.

    :param region_id: erase this one only, if the owner holds it
    :raises errors.CliError: it did not succeed
    """
    which = [] if region_id is None else [region_id]
    _run("erase", *which, "--owner", owner)


def release(region_id: str) -> None:
    """Erase a region that is in quarantine, and give it free.

    :raises errors.CliError: it did not succeed
    """
    _run("release", region_id)


def status() -> host_status.Status:
    """What every region of this host is doing.

    :raises errors.CliError: it cannot be had
    """
    answer = _run("status", "--format", "json")
    try:
        return host_status.read(json.loads(answer))
    except (ValueError, KeyError, TypeError) as e:
        raise errors.CliError(
            None, f"{CONF.fpga.exec} status printed something else than its JSON: {e!r}"
        ) from e


def _run(*arguments: str) -> str:
    program = CONF.fpga.exec
    try:
        answer = root.run([program, *arguments], CONF.fpga.timeout)
    except root.TimedOutError as e:
        raise errors.CliError(
            Exit.TIMED_OUT,
            f"{program} {arguments[0]} did not end within {CONF.fpga.timeout} s "
            f"([fpga] timeout); see what it hangs on",
        ) from e
    except root.NotRunError as e:
        raise errors.CliError(None, f"{program} cannot be run as root: {e}") from e
    if answer.code:
        raise errors.from_exit(program, answer.code, answer.err)
    return answer.out
