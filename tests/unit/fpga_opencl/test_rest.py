# SPDX-License-Identifier: Apache-2.0
"""Each of the 37 calls as a request, on a real node with pocl; none uses our client library."""

import dataclasses
import struct
import typing

import pytest

from fpga_opencl.rest import calls
from tests.support import opencl, opencl_afar
from tests.support.opencl_rest import Desk, encode
from tests.unit.fpga_opencl.conftest import SOURCE

COUNT = 16
NUMBERS = struct.pack(f"<{COUNT}i", *range(COUNT))
DONE = {"CL_ERROR_CODE": 0}


@pytest.fixture(scope="module")
def desk(cloud: opencl_afar.Cloud, serving: opencl.Node) -> Desk:
    """A session for all tests."""
    return Desk.open(cloud.place(), SOURCE)


def ints(content: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(content) // 4}i", content))


def scale(desk: Desk, factor: int = 3) -> tuple[int, int]:
    """A kernel that can run, and the buffer that it writes."""
    target, source = desk.buffer(bytes(len(NUMBERS))), desk.buffer(NUMBERS)
    value = {"HostValue": encode(struct.pack("<i", factor))}
    buffers = [{"DeviceMemoryObject": number} for number in (target, source)]
    return desk.kernel("scale", *buffers, value), target


def new(desk: Desk, resource: str) -> int:
    """A new object of a resource."""
    bodies = {
        "contexts": {"Devices": [{"Device": desk.device}], "Properties": []},
        "buffers": {"Context": desk.context, "MEM_SIZE": 64, "BufferProperties": []},
        "programs": {"Context": desk.context, "ListProgramStrings": [{"ProgramString": SOURCE}]},
        "kernels": {"Program": desk.program, "KernelName": "scale"},
        "queues": {"Context": desk.context, "Device": desk.device},
    }
    return desk.rest.create(resource, **bodies[resource])


def show(desk: Desk, resource: str, number: int) -> dict[str, typing.Any]:
    (answer,) = desk.rest.get(f"/os-opencl{resource}/{number}").values()
    return typing.cast(dict[str, typing.Any], answer)


def check_list(desk: Desk, resource: str) -> None:
    number = desk.device if resource == "devices" else new(desk, resource)
    answer = desk.rest.get(f"/os-opencl{resource}")
    assert {"id": number} in answer[resource.capitalize()]


def check_show(desk: Desk, resource: str) -> None:
    fields = {
        "contexts": {"ListDevices": [{"Device": desk.device}], "CL_CONTEXT_NUM_DEVICES": 1},
        "buffers": {"Context": desk.context, "MEM_SIZE": 64},
        "programs": {"Context": desk.context},
        "kernels": {"Program": desk.program, "KernelFunctionName": "scale"},
        "queues": {"Context": desk.context, "Device": desk.device, "ListQueueProperties": []},
    }[resource]
    number = new(desk, resource)
    expected = {"id": number, "References": 1} | DONE | fields
    assert show(desk, resource, number).items() >= expected.items()
    assert desk.rest.ask("GET", f"/os-opencl{resource}/99999")[0] == 404


def check_create(desk: Desk, resource: str) -> None:
    assert new(desk, resource) != new(desk, resource)
    status, answer = desk.rest.ask("POST", f"/os-opencl{resource}", {"Colour": 1})
    assert (status, list(answer)) == (400, ["error"])


def check_retain(desk: Desk, resource: str) -> None:
    number = new(desk, resource)
    assert desk.rest.post(f"/os-opencl{resource}/{number}/retain") == DONE
    assert show(desk, resource, number)["References"] == 2


def check_release(desk: Desk, resource: str) -> None:
    number = new(desk, resource)
    path = f"/os-opencl{resource}/{number}/release"
    assert desk.rest.post(path) == DONE
    assert {"id": number} not in desk.rest.get(f"/os-opencl{resource}")[resource.capitalize()]
    assert desk.rest.ask("POST", path)[0] == 404


def check_devices_show(desk: Desk) -> None:
    fields = desk.rest.get(f"/os-opencldevices/{desk.device}")["Device"]
    assert fields["CL_DEVICE_NAME"]
    assert fields["CL_DEVICE_GLOBAL_MEM_SIZE"] > 0
    assert len(fields["CL_DEVICE_MAX_WORK_ITEM_SIZES"]) == 3
    assert len(fields) == 16
    assert desk.rest.ask("GET", "/os-opencldevices/99")[0] == 404


def build(desk: Desk, source: str, options: str) -> tuple[int, int]:
    """A program, and the status of the request that builds it."""
    number = desk.rest.create(
        "programs", Context=desk.context, ListProgramStrings=[{"ProgramString": source}]
    )
    body = {"ListDevices": [{"Device": desk.device}], "CompileOptions": options}
    return number, desk.rest.ask("POST", f"/os-openclprograms/{number}/build", body)[0]


def check_build(desk: Desk) -> None:
    source = "kernel void f(global int *a) { *a = FACTOR; }"
    assert build(desk, source, "-DFACTOR=2")[1] == 200
    assert build(desk, source, "")[1] == 409


def check_buildinfo(desk: Desk) -> None:
    number, _ = build(desk, "kernel void f() { nonsense; }", "")
    path, found = f"/os-openclprograms/{number}/buildinfo", []
    for name in ("CL_PROGRAM_BUILD_STATUS", "CL_PROGRAM_BUILD_LOG"):
        answer = desk.rest.post(path, Device=desk.device, ParamName=name)
        found.append(answer["BuildInfoResp"]["ParamData"])
    assert found[0] == -2
    assert "nonsense" in found[1]


def check_setkernelarg(desk: Desk) -> None:
    target, source = desk.buffer(bytes(4)), desk.buffer(NUMBERS)
    buffers = [{"DeviceMemoryObject": number} for number in (target, source)]
    kernel = desk.kernel("total", *buffers, {"LocalMemory": 4 * COUNT})
    sizes = [{"Size": COUNT}]
    desk.command("enqueuendrangekernel", Kernel=kernel, GlobalWorkSize=sizes, LocalWorkSize=sizes)
    assert ints(desk.read(target, 4)) == [sum(range(COUNT))]
    path = f"/os-openclkernels/{kernel}/setkernelarg"
    status, answer = desk.rest.ask("POST", path, {"ArgIndex": 0, "DeviceMemoryObject": 99999})
    assert (status, answer["CL_ERROR_CODE"]) == (409, -38)
    assert desk.rest.ask("POST", path, {"ArgIndex": 0})[0] == 400


def check_read(desk: Desk) -> None:
    number = desk.buffer(NUMBERS)
    assert ints(desk.read(number, 8, Offset=8)) == [2, 3]
    path = f"/os-openclqueues/{desk.queue}/enqueuereadbuffer"
    status, answer = desk.rest.ask("POST", path, {"Buffer": number, "ByteCount": 65})
    assert (status, answer["CL_ERROR_CODE"]) == (409, -30)


def check_write(desk: Desk) -> None:
    number = desk.buffer(bytes(len(NUMBERS)))
    text = encode(NUMBERS[:8])
    body = {"Buffer": number, "Data": f"{text[:4]}\n{text[4:]}\n", "Offset": 4, "ByteCount": 8}
    assert desk.command("enqueuewritebuffer", **body) == DONE
    assert ints(desk.read(number, 16)) == [0, 0, 1, 0]
    for wrong in ({"ByteCount": 9}, {"Data": "*"}, {"Data": "é"}):
        path = f"/os-openclqueues/{desk.queue}/enqueuewritebuffer"
        assert desk.rest.ask("POST", path, body | wrong)[0] == 400


def check_copy(desk: Desk) -> None:
    source, target = desk.buffer(NUMBERS), desk.buffer(bytes(len(NUMBERS)))
    body = {"SourceBuffer": source, "DestinationBuffer": target, "ByteCount": 12}
    desk.command("enqueuecopybuffer", SourceOffset=4, DestinationOffset=8, **body)
    assert ints(desk.read(target, 24)) == [0, 0, 1, 2, 3, 0]


def check_ndrange(desk: Desk) -> None:
    kernel, target = scale(desk)
    offset, sizes = [{"Size": 2}], [{"Size": 4}]
    body = {"Kernel": kernel, "GlobalWorkSize": sizes, "GlobalWorkOffset": offset}
    assert desk.command("enqueuendrangekernel", LocalWorkSize=[], **body) == DONE
    assert ints(desk.read(target, 28)) == [0, 0, 6, 9, 12, 15, 0]
    path = f"/os-openclqueues/{desk.queue}/enqueuendrangekernel"
    assert desk.rest.ask("POST", path, body | {"LocalWorkSize": sizes * 2})[0] == 400


def check_task(desk: Desk) -> None:
    kernel, target = scale(desk)
    desk.command("enqueuewritebuffer", Buffer=target, Data=encode(b"\7\0\0\0" * 2))
    assert desk.command("enqueuetask", Kernel=kernel) == DONE
    assert ints(desk.read(target, 8)) == [0, 7]


def check_barrier(desk: Desk) -> None:
    name = "CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE"
    body = {"Context": desk.context, "Device": desk.device, "ListQueueProperties": [name]}
    other = dataclasses.replace(desk, queue=desk.rest.create("queues", **body))
    assert show(desk, "queues", other.queue)["ListQueueProperties"] == [name]
    kernel, target = scale(desk)
    other.command("enqueuendrangekernel", Kernel=kernel, GlobalWorkSize=[{"Size": COUNT}])
    assert other.command("enqueuebarrier") == DONE
    assert ints(other.read(target, 8)) == [0, 3]


def check_finish(desk: Desk) -> None:
    source = 'kernel void speak() { printf("a word\\n"); }'
    spoken = Desk.open(desk.rest.place, source)
    kernel = spoken.kernel("speak")
    spoken.command("enqueuetask", Kernel=kernel)
    assert spoken.command("finish") == DONE | {"Output": "a word\n"}
    spoken.rest.close()
    assert desk.command("finish") == DONE
    assert desk.rest.ask("POST", "/os-openclqueues/99999/finish")[0] == 404


def check_event(desk: Desk) -> None:
    kernel, target = scale(desk)
    sizes = [{"Size": COUNT}]
    body = {"Kernel": kernel, "GlobalWorkSize": sizes, "Event": True}
    event = desk.command("enqueuendrangekernel", **body)["Event"]
    assert ints(desk.read(target, 8, EventWaitList=[event])) == [0, 3]
    assert desk.rest.get(f"/os-openclevents/{event}")["Event"] == {"id": event, "Status": 0} | DONE
    assert desk.rest.post(f"/os-openclevents/{event}/release") == DONE
    status, answer = desk.rest.ask("GET", f"/os-openclevents/{event}")
    assert (status, answer["CL_ERROR_CODE"]) == (409, -58)


CASES: dict[str, typing.Callable[[Desk], None]] = {
    "devices.show": check_devices_show,
    "programs.build": check_build,
    "programs.buildinfo": check_buildinfo,
    "kernels.setkernelarg": check_setkernelarg,
    "queues.enqueue_read": check_read,
    "queues.enqueue_write": check_write,
    "queues.enqueue_copy": check_copy,
    "queues.enqueue_ndrange": check_ndrange,
    "queues.enqueue_task": check_task,
    "queues.enqueue_barrier": check_barrier,
    "queues.finish": check_finish,
    "events.show": check_event,
    "events.release": check_event,
}
#: Those that several resources have.
COMMON: dict[str, typing.Callable[[Desk, str], None]] = {
    "list": check_list,
    "show": check_show,
    "create": check_create,
    "retain": check_retain,
    "release": check_release,
}


@pytest.mark.parametrize("call", [*calls.CALLS, *calls.EVENTS], ids=lambda call: call.id)
def test_call(desk: Desk, call: calls.Call) -> None:
    desk.rest.used.clear()
    if call.id in CASES:
        CASES[call.id](desk)
    else:
        COMMON[call.name](desk, call.resource)
    assert (call.method, call.path) in desk.rest.used
