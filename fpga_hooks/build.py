# SPDX-License-Identifier: Apache-2.0
"""Burns the regions of an instance before its container is made."""

import functools
import typing

from fpga_hooks import base
from fpga_hooks.host import audit
from fpga_hooks.instance import background, call_sites, cards, entitlement, owner_locks
from fpga_hooks.placement import function_traits, providers
from fpga_hooks.program import client, errors, last_look
from fpga_nova import grants, image_bitstreams, request

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects


class FpgaBuildInstanceHook(base.Hook):
    """Burn at build; at start and with every audit, tell Nova what regions the host has."""

    def init_host(self, host: str) -> None:
        """Refuse to start where instances would get what the operator did not ask for.

        :raises nova.exception.InvalidConfiguration: see fpga_hooks.host.audit.start
        """
        providers.decide_anew()
        audit.start(host)
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
        granted = entitlement.decide(context, instance)
        grants.record(instance, granted)
        if not granted:
            return
        chosen = cards.chosen(context, instance.uuid)
        try:
            background.start(
                instance.uuid, functools.partial(_burn, granted, instance.uuid, chosen)
            )
        except errors.CliError as e:
            raise call_sites.failure(e, instance) from e
        if not background.awaited_by_driver():
            background.finish(instance)

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
        granted = entitlement.decide(context, instance)
        if granted:
            try:
                with owner_locks.held(instance.uuid):
                    _burn_missing(context, instance, granted)
            except errors.CliError as e:
                raise call_sites.failure(e, instance) from e
        new_image = image_bitstreams.named_by(instance) != grants.accepted(instance)
        grants.record(instance, granted, new_image)

    def update_resources(self, resources: dict[str, typing.Any]) -> None:
        """Set how many regions instances of this host have or may get; 0 where it is not known.

        What they hold, and what free ones are kept warm with, is among the host's stats, for
        FpgaWeigher.
        """
        resources["fpga_regions"] = audit.audit()
        ours = {stat: last_look.images(state) for state, stat in request.STATS.items()}
        resources["stats"] = {**resources.get("stats", {}), **ours}
        function_traits.sweep.run()


def _burn_missing(
    context: "nova_context.RequestContext",
    instance: "objects.Instance",
    granted: dict[int, grants.Grant],
) -> None:
    """Not on record yet, so that the audit takes back what is burnt if this process dies here."""
    held = client.status().owned_by(instance.uuid)
    missing = {number: grant for number, grant in granted.items() if number not in held}
    if missing:
        cards.burn(missing, instance.uuid, cards.chosen(context, instance.uuid))


def _burn(granted: dict[int, grants.Grant], owner: str, chosen: list[str]) -> dict[int, str]:
    """Where one fails, Nova's clean-up has all of the owner erased."""
    with owner_locks.held(owner):
        return cards.burn(granted, owner, chosen)
