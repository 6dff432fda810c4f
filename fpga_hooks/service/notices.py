# SPDX-License-Identifier: Apache-2.0
"""Says what is done to regions at fpga-api's request: notifications, and a server's actions."""

import contextlib
import typing

import oslo_messaging
from nova import exception, objects, rpc
from oslo_log import log as logging

from fpga_hooks.program import last_look

if typing.TYPE_CHECKING:
    from nova import context as nova_context

LOG = logging.getLogger(__name__)

#: The action of a server, and its event.
ACTION = "fpga_program"


def notify(event: str, payload: dict[str, typing.Any], failed: bool = False) -> None:
    """Send a notification; a broker that is gone keeps nobody from going on.

    :param event: `fpga.program.start` and the like
    """
    transport = rpc.NOTIFICATION_TRANSPORT
    if transport is None:
        return
    notifier = oslo_messaging.Notifier(transport, publisher_id=f"fpga.{last_look.host()}", retry=1)
    try:
        (notifier.error if failed else notifier.info)({}, event, payload)
    # What a broker's library raises has no class in common.
    except Exception as e:
        LOG.warning("The notification %s is not sent: %s", event, e)


def begin_action(context: "nova_context.RequestContext", server: str) -> None:
    """Put on record, for the server's users, that it is programmed."""
    objects.InstanceAction.action_start(context, server, ACTION, want_result=False)
    objects.InstanceActionEvent.event_start(
        context, server, ACTION, want_result=False, host=last_look.host()
    )


def end_action(context: "nova_context.RequestContext", server: str, fault: str | None) -> None:
    """Put on record how that ended.

    :param fault: what failed; None if nothing did
    """
    with contextlib.suppress(exception.InstanceActionNotFound):
        objects.InstanceActionEvent.event_finish_with_failure(
            context, server, ACTION, exc_val=fault, exc_tb=fault, want_result=False
        )
        objects.InstanceAction.action_finish(context, server, want_result=False)
