# SPDX-License-Identifier: Apache-2.0
"""Runs fpga-cli as root through rootwrap and reads its answers."""

import dataclasses
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
    return _region_id("burn", _run("burn", image_id, "--owner", owner, *which, *where))


@dataclasses.dataclass(frozen=True)
class Replaced:
    """What came of putting another bitstream into a region.

    :ivar same_nodes: whether a guest reaches the region by the nodes that it has
    :ivar failure: why the previous bitstream is in place; None where the new one is
    """

    same_nodes: bool
    failure: errors.CliError | None


def replace(region_id: str, image_id: str, owner: str, same_nodes: bool) -> Replaced:
    """Put another bitstream into a region of an owner, in place.

    :param same_nodes: refuse a bitstream that exposes other nodes
    :raises errors.CliError: nothing was changed, or the region holds neither any more
    """
    which = ["--same-nodes"] if same_nodes else []
    arguments = ("replace", region_id, image_id, "--owner", owner, *which, "--format", "json")
    answer = _answer(*arguments)
    if answer.code not in (Exit.DONE, Exit.RESTORED):
        raise errors.from_exit(CONF.fpga.exec, answer.code, answer.err)
    try:
        same = json.loads(answer.out)["nodes"] == "same"
    except (ValueError, KeyError, TypeError):
        same = False
    restored = answer.code == Exit.RESTORED
    failure = errors.from_exit(CONF.fpga.exec, answer.code, answer.err) if restored else None
    return Replaced(same, failure)


def hold(owner: str, device: str | None = None, board: str | None = None) -> str:
    """Hold a region for an owner without programming it; the one that it holds already.

    :returns: the region's id, at most 255 printable characters
    :raises errors.CliError: it did not succeed
    """
    where = [] if device is None else ["--device", device]
    what = [] if board is None else ["--board", board]
    return _region_id("hold", _run("hold", "--owner", owner, *where, *what))


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


def _region_id(verb: str, answer: str) -> str:
    region_id = answer.strip()
    if not _REGION_ID.fullmatch(region_id):
        raise errors.CliError(None, f"{CONF.fpga.exec} {verb} printed no region id")
    return region_id


def _run(*arguments: str) -> str:
    answer = _answer(*arguments)
    if answer.code:
        raise errors.from_exit(CONF.fpga.exec, answer.code, answer.err)
    return answer.out


def _answer(*arguments: str) -> root.Answer:
    program = CONF.fpga.exec
    try:
        return root.run([program, *arguments], CONF.fpga.timeout)
    except root.TimedOutError as e:
        raise errors.CliError(
            Exit.TIMED_OUT,
            f"{program} {arguments[0]} did not end within {CONF.fpga.timeout} s "
            f"([fpga] timeout); see what it hangs on",
        ) from e
    except root.NotRunError as e:
        raise errors.CliError(None, f"{program} cannot be run as root: {e}") from e
