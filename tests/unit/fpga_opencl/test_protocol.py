# SPDX-License-Identifier: Apache-2.0
"""One table has all messages; what is made of it agrees."""

import re
import subprocess
from pathlib import Path

import pytest

from fpga_opencl.node import worker
from fpga_opencl.protocol import generate, table
from tests.support import opencl


def test_numbers_are_those_of_one_message_each() -> None:
    assert len(table.BY_NUMBER) == len(table.MESSAGES)
    assert set(worker.HANDLERS) == set(table.BY_NUMBER)


def test_headers_have_16_bytes() -> None:
    assert (table.REQUEST.size, table.REPLY.size) == (16, 16)


def test_commands_begin_with_what_all_of_them_have() -> None:
    for message in table.MESSAGES.values():
        begins = [field.name for field in message.fields[:4]]
        assert (begins == ["queue", "event", "waits", "blocking"]) == message.command


@pytest.mark.parametrize("line", ["queue", "queue:u63", "queue:u64[x]", "a b:u64"])
def test_what_is_no_field_is_refused(line: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        table.packing(table.layout([line]))


def test_c_and_python_agree_on_every_offset(tmp_path: Path) -> None:
    lines = [
        "#include <stdio.h>",
        "#include <stddef.h>",
        '#include "protocol.h"',
        "int main(void) {",
    ]
    expected = []
    for name, message in table.MESSAGES.items():
        for field in message.fields:
            place = f"offsetof(struct {name}_message, {field.name})"
            lines.append(f'printf("%zu ", {place});')
            expected.append(field.offset)
        if message.fields:
            lines.append(f'printf("%zu ", sizeof(struct {name}_message));')
            expected.append(message.struct.size)
    (tmp_path / "protocol.h").write_text(generate.header())
    (tmp_path / "offsets.c").write_text("\n".join([*lines, "}"]))
    program = str(tmp_path / "offsets")
    subprocess.run(["gcc", "-Wall", "-Werror", "-o", program, f"{program}.c"], check=True)
    answer = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    assert [int(word) for word in answer.split()] == expected


def test_documentation_has_the_tables_as_they_are() -> None:
    page = (opencl.ROOT / "docs/opencl-protocol.md").read_text()
    begin, end = "<!-- made of messages.toml -->\n", "<!-- end of what is made -->"
    assert re.search(f"{begin}(.*){end}", page, re.DOTALL), "the marks are gone"
    assert page.partition(begin)[2].partition(end)[0].strip() == generate.tables().strip()
