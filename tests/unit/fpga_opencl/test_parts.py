# SPDX-License-Identifier: Apache-2.0
"""Devices that are parts of others: what a client may say of them, and what it may not."""

import struct
import typing

import pytest

from fpga_opencl.client import OpenCLError
from fpga_opencl.protocol import codes, table
from tests.unit.fpga_opencl.conftest import Desk

EQUALLY = 0x1086  # CL_DEVICE_PARTITION_EQUALLY
UNITS = 0x1002  # CL_DEVICE_MAX_COMPUTE_UNITS


def _connection(work: Desk) -> typing.Any:
    return typing.cast(typing.Any, work.session)._connection


def _divide(work: Desk, names: list[int], properties: list[int], count: int | None = None) -> int:
    """How many parts there are."""
    tail = struct.pack(f"<{len(names + properties)}Q", *names, *properties)
    number = len(names) if count is None else count
    reply = _connection(work).call("create_sub_devices", work.device, number, 0, tail=tail)
    return int(struct.unpack("<I", reply)[0])


def _release(work: Desk, number: int) -> None:
    _connection(work).call("release", table.KINDS["device"], 0, number)


def _units(work: Desk, number: int) -> int:
    reply = _connection(work).call("query", table.QUERIES["device"], UNITS, number, 0)
    return int(struct.unpack("<I", reply)[0])


@pytest.fixture
def names(work: Desk) -> list[int]:
    """Numbers for as many parts as there may be."""
    if (count := _units(work, work.device)) < 2:
        pytest.skip("a device of one unit has no parts")
    return list(range(7001, 7001 + count))


def test_device_is_divided(work: Desk, names: list[int]) -> None:
    assert _divide(work, [], [EQUALLY, 1, 0]) == len(names)
    assert _divide(work, names, [EQUALLY, 1, 0]) == len(names)
    assert [_units(work, name) for name in names] == [1] * len(names)
    for name in names:
        _release(work, name)
        with pytest.raises(OpenCLError, match="CL_INVALID_DEVICE"):
            _units(work, name)


def test_context_keeps_a_part_that_was_released(work: Desk, names: list[int]) -> None:
    _divide(work, names, [EQUALLY, 1, 0])
    context = work.session.contexts.create([names[0]])
    queue = work.session.queues.create(context, names[0])
    for name in names:
        _release(work, name)
    buffer = work.session.buffers.create(context, 4)
    work.session.queues.enqueue_write(queue, buffer, 0, b"part")
    assert work.session.queues.enqueue_read(queue, buffer, 0, 4) == b"part"


@pytest.mark.parametrize(
    ("properties", "more"),
    [
        ([EQUALLY, 1], {}),
        ([], {}),
        ([EQUALLY, 0, 0], {}),
        ([EQUALLY, 2**32 + 1, 0], {}),
        ([0x1087, 2**32 - 1, 2, 0], {}),
        ([0], {}),
        ([EQUALLY, 1, 0], {"names": [7001, 7001]}),
        ([EQUALLY, 1, 0], {"names": [0]}),
        ([EQUALLY, 1, 0], {"names": [7001], "count": 2**32 - 1}),
    ],
)
def test_what_divides_nothing_is_refused(
    work: Desk, properties: list[int], more: dict[str, typing.Any]
) -> None:
    with pytest.raises(OpenCLError) as caught:
        _divide(work, more.get("names", []), properties, more.get("count"))
    assert caught.value.code == codes.INVALID_VALUE


def test_number_of_another_device_is_refused(work: Desk) -> None:
    with pytest.raises(OpenCLError, match="CL_INVALID_VALUE"):
        _divide(work, [work.device], [EQUALLY, 1, 0])


def test_device_of_the_host_cannot_be_released(work: Desk) -> None:
    with pytest.raises(OpenCLError, match="CL_INVALID_DEVICE"):
        _release(work, work.device)
    assert _units(work, work.device)
