# SPDX-License-Identifier: Apache-2.0
"""What the reconcile does with regions and instances that do not agree."""

import itertools
import threading
from types import SimpleNamespace

import pytest
from nova import exception, objects

from fpga_hooks.host import backoff, reconcile
from fpga_hooks.instance import cards, owner_locks
from fpga_hooks.instance.guests import Guest
from fpga_hooks.placement import claims
from fpga_hooks.program import client, errors
from fpga_nova import host_status
from fpga_nova.instance_request import InstanceRequest
from tests.unit.fpga_hooks.conftest import IMAGE, OWNER, REGION, Program, region, status

objects.register_all()

HOST = "node"
SECOND = "b1a99bc1-cb67-4548-b0b8-aa95a91402d3"
OTHER = "ee834aa4-f950-40e6-8c23-9dab7f3f0138"


class Instance:
    """An instance of this host with as much of Nova's object as is asked for."""

    def __init__(self, fpga: bool = True, **changes) -> None:
        extra_specs = {"hw:fpga_ip_id": IMAGE} if fpga else {}
        self.uuid, self.host, self.deleted = OWNER, HOST, False
        self.flavor = objects.Flavor(extra_specs=extra_specs)
        self.vm_state, self.task_state, self.fpga_device = "active", None, REGION
        self.system_metadata: dict[str, str] = {}
        self.fields, self.saved = {"fpga_device"}, 0
        self.gone = False
        vars(self).update(changes)

    def __contains__(self, name) -> bool:
        return hasattr(self, name)

    def refresh(self) -> None:
        if self.gone:
            raise exception.InstanceNotFound(instance_id=self.uuid)

    def save(self) -> None:
        self.saved += 1


@pytest.fixture
def reconciler(program: Program) -> reconcile.Reconciler:
    return reconcile.Reconciler()


class Engine:
    """The guests of this machine, as a virt driver reports them.

    :ivar answer: the guests; an exception for a driver that cannot report them
    :ivar stopped: names of those that were stopped
    """

    def __init__(self) -> None:
        self.answer: list[Guest] | Exception = []
        self.stopped: list[str] = []

    def guests(self) -> "list[Guest]":
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def stop(self, guest: Guest) -> None:
        self.stopped.append(guest.name)


@pytest.fixture
def engine(machine) -> Engine:
    engine = Engine()
    machine.register(engine)
    return engine


def a_guest(instance: str | None = OWNER, *nodes: str, numbers=(), running: bool = True):
    return Guest("guest", instance, running, frozenset(nodes), frozenset(numbers))


@pytest.fixture
def ledger(program: Program, monkeypatch):
    """Makes the status of these regions; the program answers with REGION from then on."""

    def look(*regions) -> host_status.Status:
        program.answers(out=status(*regions))
        report = client.status()
        monkeypatch.setattr(client, "status", lambda: report)
        program.answers(out=REGION)
        program._calls.unlink(missing_ok=True)
        return report

    return look


def _held(**changes):
    return region(image_id=IMAGE, healthy=True, **changes)


def test_nothing_is_done_where_all_agree(reconciler, program, ledger, nova) -> None:
    nova.here[OWNER] = instance = Instance()
    assert not reconciler.audit(HOST, ledger(_held()))
    assert (program.calls, instance.saved) == ([], 0)


def test_the_region_of_a_deleted_instance_is_erased_and_told_once(
    reconciler, program, ledger, nova, caplog
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    assert reconciler.audit(HOST, ledger(_held()))
    assert program.calls == [f"erase --owner {OWNER}"]
    assert f"FPGA region {REGION} erased: its instance is deleted" in caplog.text


def test_the_region_of_an_owner_that_nova_does_not_know_is_erased(
    reconciler, program, ledger, nova
) -> None:
    nova.elsewhere[OWNER] = None
    assert reconciler.audit(HOST, ledger(_held()))
    assert program.calls == [f"erase --owner {OWNER}"]


def test_region_of_a_claim_is_kept_while_that_has_it_allocated(
    reconciler, program, ledger, nova, monkeypatch
) -> None:
    nova.elsewhere[OWNER] = None
    monkeypatch.setattr(claims, "may_have_region_here", lambda claim: claim == OWNER)
    held = region(state="claimed", nodes=None)
    assert not reconciler.audit(HOST, ledger(held))
    assert (program.calls, reconciler.claimed, reconciler.stray) == ([], {REGION}, set())
    monkeypatch.setattr(claims, "may_have_region_here", lambda claim: False)
    assert reconciler.audit(HOST, ledger(held))
    assert (program.calls, reconciler.claimed) == ([f"erase --owner {OWNER}"], set())


def test_region_of_a_deleted_instance_is_no_claims(
    reconciler, program, ledger, nova, monkeypatch
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    monkeypatch.setattr(claims, "may_have_region_here", lambda claim: True)
    assert reconciler.audit(HOST, ledger(_held()))
    assert program.calls == [f"erase --owner {OWNER}"]


@pytest.mark.parametrize("host", ["other", None])
def test_the_region_of_an_instance_that_left_is_erased(
    reconciler, program, ledger, nova, host
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=False, host=host, task_state=None)
    nova.migrations = [
        SimpleNamespace(status="done", source_compute=HOST, dest_compute="other"),
        SimpleNamespace(status="migrating", source_compute="other", dest_compute="third"),
    ]
    assert reconciler.audit(HOST, ledger(_held()))


@pytest.mark.parametrize(
    ("columns", "migration"),
    [
        ({"task_state": "spawning"}, None),
        ({"task_state": "unshelving", "host": None}, None),
        ({"host": HOST}, None),
        ({}, {"status": "finished", "source_compute": HOST}),
        ({}, {"status": "pre-migrating", "dest_compute": HOST}),
        ({}, {"status": "accepted", "source_compute": HOST}),
    ],
)
def test_a_region_is_kept_while_its_owner_may_use_it(
    reconciler, program, ledger, nova, columns, migration
) -> None:
    there = {"deleted": False, "host": "other", "task_state": None}
    nova.elsewhere[OWNER] = SimpleNamespace(**there | columns)
    sides = {"source_compute": "other", "dest_compute": "other"}
    nova.migrations = [SimpleNamespace(**sides | migration)] if migration else []
    assert not reconciler.audit(HOST, ledger(_held()))
    assert program.calls == []


def _on_its_way(nova) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(
        deleted=False, host="other", task_state="rebuild_spawning"
    )


def test_what_an_evacuation_that_was_killed_has_left_is_erased(
    reconciler, program, ledger, nova
) -> None:
    _on_its_way(nova)
    reconciler.start(HOST, ledger(_held()))
    assert reconciler.audit(HOST, ledger(_held()))
    assert program.calls == [f"erase --owner {OWNER}"]


@pytest.mark.parametrize("device", ["the region of the source", REGION])
def test_what_a_killed_evacuation_has_left_is_erased_though_the_source_is_back(
    reconciler, program, ledger, nova, device
) -> None:
    nova.elsewhere[OWNER] = Instance(
        host="other", task_state="rebuild_spawning", fpga_device=device
    )
    nova.up = {"other"}
    nova.migrations = [SimpleNamespace(status="failed", source_compute="other", dest_compute=HOST)]
    reconciler.start(HOST, ledger(_held()))
    assert reconciler.audit(HOST, ledger(_held()))
    assert program.calls == [f"erase --owner {OWNER}"]


def test_what_was_left_is_kept_where_its_owner_comes_back(reconciler, burns, ledger, nova) -> None:
    _on_its_way(nova)
    reconciler.start(HOST, ledger(_held()))
    burns.start(InstanceRequest.of(Instance()), dict)
    assert not reconciler.audit(HOST, ledger(_held()))


@pytest.mark.parametrize("state", ["firmware request", "write", "reset"])
def test_a_region_that_is_worked_on_is_left_alone(reconciler, program, ledger, nova, state) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    assert not reconciler.audit(HOST, ledger(region(state=state)))
    assert program.calls == []


def test_a_region_burnt_by_hand_without_an_owner_is_left_alone(reconciler, program, ledger) -> None:
    assert not reconciler.audit(HOST, ledger(region(owner=None)))
    assert program.calls == []


NODE = "/run/r0/fpga0"


@pytest.mark.parametrize(
    "guest",
    [
        a_guest(OWNER),
        a_guest(None, NODE),
        a_guest(SECOND, "/dev/other", NODE),
        a_guest(None, NODE, running=False),
    ],
)
@pytest.mark.parametrize("state", ["programmed", "quarantined"])
def test_a_region_that_any_guest_has_is_kept_and_told_once(
    reconciler, program, ledger, nova, engine, caplog, guest, state
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    engine.answer = [guest]
    report = ledger(region(image_id=IMAGE, state=state))
    assert not reconciler.audit(HOST, report)
    assert not reconciler.audit(HOST, report)
    assert (program.calls, reconciler.stray) == ([], {REGION})
    assert caplog.text.count("is kept: its instance is deleted, but guest guest has it") == 1


def test_a_region_is_kept_where_the_virt_driver_cannot_tell_who_has_it(
    reconciler, program, ledger, nova, engine, caplog
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    engine.answer = exception.HypervisorUnavailable(host=HOST)
    assert not reconciler.audit(HOST, ledger(_held()))
    assert (program.calls, reconciler.stray) == ([], {REGION})
    assert "but the virt driver cannot list its guests" in caplog.text


def test_a_region_in_quarantine_of_an_owner_that_is_gone_is_erased_in_its_name(
    reconciler, program, ledger, nova, engine
) -> None:
    nova.elsewhere[OWNER] = None
    engine.answer = [a_guest(SECOND, "/dev/other")]
    assert reconciler.audit(HOST, ledger(region(state="quarantined", quarantine="erase")))
    assert (program.calls, reconciler.stray) == ([f"erase --owner {OWNER}"], set())


@pytest.mark.parametrize("device", [REGION, f"{SECOND},{REGION}"])
def test_a_region_that_its_instance_has_on_a_host_of_another_name_is_kept(
    reconciler, program, ledger, nova, caplog, device
) -> None:
    there = {"deleted": False, "host": "former", "task_state": None, "fields": {"fpga_device"}}
    nova.elsewhere[OWNER] = Instance(**there, fpga_device=device)
    report = ledger(_held())
    assert not reconciler.audit(HOST, report)
    assert not reconciler.audit(HOST, report)
    assert (program.calls, reconciler.stray) == ([], {REGION})
    assert caplog.text.count("its instance is on host former, has this very region") == 1


def test_a_region_of_a_failed_build_whose_clean_up_failed_is_erased(
    reconciler, program, ledger, nova
) -> None:
    failed = {"deleted": False, "host": None, "task_state": None, "fields": {"fpga_device"}}
    nova.elsewhere[OWNER] = Instance(**failed, fpga_device=REGION)
    assert reconciler.audit(HOST, ledger(_held()))
    assert (program.calls, reconciler.stray) == ([f"erase --owner {OWNER}"], set())


def test_a_region_whose_instance_another_host_works_on_is_kept_though_it_was_there_at_start(
    reconciler, program, ledger, nova
) -> None:
    _on_its_way(nova)
    nova.up = {"other"}
    reconciler.start(HOST, ledger(_held()))
    assert not reconciler.audit(HOST, ledger(_held()))
    assert program.calls == []


def test_a_guest_whose_device_number_is_of_another_node_now_is_stopped(
    reconciler, program, ledger, nova, engine, caplog
) -> None:
    nova.here[OWNER] = Instance()
    engine.answer = [
        a_guest(OWNER, "/dev/null", numbers=[("/dev/null", "1:5")]),
        a_guest(OWNER, "/dev/zero", numbers=[("/dev/zero", "1:5"), ("/dev/is-not-there", "9:9")]),
        a_guest(OWNER, "/dev/full", numbers=[("/dev/full", "1:5")], running=False),
    ]
    node = {"kind": "char", "path": "/dev/null", "name": "/dev/fpga0"}
    reconciler.audit(HOST, ledger(_held(nodes=[node])))
    assert engine.stopped == ["guest"]
    assert "has device numbers that its nodes do not have any more" in caplog.text


def test_a_region_whose_owner_is_being_worked_on_is_left_for_later(
    reconciler, program, ledger, nova
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    report, results = ledger(_held()), []
    with owner_locks.held(OWNER):
        other = threading.Thread(target=lambda: results.append(reconciler.audit(HOST, report)))
        other.start()
        other.join()
    assert (results, program.calls) == ([False], [])


def test_an_erase_that_fails_is_tried_again_after_a_growing_pause(
    reconciler, program, ledger, nova, monkeypatch, caplog
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    report, now = ledger(_held()), [1000.0]
    monkeypatch.setattr(backoff.time, "monotonic", lambda: now[0])
    program.answers(err="Error: cannot erase - it hangs", code=70)
    for seconds in (0, 59, 2, 118, 3):
        now[0] += seconds
        assert not reconciler.audit(HOST, report)
    assert len(program.calls) == 3
    assert caplog.text.count("it hangs") == 1


def test_nothing_is_erased_at_start(reconciler, program, ledger, nova) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    assert not reconciler.start(HOST, ledger(_held()))
    assert program.calls == []


@pytest.mark.parametrize("task_state", [None, "powering-on", "rebooting_hard"])
def test_a_lost_configuration_is_burnt_again_at_start(
    reconciler, program, ledger, nova, task_state, caplog
) -> None:
    nova.here[OWNER] = Instance(task_state=task_state)
    assert reconciler.start(HOST, ledger(region(image_id=IMAGE, healthy=False)))
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]
    assert f"FPGA region {REGION} had lost its configuration" in caplog.text


def test_a_region_that_is_gone_is_burnt_anew_and_the_column_follows(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = instance = Instance(vm_state="stopped", fpga_device="old")
    free = region(owner=None, state="free", id="free")
    assert reconciler.start(HOST, ledger(free))
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]
    assert (instance.fpga_device, instance.saved) == (REGION, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"task_state": "powering-on"},
        {"task_state": "deleting"},
        {"task_state": "rebuild_spawning"},
        {"vm_state": "building", "task_state": "spawning"},
        {"vm_state": "resized"},
        {"vm_state": "error", "fpga_device": None},
        {"fpga": False, "fpga_device": None},
        {"host": "other"},
        {"gone": True},
    ],
)
def test_nothing_is_burnt_for_an_instance_that_something_is_at_work_on(
    reconciler, program, ledger, nova, changes
) -> None:
    nova.here[OWNER] = instance = Instance(**changes)
    assert not reconciler.audit(HOST, ledger())
    assert (program.calls, instance.saved) == ([], 0)


def test_a_burn_that_fails_is_told_once_and_tried_again_after_a_pause(
    reconciler, program, ledger, nova, monkeypatch, caplog
) -> None:
    nova.here[OWNER] = Instance()
    report, now = ledger(region(image_id=IMAGE, healthy=False)), [1000.0]
    monkeypatch.setattr(backoff.time, "monotonic", lambda: now[0])
    program.answers(err="Error: cannot program - Glance is down", code=67)
    assert not reconciler.start(HOST, report)
    assert not reconciler.audit(HOST, report)
    now[0] += 61
    assert not reconciler.audit(HOST, report)
    assert len(program.calls) == 2
    assert caplog.text.count("Glance is down") == 1
    program.answers(out=REGION)
    now[0] += 121
    assert reconciler.audit(HOST, report)


def test_the_column_is_repaired_from_the_ledger(reconciler, program, ledger, nova, caplog) -> None:
    nova.here[OWNER] = instance = Instance(fpga_device=None)
    assert not reconciler.audit(HOST, ledger(_held()))
    assert (instance.fpga_device, instance.saved, program.calls) == (REGION, 1, [])
    assert f"The database had FPGA region none, the ledger has {REGION}" in caplog.text


def test_a_column_that_names_a_region_the_instance_does_not_hold_is_cleared(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = instance = Instance(fpga=False)
    assert not reconciler.audit(HOST, ledger(region(owner=None)))
    assert instance.fpga_device is None


def test_a_column_that_no_service_knows_is_not_written(reconciler, program, ledger, nova) -> None:
    nova.here[OWNER] = instance = Instance()
    del instance.fpga_device
    assert not reconciler.audit(HOST, ledger(_held()))
    assert instance.saved == 0


def test_a_region_that_a_guest_has_is_not_given_back_though_no_flavor_asks_for_it(
    reconciler, program, ledger, nova, engine
) -> None:
    nova.here[OWNER] = Instance(fpga=False)
    engine.answer = [a_guest(OWNER, NODE)]
    assert not reconciler.audit(HOST, ledger(_held()))
    assert program.calls == []


def test_a_region_of_an_instance_whose_flavor_asks_for_none_is_given_back(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = instance = Instance(fpga=False)
    assert not reconciler.start(HOST, ledger(_held()))
    assert reconciler.audit(HOST, ledger(_held()))
    assert (program.calls, instance.fpga_device) == ([f"erase {REGION} --owner {OWNER}"], None)


def _two(**changes) -> Instance:
    specs = {"hw:fpga_ip_id": IMAGE, "hw:fpga_ip_id_2": OTHER}
    return Instance(flavor=objects.Flavor(extra_specs=specs), **changes)


def test_region_of_two_that_is_gone_is_burnt_again_and_the_other_left_alone(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = instance = _two(fpga_device=f"{SECOND},gone")
    assert reconciler.audit(HOST, ledger(_held(id=SECOND, number=1)))
    assert program.calls == [f"burn {OTHER} --owner {OWNER} --number 2"]
    assert instance.fpga_device == f"{SECOND},{REGION}"


def test_region_of_two_that_cannot_be_burnt_does_not_keep_the_other_from_it(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = instance = _two()
    report = ledger(region(id="free", owner=None, state="free"))
    program.answers(out=REGION, first='case "$*" in *number*) exit 68;; esac')
    assert reconciler.audit(HOST, report)
    assert len(program.calls) == 2
    assert instance.fpga_device == REGION
    assert reconciler.audit(HOST, report)
    assert program.calls[2:] == [f"burn {IMAGE} --owner {OWNER}"]


def test_region_that_a_smaller_flavor_does_not_ask_for_is_given_back(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = instance = Instance(fpga_device=f"{REGION},{SECOND}")
    report = ledger(_held(number=1), _held(id=SECOND, number=2))
    assert reconciler.audit(HOST, report)
    assert program.calls == [f"erase {SECOND} --owner {OWNER}"]
    assert instance.fpga_device == REGION


def test_all_regions_of_an_orphan_are_erased_at_once(
    reconciler, program, ledger, nova, caplog
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    assert reconciler.audit(HOST, ledger(_held(number=1), _held(id=SECOND, number=2)))
    assert program.calls == [f"erase --owner {OWNER}"]
    assert f"FPGA region {REGION} and {SECOND} erased" in caplog.text


def _stuck(cause: str | None = "erase", **changes):
    return region(state="quarantined", owner=None, quarantine=cause, **changes)


def test_region_that_did_not_erase_is_released_as_soon_as_it_does(
    reconciler, program, ledger, caplog
) -> None:
    assert reconciler.audit(HOST, ledger(_stuck()))
    assert program.calls == [f"release {REGION}"]
    assert f"FPGA region {REGION} has erased at last" in caplog.text


def test_region_that_does_not_erase_is_tried_again_after_growing_pauses_and_told_once(
    reconciler, program, ledger, monkeypatch, caplog
) -> None:
    report, now, tries = ledger(_stuck()), [1000.0], []
    monkeypatch.setattr(backoff.time, "monotonic", lambda: now[0])
    program.answers(err="Error: cannot release - it does not erase", code=31)
    for _second in range(0, 5 * 3600, 30):
        before = len(program.calls)
        assert not reconciler.audit(HOST, report)
        tries += [now[0]] * (len(program.calls) - before)
        now[0] += 30
    pauses = [(b - a) / 60 for a, b in itertools.pairwise(tries)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert caplog.text.count("stays in quarantine, because it does not erase") == 1


@pytest.mark.parametrize("cause", ["operator", None])
def test_region_that_is_in_quarantine_for_another_reason_is_left_there(
    reconciler, program, ledger, cause
) -> None:
    assert not reconciler.audit(HOST, ledger(_stuck(cause)))
    assert program.calls == []


def test_region_in_quarantine_of_a_living_server_is_burnt_for_it_again_and_never_released(
    reconciler, program, ledger, nova, engine
) -> None:
    nova.here[OWNER] = Instance()
    engine.answer = [a_guest(OWNER, NODE)]
    report = ledger(region(state="quarantined", quarantine="erase", image_id=IMAGE))
    assert reconciler.audit(HOST, report)
    assert program.calls == [f"burn {IMAGE} --owner {OWNER}"]


def test_region_that_an_operator_withdrew_from_a_living_server_is_left_to_the_operator(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = Instance()
    report = ledger(region(state="quarantined", quarantine="operator", image_id=IMAGE))
    assert not reconciler.audit(HOST, report)
    assert program.calls == []


def test_region_that_does_not_say_what_it_holds_is_left_alone(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = Instance()
    assert not reconciler.audit(HOST, ledger(region(image_id=IMAGE, healthy=None)))
    assert program.calls == []


def _many(nova, count: int) -> list[dict]:
    """Servers of this host whose regions have lost their configuration."""
    regions = []
    for number in range(count):
        uuid = f"11111111-2222-3333-4444-{number:012}"
        nova.here[uuid] = Instance(uuid=uuid, fpga_device=f"r{number}")
        regions.append(region(id=f"r{number}", owner=uuid, image_id=IMAGE, healthy=False))
    return regions


def test_start_burns_no_further_region_once_its_time_is_up(
    reconciler, program, ledger, nova, config, monkeypatch
) -> None:
    report, now = ledger(*_many(nova, 60)), [1000.0]
    config(start_timeout=100)
    monkeypatch.setattr(reconcile.time, "monotonic", lambda: now[0])
    real = client.burn
    monkeypatch.setattr(client, "burn", lambda *a: now.append(now.pop() + 60) or real(*a))
    reconciler.start(HOST, report)
    assert len(program.calls) == 2
    reconciler.audit(HOST, report)
    assert len(program.calls) == 4


@pytest.mark.parametrize("starting", [True, False])
def test_first_burn_that_cannot_reach_the_image_service_is_the_last(
    reconciler, program, ledger, nova, starting, caplog
) -> None:
    report = ledger(*_many(nova, 60))
    program.answers(err="Error: cannot burn - Keystone does not answer", code=73)
    (reconciler.start if starting else reconciler.audit)(HOST, report)
    assert len(program.calls) == 1
    assert "Other FPGA regions are left for the next audit" in caplog.text


@pytest.mark.parametrize("changes", [{"vm_state": "resized"}, {"task_state": "resize_finish"}])
def test_a_region_of_an_instance_that_may_go_back_to_its_old_flavor_is_kept(
    reconciler, program, ledger, nova, changes
) -> None:
    nova.here[OWNER] = Instance(fpga=False, **changes)
    assert not reconciler.audit(HOST, ledger(_held()))
    assert program.calls == []


@pytest.mark.parametrize("starting", [True, False])
def test_status_that_fails_meanwhile_leaves_the_rest_for_the_next_audit(
    reconciler, program, ledger, nova, monkeypatch, starting, caplog
) -> None:
    report = ledger(*_many(nova, 2))

    def fail() -> host_status.Status:
        raise errors.CliError(70, "status did not end within 600 s")

    monkeypatch.setattr(client, "status", fail)
    assert not (reconciler.start if starting else reconciler.audit)(HOST, report)
    assert program.calls == []
    assert caplog.text.count("left for the next audit: status did not end within 600 s") == 1


@pytest.mark.parametrize("code", [31, 70, 127])
def test_a_region_that_is_not_erased_for_its_orphan_is_offered_to_nobody(
    reconciler, program, ledger, nova, code
) -> None:
    nova.elsewhere[OWNER] = SimpleNamespace(deleted=True)
    report = ledger(_held())
    program.answers(err="Error: cannot erase - it hangs", code=code)
    for _again in range(2):
        reconciler.audit(HOST, report)
        assert reconciler.stray == {REGION}
    del nova.elsewhere[OWNER]
    reconciler.audit(HOST, report)
    assert reconciler.stray == set()


def test_a_surplus_region_that_is_not_erased_is_offered_to_nobody(
    reconciler, program, ledger, nova
) -> None:
    nova.here[OWNER] = Instance(fpga=False)
    report = ledger(_held())
    program.answers(err="Error: cannot erase - it hangs", code=70)
    reconciler.audit(HOST, report)
    assert reconciler.stray == {REGION}


def _of_before(**changes):
    """A region that an older release had in quarantine, as a migrated ledger reports it."""
    withdrawn = {"state": "quarantined", "number": 2, "nodes": None, "image_id": IMAGE}
    return region(id=SECOND, **(withdrawn | changes))


@pytest.mark.parametrize("cause", ["erase", "operator"])
def test_a_surplus_region_in_quarantine_is_kept_while_its_owner_has_a_guest(
    reconciler, program, ledger, nova, engine, cause
) -> None:
    nova.here[OWNER] = Instance()
    engine.answer = [a_guest(OWNER, NODE)]
    assert not reconciler.audit(HOST, ledger(_held(number=1), _of_before(quarantine=cause)))
    assert (program.calls, reconciler.stray) == ([], {SECOND})


def test_a_surplus_region_in_quarantine_is_given_back_once_its_owner_has_no_guest(
    reconciler, program, ledger, nova, engine
) -> None:
    nova.here[OWNER] = Instance(vm_state="stopped")
    assert reconciler.audit(HOST, ledger(_held(number=1), _of_before(quarantine="erase")))
    assert program.calls == [f"erase {SECOND} --owner {OWNER}"]


def test_a_region_that_is_not_held_waits_for_its_card_at_start(
    reconciler, program, ledger, nova, config, monkeypatch
) -> None:
    config(providers="card")
    nova.here[OWNER] = Instance(fpga_device=None)
    monkeypatch.setattr(cards, "of_allocation", lambda *a: ["b"])
    report = ledger(region(owner=None, state="free", device="a"))
    reconciler.start(HOST, report)
    assert program.calls == []
    reconciler.audit(HOST, report)
    assert program.calls == [f"burn {IMAGE} --owner {OWNER} --device b"]
