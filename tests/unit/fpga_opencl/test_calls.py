# SPDX-License-Identifier: Apache-2.0
"""The 37 calls of the original, against a real implementation of OpenCL."""

import base64
import struct
import typing

import pytest

from fpga_opencl.client import OpenCLError
from fpga_opencl.client.resources import DeviceMemoryObject, HostValue, LocalMemory
from fpga_opencl.protocol import codes
from tests.unit.fpga_opencl.conftest import Desk

COUNT = 64
NUMBERS = struct.pack(f"<{COUNT}i", *range(COUNT))


def ints(content: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(content) // 4}i", content))


def value(number: int) -> HostValue:
    return HostValue(base64.b64encode(struct.pack("<i", number)).decode())


@pytest.fixture
def scale(work: Desk) -> typing.Iterator[tuple[int, int]]:
    """A kernel whose arguments are set, and its output."""
    kernels = work.session.kernels
    kernel = kernels.create(work.program, "scale")
    source, target = work.buffer(NUMBERS), work.buffer(bytes(len(NUMBERS)))
    kernels.setkernelarg(kernel, 0, DeviceMemoryObject(target))
    kernels.setkernelarg(kernel, 1, DeviceMemoryObject(source))
    kernels.setkernelarg(kernel, 2, value(3))
    yield kernel, target
    for resource, number in (
        (kernels, kernel),
        (work.session.buffers, source),
        (work.session.buffers, target),
    ):
        resource.release(number)


def test_devices(work: Desk) -> None:
    assert work.session.devices.list() == [work.device]
    fields = work.session.devices.show(work.device)
    assert len(fields) == 14
    assert len(fields["max_work_item_sizes"]) == fields["max_work_item_dimensions"]
    assert fields["name"]
    assert int(fields["global_memory"]) > 0


def test_device_that_is_not_there(work: Desk) -> None:
    with pytest.raises(OpenCLError, match="CL_INVALID_DEVICE"):
        work.session.devices.show(99)


@pytest.mark.parametrize("resource", ["contexts", "buffers", "programs", "kernels", "queues"])
def test_list_show_retain_and_release(work: Desk, resource: str) -> None:
    objects = getattr(work.session, resource)
    arguments = {
        "contexts": ([work.device],),
        "buffers": (work.context, 64),
        "programs": (work.context, ["kernel void f() {}"]),
        "kernels": (work.program, "scale"),
        "queues": (work.context, work.device),
    }[resource]
    number = objects.create(*arguments)
    assert number in objects.list()
    assert objects.show(number)["references"] == 1
    objects.retain(number)
    assert objects.show(number)["references"] == 2
    objects.release(number)
    objects.release(number)
    assert number not in objects.list()
    for call in (objects.show, objects.retain, objects.release):
        with pytest.raises(OpenCLError):
            call(number)


def test_what_cannot_be_created(work: Desk) -> None:
    for call, code in (
        (lambda: work.session.contexts.create([99]), codes.INVALID_DEVICE),
        (lambda: work.session.contexts.create([]), codes.INVALID_VALUE),
        (lambda: work.session.buffers.create(99, 64), codes.INVALID_CONTEXT),
        (lambda: work.session.queues.create(work.context, 99), codes.INVALID_DEVICE),
        (lambda: work.session.kernels.create(work.program, "nothing"), -46),
    ):
        with pytest.raises(OpenCLError) as caught:
            call()
        assert caught.value.code == code


def test_build_and_buildinfo(work: Desk) -> None:
    programs = work.session.programs
    number = programs.create(work.context, ["kernel void f(global int *a) ", "{ *a = FACTOR; }"])
    programs.build(number, [work.device], "-DFACTOR=2")
    assert programs.buildinfo(number, work.device, "STATUS") == 0
    with pytest.raises(OpenCLError, match="CL_INVALID_VALUE"):
        programs.buildinfo(number, work.device, "COLOUR")


def test_build_that_fails_says_why(work: Desk) -> None:
    programs = work.session.programs
    number = programs.create(work.context, ["kernel void f() { nonsense; }"])
    with pytest.raises(OpenCLError):
        programs.build(number, [work.device])
    assert programs.buildinfo(number, work.device, "STATUS") == -2
    assert "nonsense" in str(programs.buildinfo(number, work.device, "LOG"))


def test_write_ndrange_finish_and_read(work: Desk, scale: tuple[int, int]) -> None:
    queues = work.session.queues
    queues.enqueue_ndrange(work.queue, scale[0], [COUNT])
    queues.finish(work.queue)
    answer = queues.enqueue_read(work.queue, scale[1], 0, len(NUMBERS))
    assert ints(answer) == [3 * number for number in range(COUNT)]


def test_task_runs_once(work: Desk, scale: tuple[int, int]) -> None:
    work.session.queues.enqueue_write(work.queue, scale[1], 0, bytes(len(NUMBERS)))
    work.session.kernels.setkernelarg(scale[0], 1, DeviceMemoryObject(work.buffer(b"\1\0\0\0" * 9)))
    work.session.queues.enqueue_task(work.queue, scale[0])
    answer = work.session.queues.enqueue_read(work.queue, scale[1], 0, 12)
    assert ints(answer) == [3, 0, 0]


def test_local_memory(work: Desk) -> None:
    kernels, queues = work.session.kernels, work.session.queues
    kernel, target = kernels.create(work.program, "total"), work.buffer(bytes(8))
    kernels.setkernelarg(kernel, 0, DeviceMemoryObject(target))
    kernels.setkernelarg(kernel, 1, DeviceMemoryObject(work.buffer(NUMBERS)))
    kernels.setkernelarg(kernel, 2, LocalMemory(4 * COUNT // 2))
    queues.enqueue_ndrange(work.queue, kernel, [COUNT], [COUNT // 2])
    answer = ints(queues.enqueue_read(work.queue, target, 0, 8))
    assert answer == [sum(range(COUNT // 2)), sum(range(COUNT // 2, COUNT))]


def test_copy_and_barrier(work: Desk) -> None:
    queues = work.session.queues
    source, target = work.buffer(NUMBERS), work.buffer(bytes(len(NUMBERS)))
    queues.enqueue_copy(work.queue, source, target, (4, 8, 12))
    queues.enqueue_barrier(work.queue)
    answer = queues.enqueue_read(work.queue, target, 0, 24)
    assert ints(answer) == [0, 0, 1, 2, 3, 0]


@pytest.mark.parametrize("size", [1, 4096, 65536, 3 << 20])
def test_content_comes_back_as_it_went(work: Desk, size: int) -> None:
    content = bytes(number * 31 % 251 for number in range(size))
    number = work.buffer(content)
    assert work.session.queues.enqueue_read(work.queue, number, 0, size) == content
    work.session.buffers.release(number)


@pytest.mark.parametrize(
    ("offset", "size"), [(0, 0), (0, 65), (64, 1), (1, 64), (2**64 - 1, 2), (0, 2**63)]
)
def test_reading_beyond_a_buffer_is_refused(work: Desk, offset: int, size: int) -> None:
    number = work.session.buffers.create(work.context, 64)
    with pytest.raises(OpenCLError, match="CL_INVALID_VALUE"):
        work.session.queues.enqueue_read(work.queue, number, offset, size)
    with pytest.raises(OpenCLError, match="CL_INVALID_VALUE"):
        work.session.queues.enqueue_write(work.queue, number, 60, bytes(5))


@pytest.mark.parametrize(
    ("index", "argument", "code"),
    [
        (0, value(1), codes.INVALID_ARG_VALUE),
        (0, HostValue(base64.b64encode(b"pointers").decode()), codes.INVALID_ARG_VALUE),
        (0, DeviceMemoryObject(12345), codes.INVALID_MEM_OBJECT),
        (0, LocalMemory(8), codes.INVALID_ARG_VALUE),
        (2, DeviceMemoryObject(1), codes.INVALID_ARG_VALUE),
        (2, HostValue("AAAAAAAAAAA="), codes.INVALID_ARG_SIZE),
        (2, HostValue("*"), codes.INVALID_ARG_VALUE),
        (3, value(1), codes.INVALID_ARG_INDEX),
    ],
)
def test_argument_of_another_kind_is_refused(
    work: Desk, index: int, argument: typing.Any, code: int
) -> None:
    kernel = work.session.kernels.create(work.program, "scale")
    with pytest.raises(OpenCLError) as caught:
        work.session.kernels.setkernelarg(kernel, index, argument)
    assert caught.value.code == code


def test_kernel_does_not_run_after_an_argument_failed(work: Desk, scale: tuple[int, int]) -> None:
    kernels, queues = work.session.kernels, work.session.queues
    with pytest.raises(OpenCLError):
        kernels.setkernelarg(scale[0], 0, value(1))
    with pytest.raises(OpenCLError, match="CL_INVALID_KERNEL_ARGS"):
        queues.enqueue_ndrange(work.queue, scale[0], [COUNT])
    kernels.setkernelarg(scale[0], 0, DeviceMemoryObject(scale[1]))
    queues.enqueue_ndrange(work.queue, scale[0], [COUNT])


def test_kernel_runs_on_a_buffer_that_was_released_after_it_was_set(work: Desk) -> None:
    kernels, queues = work.session.kernels, work.session.queues
    kernel = kernels.create(work.program, "scale")
    source, target = work.buffer(NUMBERS), work.buffer(bytes(len(NUMBERS)))
    for index, one in enumerate((target, source)):
        kernels.setkernelarg(kernel, index, DeviceMemoryObject(one))
        work.session.buffers.release(one)
    kernels.setkernelarg(kernel, 2, value(2))
    queues.enqueue_ndrange(work.queue, kernel, [COUNT])
    queues.finish(work.queue)


def test_commands_wait_for_events(work: Desk, scale: tuple[int, int]) -> None:
    queues = work.session.queues
    other = queues.create(work.context, work.device)
    event = queues.enqueue_ndrange(work.queue, scale[0], [COUNT])
    answer = queues.enqueue_read(other, scale[1], 0, 8, waits=[event])
    assert ints(answer) == [0, 3]
    assert queues.status(event) == 0
    queues.forget(event)
    with pytest.raises(OpenCLError, match="CL_INVALID_EVENT"):
        queues.status(event)


def test_event_that_is_not_there_is_refused(work: Desk) -> None:
    number = work.session.buffers.create(work.context, 64)
    with pytest.raises(OpenCLError, match="CL_INVALID_EVENT"):
        work.session.queues.enqueue_read(work.queue, number, 0, 4, waits=[424242])
