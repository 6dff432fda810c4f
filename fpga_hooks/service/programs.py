# SPDX-License-Identifier: Apache-2.0
"""Programs another bitstream into a region of a running server, at fpga-api's request.

What is to be done is on record in Nova's database before it is begun, with a task of the server
that keeps Nova's other tasks away. What was granted is on record once the region holds it: where
this process dies, the audit looks what the region holds, and settles the record by that.
"""

import dataclasses
import functools
import threading
import typing

from nova import context as nova_context
from nova import exception, objects
from nova.compute import vm_states
from oslo_log import log as logging

from fpga_hooks.instance import owner_locks
from fpga_hooks.program import client, errors, last_look, published
from fpga_hooks.service import answers, notices, reboots, works
from fpga_hooks.service.answers import RefusedError
from fpga_nova import bitstream_images, grants, host_status, program_bitstreams, programs
from fpga_nova.instance_request import InstanceRequest
from fpga_nova.programs import Program

LOG = logging.getLogger(__name__)

_NEVER, _IF_NEEDED = "never", "if_needed"
_OTHER = "another program of the server goes on"
_STATES = frozenset({vm_states.ACTIVE, vm_states.STOPPED, vm_states.PAUSED})

#: Those of this service, by their own ids.
running = works.Works("program")


class _End(typing.NamedTuple):
    """How a program ended.

    :ivar instance: its server; None where it is deleted meanwhile, or away
    """

    program: Program
    instance: "objects.Instance | None"


@dataclasses.dataclass(frozen=True)
class _Order:
    """What is asked for."""

    id: str
    server: str
    number: int
    bitstream: str
    reboot: str
    any_bitstream: bool

    @classmethod
    def read(cls, document: typing.Any) -> "_Order":
        fields = answers.mapping(document, "program")
        return cls(
            answers.uuid(fields, "id"),
            answers.uuid(fields, "server"),
            answers.number(fields, "number"),
            answers.uuid(fields, "bitstream"),
            answers.word(fields, "reboot", (_NEVER, _IF_NEEDED)),
            fields.get("any_bitstream") is True,
        )


def program(values: typing.Any, document: typing.Any, wait: typing.Any) -> dict[str, typing.Any]:
    """Begin a program, and answer how far it is.

    :param values: the context of the call
    :raises RefusedError: nothing was begun
    """
    order, context = _Order.read(document), answers.context_of(values)
    _check_bitstream(context, order)
    began = threading.Event()
    # Under the lock, or the audit would take it for one that a dead process left behind.
    with owner_locks.held_at_once(order.server) as held:
        begun = _begin(order, held)
        if begun is not None:
            run = functools.partial(_run, context, order, begun)
            try:
                running.begin(order.id, run, functools.partial(_tell, context, order, began))
            except works.NoThreadError as e:
                _end(order.server, dataclasses.replace(begun, state=programs.FAILED, fault=str(e)))
                return status(order.server, order.id)
    if begun is not None:
        try:
            notices.begin_action(context.elevated(), order.server)
            notices.notify("fpga.program.start", begun.document(order.server))
        finally:
            began.set()
    running.wait(order.id, answers.patience(wait))
    end: _End | None = running.result(order.id)
    if end is None or end.instance is None:
        return status(order.server, order.id)
    return {"program": end.program.document(order.server)}


def status(
    server: typing.Any, program_id: typing.Any, wait: typing.Any = 0
) -> dict[str, typing.Any]:
    """How far a program is; null where another one came after it, or it never was.

    :param wait: seconds to wait for the end of one that goes on here
    :raises RefusedError: the server is not here, or that is not known now
    """
    fields = {"server": server, "id": program_id}
    server, program_id = answers.uuid(fields, "server"), answers.uuid(fields, "id")
    running.wait(program_id, answers.patience(wait))
    known = programs.read(_instance(server).system_metadata)
    if known is None or known.id != program_id:
        return {"program": None}
    return {"program": known.document(server)}


def settle(instance: "objects.Instance", regions: dict[int, host_status.Region]) -> bool:
    """End what a process that died has begun, by what the region holds now.

    The owner's lock is held.

    :returns: whether it is ended: a region that fpga-cli is at work on still is left for later
    """
    known = programs.read(instance.system_metadata)
    if known is None:
        instance.task_state = None
        instance.save(expected_task_state=[programs.TASK])
        return True
    region = regions.get(known.number)
    if running.goes_on(known.id) or (region is not None and not region.settled):
        return False
    context = nova_context.get_admin_context()
    ended = dataclasses.replace(known, state=programs.DONE, reboot_required=True)
    if region is None or not _holds(region, known.bitstream):
        fault = "nova-compute ended during the program"
        ended = dataclasses.replace(known, state=programs.FAILED, fault=fault)
    LOG.warning("A program was interrupted; it is %s", ended.state, instance=instance)
    _write(instance, ended)
    notices.end_action(context, instance.uuid, ended.fault)
    return True


def _holds(region: host_status.Region, bitstream: str) -> bool:
    """Whether a region was programmed with it to the end, and has not lost it since."""
    return region.programmed and not region.configuration_lost and region.image_id == bitstream


def _instance(server: str) -> "objects.Instance":
    """A server of this host.

    :raises RefusedError: it is not here
    """
    context = nova_context.get_admin_context()
    try:
        instance = objects.Instance.get_by_uuid(
            context, server, expected_attrs=["flavor", "system_metadata"]
        )
    except exception.InstanceNotFound:
        instance = None
    if instance is None or instance.host != last_look.host():
        raise RefusedError(RefusedError.NOT_HERE, f"the server is not on host {last_look.host()}")
    return instance


def _check_bitstream(context: "nova_context.RequestContext", order: _Order) -> None:
    try:
        refusal = program_bitstreams.refusal(context, order.bitstream, order.any_bitstream)
    except bitstream_images.UnansweredError as e:
        raise RefusedError(RefusedError.UNANSWERED, str(e)) from e
    if refusal == program_bitstreams.Refusal.UNKNOWN:
        why = f"Glance does not have the image {order.bitstream}, or does not show it to you"
        raise RefusedError(refusal, why)
    if refusal is not None:
        why = f"the operator does not accept the image {order.bitstream} in running servers"
        raise RefusedError(refusal, why)


def _begin(order: _Order, held: bool) -> Program | None:
    """Put a program on record.

    :param held: whether its owner's lock is
    :returns: None for one that is on record already
    :raises RefusedError: it cannot be begun
    """
    instance = _instance(order.server)
    known = programs.read(instance.system_metadata)
    if known is not None and known.id == order.id:
        return None
    if instance.task_state == programs.TASK:
        raise RefusedError(RefusedError.PROGRAM, _OTHER)
    if not held:
        raise RefusedError(RefusedError.TASK, "this host is at work on the server's regions")
    if instance.task_state is not None:
        raise RefusedError(RefusedError.TASK, f"the server has the task {instance.task_state}")
    if instance.vm_state not in _STATES:
        raise RefusedError(RefusedError.STATE, f"the server is in state {instance.vm_state}")
    try:
        # What it says of the hardware is as good here: `replace` looks itself.
        regions = published.owned_by(order.server, {order.number}) or client.status().owned_by(
            order.server
        )
    except errors.CliError as e:
        raise RefusedError(RefusedError.UNANSWERED, e.reason) from e
    request = InstanceRequest.of(instance)
    request = request.granted(request.due(regions))
    region = regions.get(order.number)
    if region is None or not region.programmed or order.number not in (request.grants or {}):
        raise RefusedError(
            RefusedError.REGION, f"the server has no region {order.number} on this host"
        )
    request.note(instance)
    begun = Program(order.id, order.number, region.id, order.bitstream, region.image_id)
    instance.system_metadata.update(begun.metadata())
    instance.task_state = programs.TASK
    try:
        instance.save(expected_task_state=[None])
    except (exception.UnexpectedTaskStateError, exception.InstanceNotFound) as e:
        raise RefusedError(RefusedError.TASK, f"the server has another task by now: {e}") from e
    return begun


def _run(context: "nova_context.RequestContext", order: _Order, begun: Program) -> _End:
    with owner_locks.held(order.server):
        ended = _replace(order, begun)
        instance = _end(order.server, ended)
    if instance is not None and ended.reboot_required and order.reboot == _IF_NEEDED:
        ended = reboots.ask(context, instance, ended)
    return _End(ended, instance)


def _tell(
    context: "nova_context.RequestContext",
    order: _Order,
    began: threading.Event,
    end: _End | None,
) -> None:
    """Tell of an end, which is on record; nobody waits for it.

    :param began: set once the beginning is told
    :param end: None where none is on record
    """
    began.wait()
    if end is None:
        return
    ended, instance = end
    failed = ended.state != programs.DONE
    if instance is not None:
        notices.end_action(context.elevated(), order.server, ended.fault)
    event = "fpga.program.error" if failed else "fpga.program.end"
    notices.notify(event, ended.document(order.server), failed)


def _replace(order: _Order, begun: Program) -> Program:
    same_nodes = order.reboot == _NEVER
    try:
        replaced = client.replace(begun.region, order.bitstream, order.server, same_nodes)
    except errors.CliError as e:
        return dataclasses.replace(begun, state=programs.FAILED, code=e.code, fault=e.reason)
    ended = dataclasses.replace(begun, reboot_required=not replaced.same_nodes)
    if replaced.failure is None:
        return dataclasses.replace(ended, state=programs.DONE)
    code, fault = replaced.failure.code, replaced.failure.reason
    return dataclasses.replace(ended, state=programs.FAILED, restored=True, code=code, fault=fault)


def _end(server: str, ended: Program) -> "objects.Instance | None":
    """Put the end of a program on record; None where the server is deleted meanwhile, or away."""
    if ended.state != programs.DONE:
        LOG.error("FPGA region %s is not programmed: %s", ended.region, ended.fault)
    try:
        instance = _instance(server)
        _write(instance, ended)
    except (exception.UnexpectedTaskStateError, exception.InstanceNotFound, RefusedError) as e:
        LOG.warning("The server %s has another task than its program by now: %s", server, e)
        return None
    return instance


def _write(instance: "objects.Instance", ended: Program) -> None:
    """Write the end of a program, what is granted from then on, and that the task is over.

    :raises nova.exception.UnexpectedTaskStateError, nova.exception.InstanceNotFound: the server is
        being deleted
    """
    if ended.state == programs.DONE:
        request = InstanceRequest.of(instance)
        rights = {**(request.grants or {}), ended.number: grants.of_program(ended.bitstream)}
        request.granted(rights).note(instance)
    instance.system_metadata.update(ended.metadata())
    instance.task_state = None
    instance.save(expected_task_state=[programs.TASK])
