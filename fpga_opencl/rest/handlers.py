# SPDX-License-Identifier: Apache-2.0
"""What each call does: a body with the original's names, to the client library and back."""

import base64
import binascii
import typing

from fpga_opencl.client import Session
from fpga_opencl.client.resources import DeviceMemoryObject, HostValue, LocalMemory
from fpga_opencl.rest import schemas
from fpga_opencl.rest.answers import Document, Refusal

#: Of a session, the number in the path, and the body.
Run = typing.Callable[[Session, int, Document], Document]

#: The fields of a device: the original's names, and those of three more, for the client's.
_DEVICE = {
    "name": "CL_DEVICE_NAME",
    "vendor": "CL_DEVICE_VENDOR",
    "version": "CL_DEVICE_VERSION",
    "driver_version": "CL_DRIVER_VERSION",
    "type": "CL_DEVICE_TYPE",
    "compute_units": "CL_DEVICE_MAX_COMPUTE_UNITS",
    "max_work_item_dimensions": "CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS",
    "max_work_group_size": "CL_DEVICE_MAX_WORKGROUP_SIZE",
    "single_fp_config": "CL_DEVICE_SINGLE_FP_CONFIG",
    "max_allocation": "CL_DEVICE_MAX_MEM_ALLOCATION_SIZE",
    "global_memory": "CL_DEVICE_GLOBAL_MEM_SIZE",
    "local_memory_type": "CL_DEVICE_LOCAL_MEM_TYPE",
    "local_memory": "CL_DEVICE_LOCAL_MEM_SIZE",
}
_DONE: Document = {"CL_ERROR_CODE": 0}


def _created(number: int) -> Document:
    return {"CreateResp": {"id": number} | _DONE}


def _each(name: str, values: typing.Iterable[int]) -> list[Document]:
    return [{name: value} for value in values]


def _of_each(name: str, members: list[Document]) -> list[int]:
    return [one[name] for one in members]


def content(text: str) -> bytes:
    """Bytes that were sent in base64, with or without the ends of its lines.

    :raises Refusal: it is something else
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "the content is not base64") from None


# Of all resources


def listing(resource: str, plural: str) -> Run:
    """Gives the numbers of a resource's objects."""

    def run(session: Session, _: int, __: Document) -> Document:
        return {plural: _each("id", getattr(session, resource).list())}

    return run


def show(resource: str, singular: str) -> Run:
    """Gives what an object was made with."""

    def run(session: Session, number: int, _: Document) -> Document:
        fields = getattr(session, resource).show(number)
        return {singular: {"id": number} | _FIELDS[resource](fields) | _DONE}

    return run


def counting(resource: str, name: str) -> Run:
    """Counts one reference more, or one less."""

    def run(session: Session, number: int, _: Document) -> Document:
        getattr(getattr(session, resource), name)(number)
        return _DONE

    return run


def _device(fields: Document) -> Document:
    sizes = _each("WORK_ITEM_SIZE", fields["max_work_item_sizes"])
    known = {_DEVICE[name]: value for name, value in fields.items() if name in _DEVICE}
    return known | {"CL_DEVICE_MAX_WORK_ITEM_SIZES": sizes}


def _context(fields: Document) -> Document:
    devices = fields["devices"]
    return {
        "CL_CONTEXT_NUM_DEVICES": len(devices),
        "ListDevices": _each("Device", devices),
        "ListContextProperties": [],
        "References": fields["references"],
    }


def _buffer(fields: Document) -> Document:
    return {
        "Context": fields["context"],
        "MEM_SIZE": fields["size"],
        "BufferProperties": [],
        "References": fields["references"],
    }


def _program(fields: Document) -> Document:
    return {"Context": fields["context"], "References": fields["references"]}


def _kernel(fields: Document) -> Document:
    return {
        "Program": fields["program"],
        "KernelFunctionName": fields["name"],
        "References": fields["references"],
    }


def _queue(fields: Document) -> Document:
    bits = fields["properties"]
    return {
        "Context": fields["context"],
        "Device": fields["device"],
        "ListQueueProperties": [name for name, bit in schemas.PROPERTIES.items() if bits & bit],
        "References": fields["references"],
    }


_FIELDS: dict[str, typing.Callable[[Document], Document]] = {
    "devices": _device,
    "contexts": _context,
    "buffers": _buffer,
    "programs": _program,
    "kernels": _kernel,
    "queues": _queue,
}

# Of one


def create_context(session: Session, _: int, body: Document) -> Document:
    """Make a context."""
    return _created(session.contexts.create(_of_each("Device", body["Devices"])))


def create_buffer(session: Session, _: int, body: Document) -> Document:
    """Make a buffer."""
    return _created(session.buffers.create(body["Context"], body["MEM_SIZE"]))


def create_program(session: Session, _: int, body: Document) -> Document:
    """Make a program of its source."""
    strings = [one["ProgramString"] for one in body["ListProgramStrings"]]
    return _created(session.programs.create(body["Context"], strings))


def build(session: Session, number: int, body: Document) -> Document:
    """Build a program; the answer comes when it is built."""
    devices = _of_each("Device", body["ListDevices"])
    session.programs.build(number, devices, body.get("CompileOptions", ""))
    return _DONE


def buildinfo(session: Session, number: int, body: Document) -> Document:
    """Give status or log of a build."""
    name = body["ParamName"].removeprefix("CL_PROGRAM_BUILD_")
    value = session.programs.buildinfo(number, body["Device"], name)
    return {"BuildInfoResp": {"ParamData": value} | _DONE}


def create_kernel(session: Session, _: int, body: Document) -> Document:
    """Make a kernel."""
    return _created(session.kernels.create(body["Program"], body["KernelName"]))


def setkernelarg(session: Session, number: int, body: Document) -> Document:
    """Set an argument of a kernel."""
    argument: DeviceMemoryObject | LocalMemory | HostValue
    if "DeviceMemoryObject" in body:
        argument = DeviceMemoryObject(body["DeviceMemoryObject"])
    elif "LocalMemory" in body:
        argument = LocalMemory(body["LocalMemory"])
    else:
        value = content(body["HostValue"])
        argument = HostValue(base64.b64encode(value).decode())
    session.kernels.setkernelarg(number, body["ArgIndex"], argument)
    return _DONE


def create_queue(session: Session, _: int, body: Document) -> Document:
    """Make a queue."""
    names = body.get("ListQueueProperties", [])
    properties = sum(bit for name, bit in schemas.PROPERTIES.items() if name in names)
    return _created(session.queues.create(body["Context"], body["Device"], properties))


def read(session: Session, number: int, body: Document) -> Document:
    """Read from a buffer, and wait for that."""
    data = session.queues.enqueue_read(
        number, body["Buffer"], body.get("Offset", 0), body["ByteCount"], _waits(body)
    )
    return {"ReadBufferResp": {"Data": base64.b64encode(data).decode()} | _DONE}


def write(session: Session, number: int, body: Document) -> Document:
    """Write to a buffer."""
    data = content(body["Data"])
    if body.get("ByteCount", len(data)) != len(data):
        raise Refusal(400, f"ByteCount is {body['ByteCount']}, and Data has {len(data)} bytes")
    event = session.queues.enqueue_write(
        number, body["Buffer"], body.get("Offset", 0), data, _waits(body)
    )
    return _enqueued(session, event, body)


def copy(session: Session, number: int, body: Document) -> Document:
    """Copy from one buffer to another."""
    part = (body.get("SourceOffset", 0), body.get("DestinationOffset", 0), body["ByteCount"])
    event = session.queues.enqueue_copy(
        number, body["SourceBuffer"], body["DestinationBuffer"], part, _waits(body)
    )
    return _enqueued(session, event, body)


def ndrange(session: Session, number: int, body: Document) -> Document:
    """Run a kernel."""
    names = ("GlobalWorkSize", "LocalWorkSize", "GlobalWorkOffset")
    sizes, local, offset = (_of_each("Size", body.get(name, [])) for name in names)
    for name, one in zip(names, (sizes, local, offset), strict=True):
        if one and len(one) != len(sizes):
            raise Refusal(400, f"{name} has {len(one)} sizes, and GlobalWorkSize {len(sizes)}")
    event = session.queues.enqueue_ndrange(
        number, body["Kernel"], sizes, local or None, offset or None, _waits(body)
    )
    return _enqueued(session, event, body)


def task(session: Session, number: int, body: Document) -> Document:
    """Run a kernel once."""
    event = session.queues.enqueue_task(number, body["Kernel"], _waits(body))
    return _enqueued(session, event, body)


def barrier(session: Session, number: int, body: Document) -> Document:
    """Have later commands wait for earlier ones."""
    return _enqueued(session, session.queues.enqueue_barrier(number, _waits(body)), body)


def finish(session: Session, number: int, _: Document) -> Document:
    """Wait for all commands of a queue."""
    session.queues.finish(number)
    return _DONE


def _waits(body: Document) -> list[int]:
    return typing.cast(list[int], body.get("EventWaitList", []))


def _enqueued(session: Session, event: int, body: Document) -> Document:
    """The answer of a command; its event is kept only for whoever asks for it."""
    if body.get("Event"):
        return _DONE | {"Event": event}
    session.queues.forget(event)
    return _DONE


# Events: not of the original, which took them and did nothing with them


def show_event(session: Session, number: int, _: Document) -> Document:
    """Give the status of a command."""
    return {"Event": {"id": number, "Status": session.queues.status(number)} | _DONE}


def release_event(session: Session, number: int, _: Document) -> Document:
    """Give an event up."""
    session.queues.forget(number)
    return _DONE
