# SPDX-License-Identifier: Apache-2.0
"""Asks Placement which claims are alive: whose consumers have regions of this host allocated."""

import typing

from keystoneauth1 import exceptions as ksa_exceptions
from nova import context as nova_context
from nova import exception, objects
from nova.scheduler.client import report
from oslo_log import log as logging

from fpga_hooks.program import last_look
from fpga_nova import region_classes
from fpga_nova.contract import CLAIM_CONSUMER, CLAIM_MICROVERSION

LOG = logging.getLogger(__name__)

#: The first version of Placement that lists the providers of a tree.
_TREES = "1.14"


class UnansweredError(Exception):
    """Placement, or the database, does not say it now."""


def has_region_here(claim: str) -> bool:
    """Whether a claim has a region of this host allocated.

    :raises UnansweredError: that cannot be known now
    """
    answer = _get(f"/allocations/{claim}", CLAIM_MICROVERSION)
    allocations = answer.get("allocations") or {}
    if not allocations or answer.get("consumer_type") != CLAIM_CONSUMER:
        return False
    holding = {
        provider
        for provider, allocation in allocations.items()
        if region_classes.amount(allocation.get("resources", {}))
    }
    return not holding.isdisjoint(_providers())


def may_have_region_here(claim: str) -> bool:
    """The same, and also where that cannot be known: what a claim holds is kept then."""
    try:
        return has_region_here(claim)
    except UnansweredError as e:
        LOG.warning("FPGA regions of %s are kept: %s", claim, e)
        return True


def _providers() -> set[str]:
    """The providers of this host and of its cards.

    :raises UnansweredError: they are not known now
    """
    context = nova_context.get_admin_context()
    try:
        nodes = objects.ComputeNodeList.get_all_by_host(context, last_look.host())
    except exception.ComputeHostNotFound as e:
        raise UnansweredError(f"this host has no compute node yet: {e}") from e
    found: set[str] = set()
    for node in nodes:
        answer = _get(f"/resource_providers?in_tree={node.uuid}", _TREES)
        found |= {one["uuid"] for one in answer["resource_providers"]}
    return found


def _get(url: str, version: str) -> dict[str, typing.Any]:
    try:
        answer = report.report_client_singleton().get(url, version=version)
    except ksa_exceptions.ClientException as e:
        raise UnansweredError(f"Placement does not answer: {e}") from e
    if answer.status_code != 200:
        raise UnansweredError(f"Placement answers {answer.status_code} to GET {url}")
    document: dict[str, typing.Any] = answer.json()
    return document
