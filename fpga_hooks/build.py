# SPDX-License-Identifier: Apache-2.0
"""Burns the regions of an instance before its container is made."""

import functools
import typing

from fpga_hooks import base
from fpga_hooks.functions import catalogue, choice
from fpga_hooks.host import audit
from fpga_hooks.instance import background, call_sites, cards, entitlement, owner_locks
from fpga_hooks.placement import function_traits, providers
from fpga_hooks.program import client, errors, last_look
from fpga_nova.instance_request import InstanceRequest
from fpga_nova.request import FUNCTION_STATS, STATS

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects


class FpgaBuildInstanceHook(base.Hook):
    """Burn at build; at start and with every audit, report to Nova the regions of the host."""

    def __init__(self) -> None:
        self.auditor = audit.Auditor()

    def init_host(self, host: str) -> None:
        """Refuse to start where instances would get what the operator did not ask for.

        :raises nova.exception.InvalidConfiguration: see fpga_hooks.host.audit.Auditor.start
        """
        providers.ours.decide_anew()
        self.auditor.start(host)
        entitlement.adopt(host)

    def build_instance(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
    ) -> None:
        """Record what the instance is granted and burn it, beside what else the build does.

        :raises nova.exception.NovaException: it is not entitled to what it asks for, or a region
            could not be burnt; see `call_sites`. Where the driver waits itself, it gets the latter
        """
        request = entitlement.decide(context, instance)
        request.put_on_record(instance)
        if not request.grants:
            return
        allocation = cards.of_allocation(context, request.owner)
        burns = background.burns
        try:
            burns.start(request, functools.partial(_burn, request, allocation))
        except errors.CliError as e:
            raise call_sites.failure(e, instance) from e
        if not burns.awaited_by_driver:
            burns.finish(instance)

    def check_rebuild(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> None:
        """See that the server will have its regions, before its guest is gone.

        A region that it does not hold yet is burnt now: whatever keeps it from being burnt is no
        harm to the guest then. One that it holds is burnt in `build_instance`, because the guest
        has it still.

        :raises nova.exception.NovaException: it is not entitled to what it asks for, or cannot get
            it
        """
        request = entitlement.decide(context, instance)
        if request.grants:
            try:
                with owner_locks.held(request.owner):
                    _burn_missing(context, request)
            except errors.CliError as e:
                raise call_sites.failure(e, instance) from e
        request.of_new_image().put_on_record(instance)

    def update_resources(self, resources: dict[str, typing.Any]) -> None:
        """Set how many regions instances of this host have or may get; 0 where it is not known.

        What they hold, and what free ones are kept warm with, is among the host's stats, for
        FpgaWeigher: images and functions.
        """
        catalogue.ours.refresh()
        resources["fpga_regions"] = self.auditor.audit()
        images = {stat: last_look.ours.images(state) for state, stat in STATS.items()}
        regions = last_look.ours.status.regions if last_look.ours.status else ()
        functions = {
            stat: " ".join(sorted(found))
            for state, stat in FUNCTION_STATS.items()
            if (found := choice.in_state(regions, state))
        }
        resources["stats"] = {**resources.get("stats", {}), **images, **functions}
        function_traits.sweep.run()


def _burn_missing(context: "nova_context.RequestContext", request: InstanceRequest) -> None:
    """Not on record yet, so that the audit takes back what is burnt if this process dies here."""
    rest = request.without(client.status().owned_by(request.owner))
    if rest.grants:
        cards.burn(rest, cards.of_allocation(context, request.owner))


def _burn(request: InstanceRequest, allocation: list[str]) -> dict[int, str]:
    """Where one fails, Nova's clean-up has all of the owner erased."""
    with owner_locks.held(request.owner):
        return cards.burn(request, allocation)
