# SPDX-License-Identifier: Apache-2.0
"""Holds and releases regions for claims, at fpga-api's request.

A claim is no instance: its id is the consumer of an allocation in Placement, and the owner in the
ledger. The ledger decides who gets a region; Placement may have promised more than there is.
"""

import dataclasses
import functools
import typing

from nova import context as nova_context
from nova import exception, objects
from oslo_log import log as logging

from fpga_hooks.instance import guests, owner_locks
from fpga_hooks.placement import claims as allocations
from fpga_hooks.program import client, errors
from fpga_hooks.service import answers, notices, works
from fpga_hooks.service.answers import RefusedError
from fpga_nova import host_status
from fpga_nova.contract import Exit

LOG = logging.getLogger(__name__)

_PROGRAMMING, _ACTIVE, _FAILED, _NONE = "programming", "active", "failed", "none"

#: Those of this service, by the claims' ids; what a failed one gives is a CliError.
running = works.Works("claim")


@dataclasses.dataclass(frozen=True)
class _Order:
    """What is asked for."""

    id: str
    device: str | None
    board: str | None
    bitstream: str | None

    @classmethod
    def read(cls, document: typing.Any) -> "_Order":
        fields = answers.mapping(document, "claim")
        bitstream = fields.get("bitstream")
        return cls(
            answers.uuid(fields, "id"),
            answers.card(fields, "device"),
            answers.card(fields, "board"),
            None if bitstream is None else answers.uuid(fields, "bitstream"),
        )


def hold(document: typing.Any, wait: typing.Any) -> dict[str, typing.Any]:
    """Begin to hold a region for a claim, and answer how far it is.

    :raises RefusedError: nothing was begun
    """
    order = _Order.read(document)
    if not running.goes_on(order.id):
        with owner_locks.held_at_once(order.id) as held:
            if not held:
                raise RefusedError(RefusedError.TASK, "this host is at work on the claim's region")
            _check(order.id)
            notices.notify("fpga.claim.start", dataclasses.asdict(order))
            try:
                running.begin(order.id, functools.partial(_run, order))
            except works.NoThreadError as e:
                raise RefusedError(RefusedError.UNANSWERED, str(e)) from e
    running.wait(order.id, answers.patience(wait))
    return status(order.id)


def status(claim_id: typing.Any) -> dict[str, typing.Any]:
    """What this host holds for a claim.

    :raises RefusedError: that is not known now
    """
    claim = answers.uuid({"id": claim_id}, "id")
    if running.goes_on(claim):
        return {"claim": _document(claim, _PROGRAMMING, None, None)}
    failure = running.result(claim)
    if failure is not None:
        return {"claim": _document(claim, _FAILED, None, failure)}
    region = _held(claim)
    if region is not None and region.quarantined:
        failure = errors.CliError(Exit.NOT_ERASED, f"region {region.id} is in quarantine")
        return {"claim": _document(claim, _FAILED, region, failure)}
    return {"claim": _document(claim, _ACTIVE if region else _NONE, region, None)}


def release(claim_id: typing.Any) -> dict[str, typing.Any]:
    """Erase what this host holds for a claim, once no guest has it.

    :raises RefusedError: it is not erased
    """
    claim = answers.uuid({"id": claim_id}, "id")
    with owner_locks.held_at_once(claim) as held:
        if not held:
            raise RefusedError(RefusedError.TASK, "this host is at work on the claim's region")
        _check_that_it_is_no_instance(claim)
        region = _held(claim)
        if region is not None:
            _see_that_no_guest_has_it(claim, region)
        _erase(claim)
    running.forget(claim)
    notices.notify("fpga.claim.release", {"id": claim, "region": region and region.id})
    return {"released": True}


def _run(order: _Order) -> errors.CliError | None:
    """Hold or burn a region; gives why that failed, and holds nothing then."""
    with owner_locks.held(order.id):
        try:
            if order.bitstream is None:
                region_id = client.hold(order.id, order.device, order.board)
            else:
                region_id = client.burn(order.bitstream, order.id, device=order.device)
        except errors.CliError as e:
            failure = e
            try:
                client.erase(order.id)
            except errors.CliError as more:
                LOG.error("What claim %s holds is left for the audit: %s", order.id, more.reason)
        else:
            payload = {**dataclasses.asdict(order), "region": region_id}
            notices.notify("fpga.claim.end", payload)
            return None
    LOG.error("Claim %s gets no FPGA region: %s", order.id, failure.reason)
    payload = _document(order.id, _FAILED, None, failure)
    notices.notify("fpga.claim.error", payload, failed=True)
    return failure


def _check(claim: str) -> None:
    """See that a claim is one, and has a region of this host allocated.

    :raises RefusedError: it is not, or that is not known now
    """
    _check_that_it_is_no_instance(claim)
    try:
        allocated = allocations.has_region_here(claim)
    except allocations.UnansweredError as e:
        raise RefusedError(RefusedError.UNANSWERED, str(e)) from e
    if not allocated:
        raise RefusedError(
            RefusedError.ALLOCATION, "Placement has no allocation of the claim's on this host"
        )


def _check_that_it_is_no_instance(claim: str) -> None:
    context = nova_context.get_admin_context(read_deleted="yes")
    try:
        objects.Instance.get_by_uuid(context, claim, expected_attrs=[])
    except exception.InstanceNotFound:
        return
    raise RefusedError(RefusedError.NOT_A_CLAIM, "the id is that of a server")


def _held(claim: str) -> host_status.Region | None:
    """The region that a claim has, in quarantine perhaps.

    :raises RefusedError: that is not known now
    """
    try:
        return client.status().owned_by(claim).get(1)
    except errors.CliError as e:
        raise RefusedError(RefusedError.UNANSWERED, e.reason) from e


def _see_that_no_guest_has_it(claim: str, region: host_status.Region) -> None:
    try:
        holders = guests.machine.with_nodes(region.paths, claim)
    except guests.UnknownError as e:
        raise RefusedError(RefusedError.UNANSWERED, str(e)) from e
    if holders:
        names = ", ".join(sorted(guest.name for guest in holders))
        raise RefusedError(RefusedError.GUEST, f"guest {names} has nodes of region {region.id}")


def _erase(claim: str) -> None:
    try:
        client.erase(claim)
    except errors.CliError as e:
        code = RefusedError.NOT_ERASED if e.code == Exit.NOT_ERASED else RefusedError.UNANSWERED
        raise RefusedError(code, e.reason) from e


def _document(
    claim: str,
    state: str,
    region: host_status.Region | None,
    failure: errors.CliError | None,
) -> dict[str, typing.Any]:
    names = ("device", "address", "board", "vendor", "part", "function")
    return {
        "id": claim,
        "state": state,
        "region": region and region.id,
        **{name: getattr(region, name, None) for name in names},
        "bitstream": region and region.image_id,
        "nodes": [dict(node) for node in region.nodes] if region and region.nodes else None,
        "code": failure and failure.code,
        "fault": failure and failure.reason,
    }
