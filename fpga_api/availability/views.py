# SPDX-License-Identifier: Apache-2.0
"""What a user sees of the document ``availability``."""

import typing

from fpga_api.context import RequestContext

Flavor = dict[str, typing.Any]

_SHOWN = ("id", "name", "public", "source", "accelerators", "error")


def visible(
    flavors: typing.Iterable[Flavor], context: RequestContext, all_flavors: bool
) -> list[Flavor]:
    """The flavors that a user may know of, as they are in the document.

    :param all_flavors: whether the user sees those of other projects, too
    """
    project = context.project_id
    return [
        one
        for one in flavors
        if all_flavors or one["public"] or (project is not None and project in one["projects"])
    ]


def view(flavor: Flavor, context: RequestContext, zone: str | None = None) -> Flavor:
    """A flavor as the API shows it, with the counts for the user's project.

    :param zone: availability zone of which the counts are to be; None for all hosts
    """
    counts = flavor["counts"].get(context.project_id, flavor)
    if zone is not None and flavor["error"] is None:
        # Where the flavor has no host, no server of it can be.
        counts = counts["zones"].get(zone, {"free": 0, "total": 0})
    shown = {name: flavor[name] for name in _SHOWN}
    return {**shown, "free": counts["free"], "total": counts["total"]}
