# SPDX-License-Identifier: Apache-2.0
"""Burns beside the rest of a build."""

import threading
import typing

import pytest
from nova import context as nova_context
from nova import exception, objects

from fpga_hooks import build, delete
from fpga_hooks.instance import background, bitstreams, devices
from fpga_hooks.program import client, errors
from fpga_nova import column, contract
from fpga_nova.instance_request import InstanceRequest
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
def burner(monkeypatch: pytest.MonkeyPatch, burns: background.Burns) -> typing.Iterator[Burner]:
    """In the place of fpga-cli's burn; the virt driver waits for it."""
    burner = Burner()
    monkeypatch.setattr(client, "burn", burner)
    burns.awaited_by_driver = True
    yield burner
    burner.may_end.set()
    burns.settle(OWNER)


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What was written to the column, in order."""
    values: list[str | None] = []
    monkeypatch.setattr(column, "write", lambda _instance, value, at_once: values.append(value))
    return values


@pytest.fixture
def instance(config: typing.Callable[..., None]) -> Instance:
    """An instance whose flavor asks for a region."""
    config(access=True)
    return an_instance({"hw:fpga_ip_id": IMAGE})


def _build(instance: Instance) -> None:
    build.FpgaBuildInstanceHook().build_instance(CONTEXT, instance, objects.ImageMeta())


def test_a_build_goes_on_while_its_region_is_burnt(burner, instance, values) -> None:
    _build(instance)
    assert burner.began.wait(10)
    assert values == []


def test_who_asks_for_the_devices_waits_for_the_burn(burner, instance, values, program) -> None:
    program.answers(out=status(region()))
    _build(instance)
    got: list[list[devices.Device]] = []
    asking = threading.Thread(target=lambda: got.append(devices.for_instance(instance)))
    asking.start()
    asking.join(0.1)
    assert got == []
    burner.may_end.set()
    asking.join(10)
    assert [device.container_path for device in got[0]] == ["/dev/fpga0"]
    assert values == [REGION]


def test_who_asks_for_the_digests_waits_for_the_burn(burner, instance, values, program) -> None:
    program.answers(out=status(region(digest="a" * 64)))
    _build(instance)
    got: list[tuple[str, ...]] = []
    asking = threading.Thread(target=lambda: got.append(bitstreams.digests(instance)))
    asking.start()
    assert burner.began.wait(10)
    assert got == []
    burner.may_end.set()
    asking.join(10)
    assert got == [("a" * 64,)]
    assert values == [REGION]


def test_a_failed_burn_is_told_to_who_asks_for_the_devices(burner, instance, values) -> None:
    burner.error = errors.CliError(contract.Exit.BAD_PACKAGE, "bad zip")
    burner.may_end.set()
    _build(instance)
    with pytest.raises(exception.BuildAbortException, match="bad zip"):
        devices.for_instance(instance)
    assert values == []


def test_a_driver_that_does_not_wait_gets_its_regions_before_it_starts(
    burner, instance, values, burns
) -> None:
    burns.awaited_by_driver = False
    burner.may_end.set()
    _build(instance)
    assert values == [REGION]


def test_a_delete_erases_after_the_burn_that_goes_on(burner, instance, values, monkeypatch) -> None:
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


def test_nobody_waits_where_nothing_was_begun(instance) -> None:
    assert background.Burns().finish(instance) is None


def test_the_burns_of_two_owners_go_on_at_once(burner, instance, values) -> None:
    burns, request = background.Burns(), InstanceRequest.of(instance)
    burns.start(request, lambda: {1: burner()})
    assert burner.began.wait(10)
    other = an_instance({"hw:fpga_ip_id": IMAGE})
    other.uuid = IMAGE
    burns.start(InstanceRequest.of(other), lambda: {1: "another"})
    assert burns.finish(other) == InstanceRequest.of(other)
    assert values == ["another"]
    burner.may_end.set()
    assert burns.finish(instance) == request


def _no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_burn_that_gets_no_thread_fails_the_build_and_nobody_waits_for_it(
    burner, instance, burns, monkeypatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_thread)
        with pytest.raises(exception.InstanceDeployFailure, match="can't start new thread"):
            _build(instance)
    assert not burns.begun(OWNER)
    waiting = threading.Thread(target=burns.settle, args=(OWNER,), daemon=True)
    waiting.start()
    waiting.join(10)
    assert not waiting.is_alive()
    assert burns.finish(instance) is None


def test_who_waited_before_the_thread_was_refused_learns_of_it(instance, monkeypatch) -> None:
    burns, reasons = background.Burns(), []

    def wait() -> None:
        try:
            burns.finish(instance)
        except exception.InstanceDeployFailure as e:
            reasons.append(str(e))

    waiting = threading.Thread(target=wait, daemon=True)
    start = threading.Thread.start

    def refuse(_thread: threading.Thread) -> None:
        start(waiting)
        waiting.join(0.1)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(errors.CliError):
        burns.start(InstanceRequest.of(instance), dict)
    waiting.join(10)
    assert len(reasons) == 1 and "can't start new thread" in reasons[0]
