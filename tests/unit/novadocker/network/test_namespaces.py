# SPDX-License-Identifier: Apache-2.0
"""Which paths the privileged process takes for a container's network namespace."""

import os
import threading

import pytest

from novadocker.network import namespaces

NAME = "0123456789ab"


@pytest.fixture
def folder(tmp_path, config):
    found = tmp_path / "netns"
    found.mkdir(mode=0o755)
    config(network_namespaces=str(found), group="docker")
    return found


def _refused(path, reason):
    with pytest.raises(namespaces.NamespaceError, match=reason), namespaces.opened(str(path)):
        raise AssertionError("it was opened")


@pytest.mark.parametrize(
    "path", ["/proc/1/ns/net", "/proc/self/ns/net", "/run/netns/x", NAME, "", "/"]
)
def test_a_path_elsewhere_is_refused(folder, path):
    _refused(path, "does not name a namespace")


@pytest.mark.parametrize("name", ["default", "..", f"../netns/../{NAME}", NAME[1:], NAME + "c"])
def test_another_name_in_the_folder_is_refused(folder, name):
    _refused(f"{folder}/{name}", "does not name a namespace")


def test_one_that_is_missing_is_refused(folder):
    _refused(folder / NAME, "No such file" if os.geteuid() == 0 else "others than root")


def test_a_folder_that_others_can_write_is_refused(folder):
    folder.chmod(0o777)
    _refused(folder / NAME, "can be written by others than root")


@pytest.mark.skipif(os.geteuid() != 0, reason="the folder must be root's")
def test_a_link_is_refused(folder):
    (folder / NAME).symlink_to("/proc/self/ns/net")
    _refused(folder / NAME, "symbolic")


@pytest.mark.skipif(os.geteuid() != 0, reason="the folder must be root's")
def test_an_ordinary_file_is_refused(folder):
    (folder / NAME).touch()
    _refused(folder / NAME, "is not the network namespace of a container")


def test_a_function_runs_in_a_thread_of_its_own():
    descriptor = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        if os.geteuid() == 0:
            thread = namespaces.inside(descriptor, threading.get_ident)
            assert thread != threading.get_ident()
        else:
            with pytest.raises(PermissionError):
                namespaces.inside(descriptor, threading.get_ident)
    finally:
        os.close(descriptor)


def test_the_first_thread_of_a_process_never_changes_its_namespace(monkeypatch):
    """So it would be with a green thread, which shares it."""
    monkeypatch.setattr(threading, "get_native_id", os.getpid)
    with pytest.raises(RuntimeError, match="a thread of the kernel's"):
        namespaces.inside(-1, lambda: None)
