# SPDX-License-Identifier: Apache-2.0
"""Burns beside the rest of a build."""

import threading
import typing

import pytest
from nova import context as nova_context
from nova import exception, objects

from fpga_hooks import build, delete
from fpga_hooks.instance import background, devices
from fpga_hooks.program import client, errors
from fpga_nova import column, contract
from tests.unit.fpga_hooks.conftest import (
    IMAGE,
    OWNER,
    REGION,
    Instance,
    an_instance,
    region,
    status,
)

CONTEXT = nova_context.RequestContext("user", "project", is_admin=True)


class Burner:
    """A burn that ends when the test says so."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.error: Exception | None = None

    def __call__(self, *_arguments: str) -> str:
        self.began.set()
        assert self.may_end.wait(10)
        if self.error:
            raise self.error
        return REGION


@pytest.fixture
def burner(monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Burner]:
    """In the place of fpga-cli's burn; the virt driver waits for it."""
    burner = Burner()
    monkeypatch.setattr(client, "burn", burner)
    monkeypatch.setattr(background, "_driver_waits", True)
    yield burner
    burner.may_end.set()
    background.settle(OWNER)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What was written to the column, in order."""
    written: list[str | None] = []
    monkeypatch.setattr(column, "write", lambda _instance, region_id: written.append(region_id))
    return written


@pytest.fixture
def instance(config: typing.Callable[..., None]) -> Instance:
    """An instance whose flavor asks for a region."""
    config(access=True)
    return an_instance({"hw:fpga_ip_id": IMAGE})


def _build(instance: Instance) -> None:
    build.FpgaBuildInstanceHook().build_instance(CONTEXT, instance, objects.ImageMeta())


def test_a_build_goes_on_while_its_region_is_burnt(burner, instance, written) -> None:
    _build(instance)
    assert burner.began.wait(10)
    assert written == []


def test_who_asks_for_the_devices_waits_for_the_burn(
    burner, instance, written, program, monkeypatch
) -> None:
    program.answers(out=status(region()))
    monkeypatch.setattr(background, "_driver_waits", True)
    _build(instance)
    got: list[list[devices.Device]] = []
    asking = threading.Thread(target=lambda: got.append(devices.for_instance(instance)))
    asking.start()
    asking.join(0.1)
    assert got == []
    burner.may_end.set()
    asking.join(10)
    assert [device.container_path for device in got[0]] == ["/dev/fpga0"]
    assert written == [REGION]


def test_a_failed_burn_is_told_to_who_asks_for_the_devices(burner, instance, written) -> None:
    burner.error = errors.CliError(contract.Exit.BAD_PACKAGE, "bad zip")
    burner.may_end.set()
    _build(instance)
    with pytest.raises(exception.BuildAbortException, match="bad zip"):
        devices.for_instance(instance)
    assert written == []


def test_a_driver_that_does_not_wait_gets_its_regions_before_it_starts(
    burner, instance, written, monkeypatch
) -> None:
    monkeypatch.setattr(background, "_driver_waits", False)
    burner.may_end.set()
    _build(instance)
    assert written == [REGION]


def test_a_delete_erases_after_the_burn_that_goes_on(
    burner, instance, written, monkeypatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(client, "erase", lambda _owner: order.append("erase"))
    _build(instance)
    assert burner.began.wait(10)
    deleting = threading.Thread(
        target=lambda: delete.FpgaDeleteInstanceHook().delete_instance(CONTEXT, instance)
    )
    deleting.start()
    deleting.join(0.1)
    assert order == []
    burner.may_end.set()
    deleting.join(10)
    assert order == ["erase"]


def test_a_burn_that_fails_unexpectedly_does_not_keep_a_delete_from_erasing(
    burner, instance, monkeypatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(client, "erase", lambda _owner: order.append("erase"))
    burner.error = RuntimeError("unexpected")
    burner.may_end.set()
    _build(instance)
    delete.FpgaDeleteInstanceHook().delete_instance(CONTEXT, instance)
    assert order == ["erase"]


def test_nobody_waits_where_nothing_was_begun() -> None:
    assert background.result(OWNER) is None


def test_the_burns_of_two_owners_go_on_at_once(burner) -> None:
    background.start(OWNER, burner)
    assert burner.began.wait(10)
    background.start(IMAGE, lambda: "another")
    assert background.result(IMAGE) == "another"


def _no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_burn_that_gets_no_thread_fails_the_build_and_nobody_waits_for_it(
    burner, instance, monkeypatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_thread)
        with pytest.raises(exception.InstanceDeployFailure, match="can't start new thread"):
            _build(instance)
    assert not background.begun(OWNER)
    waiting = threading.Thread(target=background.settle, args=(OWNER,), daemon=True)
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()
    assert background.result(OWNER) is None


def test_who_waited_before_the_thread_was_refused_learns_of_it(burner, monkeypatch) -> None:
    got: list[BaseException] = []

    def refuse(_thread: threading.Thread) -> None:
        taken = background._going_on.pop(OWNER)
        taken.add_done_callback(lambda future: got.append(future.exception()))
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(errors.CliError) as caught:
        background.start(OWNER, burner)
    assert got == [caught.value]
