# SPDX-License-Identifier: Apache-2.0
"""The program that holds a network."""

import io
import os
import subprocess
import tarfile
import time

import pytest

from novadocker.network import pause

# Linux kills with -SIGKILL what waits, and with -SIGSEGV what cannot run.
_KILLED = -9


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the code is of another machine")
def test_the_program_waits_until_it_is_killed(tmp_path):
    path = tmp_path / "pause"
    path.write_bytes(pause.program("x86_64"))
    path.chmod(0o755)
    process = subprocess.Popen([path])
    time.sleep(0.1)
    assert process.poll() is None
    process.kill()
    assert process.wait(5) == _KILLED


@pytest.mark.parametrize(("machine", "size"), [("x86_64", 129), ("aarch64", 152)])
def test_the_program_is_small_and_complete(machine, size):
    content = pause.program(machine)
    assert len(content) == size
    assert content[:4] == b"\x7fELF"
    # p_filesz and p_memsz of the one segment are the size of the file.
    assert int.from_bytes(content[96:104], "little") == size
    assert int.from_bytes(content[104:112], "little") == size


def test_another_machine_has_none():
    with pytest.raises(pause.MachineError, match="riscv64: x86_64, aarch64 do"):
        pause.program("riscv64")


def test_the_archive_has_the_program_alone():
    with tarfile.open(fileobj=io.BytesIO(pause.archive("x86_64"))) as tar:
        (entry,) = tar.getmembers()
    assert (entry.name, entry.mode, entry.size) == ("pause", 0o755, 129)
