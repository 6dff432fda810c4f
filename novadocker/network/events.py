# SPDX-License-Identifier: Apache-2.0
"""Waits until Neutron says that ports are plugged."""

import contextlib
import time
import typing

from oslo_config import cfg
from oslo_log import log as logging

from novadocker import errors

if typing.TYPE_CHECKING:
    from nova import objects
    from nova.network import model

try:
    from nova.exception import InstanceEventTimeout as EventTimeout
except ImportError:  # series that run on eventlet alone
    from eventlet.timeout import Timeout as EventTimeout

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_PLUGGED = "network-vif-plugged"


@contextlib.contextmanager
def awaited(
    virtapi: typing.Any, instance: "objects.Instance", vifs: "typing.Iterable[model.VIF]"
) -> typing.Iterator[None]:
    """Plug ports, or do more, and wait until Neutron has them active.

    Ports that are active already send no event.

    :raises errors.PlugNotReported: Neutron does not say so, where ``vif_plugging_is_fatal`` is on
    """
    inactive = [vif["id"] for vif in vifs if vif.get("active", True) is False]
    if not inactive or not CONF.vif_plugging_timeout:
        yield
        return
    names = [(_PLUGGED, port) for port in inactive]
    seconds = CONF.vif_plugging_timeout
    try:
        # The third argument has another name up to Nova 33.
        with virtapi.wait_for_instance_event(instance, names, seconds, error_callback=_failed):
            yield
            start = time.monotonic()
    except EventTimeout as e:
        reason = (
            f"Neutron did not report {', '.join(inactive)} plugged within {seconds} s "
            "(vif_plugging_timeout)"
        )
        if CONF.vif_plugging_is_fatal:
            raise errors.PlugNotReported(reason) from e
        LOG.warning("%s; the container starts all the same", reason, instance=instance)
    else:
        log_wait(start, "report its ports plugged", instance)


def log_wait(start: float, action: str, instance: "objects.Instance") -> None:
    """Log how long an instance waited for Neutron, which is not the driver's time.

    :param start: of the wait, by `time.monotonic`
    :param action: what Neutron did
    """
    LOG.info("Waited %.2f s for Neutron to %s", time.monotonic() - start, action, instance=instance)


def _failed(event: str, instance: "objects.Instance") -> bool:
    if CONF.vif_plugging_is_fatal:
        raise errors.PlugNotReported(f"Neutron reports {event} as failed")
    LOG.warning("Neutron reports %s as failed", event, instance=instance)
    return True
