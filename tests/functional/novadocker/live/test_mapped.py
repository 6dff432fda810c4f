# SPDX-License-Identifier: Apache-2.0
"""Servers of a live image with mapped memory share its pages until they write to them."""

import hashlib
import pathlib
import shutil

import pytest

from novadocker import errors
from tests.support import warm

_MEGABYTES, _BYTES = 48, 48_000_000
_CLONES = 4
#: MiB of a flavor.
_MEMORY = 256


@pytest.fixture(scope="session")
def program():
    """The image of a server with a table in memory."""
    return warm.image(warm.root(pathlib.Path(shutil.which("busybox", path="/bin:/usr/bin"))))


@pytest.fixture
def source(blesser, glance, program):
    """A server that is warm."""
    properties = {"os_command_line": " ".join(warm.command(_MEGABYTES))}
    instance = blesser.boot(glance.add(program, properties=properties), memory=_MEMORY)
    warm.ask(_process(blesser, instance), "look")
    return instance


def _process(blesser, instance):
    """The program of a server, by its number on the host: its init starts it."""
    return max(warm.processes(blesser.servers.container(instance)))


def _launch(blesser, image_id):
    """A server of an image."""
    return blesser.launch(image_id, memory=_MEMORY)


def _digests(process, areas):
    """What memory has at some addresses."""
    return [hashlib.sha256(warm.read(process, a, b - a)).hexdigest() for a, b in areas]


def _shared(process):
    """Bytes of the image's memory that a process has in common with others."""
    found, inside = 0, False
    for line in pathlib.Path(f"/proc/{process}/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            inside = "/.fpga-live/" in line
        elif inside and line.startswith("Shared_Clean:"):
            found += int(line.split()[1]) << 10
    return found


@pytest.mark.parametrize("memory", ["mapped", "copied"])
def test_clones_have_the_same_pages_and_share_them_if_they_are_mapped(blesser, source, memory):
    process = _process(blesser, source)
    areas = warm.areas(process)
    assert sum(end - start for start, end in areas) >= _BYTES
    expected = _digests(process, areas)
    image_id = blesser.bless(source, live_memory=memory)
    clones = [_process(blesser, _launch(blesser, image_id)) for _ in range(_CLONES)]
    for clone in clones:
        assert _digests(clone, areas) == expected
        assert warm.ask(clone, "sum") == warm.ask(process, "sum")
    parts = sum(warm.proportional(clone) for clone in clones)
    if memory == "mapped":
        assert parts < 1.5 * warm.proportional(process)
        assert all(_shared(clone) > 0.95 * _BYTES for clone in clones)
    else:
        assert parts > 0.95 * _CLONES * warm.proportional(process)
        assert [_shared(clone) for clone in clones] == [0] * _CLONES


def test_what_a_clone_writes_is_its_own(blesser, source):
    image_id = blesser.bless(source, live_memory="mapped")
    first, second = (_process(blesser, _launch(blesser, image_id)) for _ in range(2))
    before = warm.ask(second, "sum")
    assert warm.ask(first, "write") == warm.ask(first, "sum") != before
    assert warm.ask(second, "sum") == before
    assert warm.ask(_process(blesser, _launch(blesser, image_id)), "sum") == before
    assert warm.ask(_process(blesser, source), "sum") == before


@pytest.mark.parametrize("memory", ["mapped", "copied"])
def test_a_mapped_clone_can_be_blessed_and_suspended(blesser, servers, source, memory):
    clone = _launch(blesser, blesser.bless(source, live_memory="mapped"))
    expected = warm.ask(_process(blesser, clone), "write")
    second = _launch(blesser, blesser.bless(clone, live_memory=memory))
    assert warm.ask(_process(blesser, second), "sum") == expected
    servers.driver.live.look()
    servers.driver.suspend(servers.context, second)
    servers.driver.resume(servers.context, second, [])
    assert warm.ask(_process(blesser, second), "write") != expected
    assert warm.ask(_process(blesser, clone), "sum") == expected


def test_a_clone_may_extend_its_memory(blesser, source):
    clone = _process(blesser, _launch(blesser, blesser.bless(source, live_memory="mapped")))
    # C libraries do it by mremap, which would give them what follows in the file, or a signal.
    assert warm.ask(clone, "extend") == warm.ask(_process(blesser, source), "extend")


@pytest.mark.parametrize(("memory", "zeros"), [("mapped", False), ("copied", True)])
def test_a_clone_notices_it_by_memory_that_it_gives_back(blesser, source, memory, zeros):
    clone = _process(blesser, _launch(blesser, blesser.bless(source, live_memory=memory)))
    # As the documentation has it.
    assert (warm.ask(clone, "drop") == 16 * 4096) is zeros


def test_only_root_reads_the_memory_in_a_clone(blesser, servers, source):
    clone = _launch(blesser, blesser.bless(source, live_memory="mapped"))
    container = servers.container(clone)
    folder = container.exec_run(["sh", "-c", "ls -d /.fpga-live/*/*"]).output.decode().strip()
    statuses = [
        container.exec_run(["head", "-c", "9", folder], user=user).exit_code
        for user in ("0", "65534")
    ]
    assert statuses == [0, 1]


def test_a_server_without_large_areas_has_a_live_image_all_the_same(blesser):
    word = blesser.answer(source := blesser.warm())[0]
    assert blesser.answer(_launch(blesser, blesser.bless(source, live_memory="mapped")))[0] == word


def test_an_image_with_another_word_is_refused(blesser, source):
    with pytest.raises(errors.NoSnapshot, match="'shared', needs copied or mapped"):
        blesser.bless(source, live_memory="shared")
