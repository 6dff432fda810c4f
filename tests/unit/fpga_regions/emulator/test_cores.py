# SPDX-License-Identifier: Apache-2.0
"""The cores that ship, as bitstreams, against libraries that have nothing to do with them."""

import hashlib
import pathlib
import subprocess
import typing
import zlib

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import bitstreams
from tests.support.host import talk
from tests.unit.fpga_regions.emulator.conftest import Board

#: Inputs with runs, and without.
INPUTS = st.one_of(
    st.binary(max_size=300),
    st.lists(
        st.tuples(st.sampled_from(b"ab\0\xff"), st.integers(1, 140)).map(
            lambda run: bytes([run[0]]) * run[1]
        ),
        max_size=12,
    ).map(b"".join),
)


def expanded(data: bytes) -> bytes:
    """What PackBits stands for (TIFF 6.0, section 9)."""
    output = bytearray()
    source = iter(data)
    for head in source:
        if head < 128:
            output += bytes(next(source) for _ in range(head + 1))
        elif head > 128:
            output += bytes([next(source)]) * (257 - head)
    return bytes(output)


@pytest.fixture(
    scope="module",
    params=[("hx1k", "icarus"), ("hx8k", "icarus"), ("hx1k", "verilator")],
    ids="-".join,
)
def small(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[tuple[Board, str]]:
    """A region of a part, simulated by an engine."""
    part, engine = request.param
    board = Board(tmp_path_factory.mktemp("small"), engine)
    yield board, part
    board.close()


def check(path: str, right: typing.Callable[[bytes, bytes], bool], examples: int) -> None:
    """Send random input, and see that each answer is right."""

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # to look for a smaller input takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(INPUTS)
    def any_input(data: bytes) -> None:
        assert right(data, talk(path, data))

    any_input()


def test_crc32_is_that_of_zlib(small: tuple[Board, str]) -> None:
    board, part = small
    path = board.program("crc32", part)
    check(path, lambda data, answer: answer == zlib.crc32(data).to_bytes(4, "big"), 60)


def test_crc32_of_the_check_string_is_the_one_that_is_published(small: tuple[Board, str]) -> None:
    board, part = small
    assert talk(board.program("crc32", part), b"123456789").hex() == "cbf43926"


def test_packbits_expands_to_the_input(small: tuple[Board, str]) -> None:
    board, part = small
    path = board.program("packbits", part)
    check(path, lambda data, answer: expanded(answer) == data, 60)


def test_packbits_expands_to_runs_of_any_length(small: tuple[Board, str]) -> None:
    board, part = small
    path = board.program("packbits", part)
    for size in (0, 1, 2, 3, 127, 128, 129, 300):
        data = b"a" * size + b"bc" * 9
        assert expanded(talk(path, data)) == data


def test_packbits_shortens_runs_and_hardly_lengthens_the_rest(small: tuple[Board, str]) -> None:
    board, part = small
    path = board.program("packbits", part)
    assert len(talk(path, b"\0" * 1280)) == 20
    assert len(talk(path, bytes(range(160)))) == 170


@pytest.fixture(scope="module")
def sha256(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[str]:
    """The socket of a region with the SHA-256 core."""
    board = Board(tmp_path_factory.mktemp("sha256"))
    yield board.program("sha256", "hx8k")
    board.close()


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ],
    ids=["empty", "one block", "two blocks"],
)
def test_sha256_gives_the_published_digests(sha256: str, data: bytes, digest: str) -> None:
    assert talk(sha256, data).hex() == digest


@pytest.mark.parametrize("size", [55, 56, 63, 64, 119, 120])
def test_sha256_pads_at_the_ends_of_blocks(sha256: str, size: int) -> None:
    assert talk(sha256, b"x" * size) == hashlib.sha256(b"x" * size).digest()


def test_sha256_is_that_of_hashlib(sha256: str) -> None:
    check(sha256, lambda data, answer: answer == hashlib.sha256(data).digest(), 8)


def test_recipe_makes_a_bitstream_that_works(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "made"
    out.mkdir()
    target = out / "crc32-hx1k.bin"
    make = ["make", "--no-print-directory", "-C", str(bitstreams.CORES), f"OUT={out}", str(target)]
    subprocess.run(make, check=True, capture_output=True)
    board = Board(tmp_path / "board")
    try:
        path = board.program("crc32", content=target.read_bytes())
        assert talk(path, b"123456789").hex() == "cbf43926"
    finally:
        board.close()
