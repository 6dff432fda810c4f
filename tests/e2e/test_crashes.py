# SPDX-License-Identifier: Apache-2.0
"""nova-compute is killed at each step of each path; its next start makes all regions true again.

``make faults`` tries all points, pytest by itself a few.
"""

import dataclasses
import os
import typing
import uuid

import pytest

from tests.e2e.hosts import DOCKER, KEEPING
from tests.e2e.stage import Stage
from tests.support.host import wait_until

#: The task of a server whose burn has begun and which the virt driver makes meanwhile.
_BURNING = "spawning"

ALL = bool(os.environ.get("FPGA_NOVA_ALL_POINTS"))


@dataclasses.dataclass(frozen=True)
class Course:
    """A path and where on it nova-compute is killed.

    :ivar act: what is asked for; gets the stage and what `prepare` gave
    :ivar victim: which host is killed, 0 or 1
    """

    driver: str
    prepare: typing.Callable[[Stage], typing.Any]
    act: typing.Callable[[Stage, typing.Any], typing.Any]
    points: tuple[str, ...]
    victim: int = 0


def _points(**steps: str) -> tuple[str, ...]:
    return tuple(
        f"{name.replace('_', ' ')}:{when}"
        for name, whens in steps.items()
        for when in whens.split()
    )


def _nothing(_stage: Stage) -> None:
    return None


def _spoilt(stage: Stage, _nothing: None) -> None:
    stage.create(image_id=stage.flavors["spoilt image"])


def _delete_while_building(stage: Stage, _nothing: None) -> None:
    stage.here.cli.configure(drivers="fake", fake__program_delay=2)
    server = stage.create()
    wait_until(
        lambda: stage.here.dead or stage.compute.get_server(server).task_state == _BURNING, 60
    )
    stage.compute.delete_server(server)


def _deleted(stage: Stage, server: str) -> None:
    stage.compute.delete_server(server)


def _shelved(stage: Stage) -> str:
    server = stage.active()
    stage.compute.shelve_server(server)
    stage.state(server, "SHELVED_OFFLOADED")
    return server


def _stopped_host(stage: Stage) -> str:
    server = stage.active()
    stage.here.stop()
    stage.down(stage.here)
    return server


def _evacuated(stage: Stage) -> str:
    server = _stopped_host(stage)
    stage.evacuate(server)
    stage.state(server, "ACTIVE")
    stage.down(stage.here, False)
    return server


def _returns(stage: Stage, _server: str) -> None:
    stage.here.start(wait=False)


def _lost(stage: Stage) -> str:
    server = stage.active()
    stage.here.stop()
    stage.here.lose_configurations()
    return server


def _orphan(stage: Stage) -> None:
    stage.here.cli.burn(stage.flavors["bitstream"], "--owner", str(uuid.uuid4()))


PATHS = {
    "create": Course(
        DOCKER,
        _nothing,
        lambda stage, _: stage.create(),
        _points(
            claim="after", burn="before within after", save="before after", spawn="before after"
        ),
    ),
    "create that fails": Course(
        DOCKER, _nothing, _spoilt, _points(destroy="before after", erase="before within after")
    ),
    "delete": Course(
        DOCKER,
        Stage.active,
        _deleted,
        _points(destroy="before after", erase="before within after", release="before after"),
    ),
    "delete while building": Course(
        DOCKER,
        _nothing,
        _delete_while_building,
        _points(burn="within after", destroy="after", erase="before after"),
    ),
    "rebuild": Course(
        DOCKER,
        Stage.active,
        lambda stage, server: stage.compute.rebuild_server(server, stage.image.id),
        _points(
            destroy="before after", burn="before within after", save="after", spawn="before after"
        ),
    ),
    "shelve": Course(
        DOCKER,
        Stage.active,
        lambda stage, server: stage.compute.shelve_server(server),
        _points(destroy="before after", erase="before within after", offload="before after"),
    ),
    "unshelve": Course(
        DOCKER,
        _shelved,
        lambda stage, server: stage.unshelve(server),
        _points(claim="after", burn="before within after", save="before after")
        + _points(spawn="before after"),
    ),
    "cold migrate": Course(
        KEEPING,
        Stage.active,
        Stage.move,
        _points(move_claim="after", burn="before within after", save="after")
        + _points(finish_migration="before after"),
        victim=1,
    ),
    "resize to an FPGA flavor": Course(
        KEEPING,
        lambda stage: stage.active("plain"),
        lambda stage, server: stage.move(server, "fpga"),
        _points(burn="before within after", save="after", finish_migration="before after"),
        victim=1,
    ),
    "confirm": Course(
        KEEPING,
        Stage.moved,
        lambda stage, server: stage.compute.confirm_server_resize(server),
        _points(erase="before within after", drop_claim="before after"),
    ),
    "revert": Course(
        KEEPING,
        Stage.moved,
        lambda stage, server: stage.compute.revert_server_resize(server),
        _points(destroy="before after", erase="before within after"),
        victim=1,
    ),
    "revert, back at the source": Course(
        KEEPING,
        Stage.moved,
        lambda stage, server: stage.compute.revert_server_resize(server),
        _points(burn="before within after"),
    ),
    "evacuate": Course(
        KEEPING,
        _stopped_host,
        Stage.evacuate,
        _points(burn="before within after", save="after", spawn="before after"),
        victim=1,
    ),
    "return after an evacuation": Course(
        KEEPING,
        _evacuated,
        _returns,
        _points(destroy="before after", erase="before within after"),
    ),
    "start after a power cycle": Course(
        KEEPING, _lost, _returns, _points(burn="before within after")
    ),
    "audit that finds an orphan": Course(
        KEEPING, _nothing, lambda stage, _: _orphan(stage), _points(erase="before within after")
    ),
}

SOME = {("create", "burn:after"), ("delete", "erase:before"), ("cold migrate", "save:after")}
CASES = [
    pytest.param(name, point, id=f"{name}-{point}")
    for name, path in PATHS.items()
    for point in path.points
    if ALL or (name, point) in SOME
]


@pytest.mark.parametrize(("name", "point"), CASES)
def test_regions_are_true_again_after_a_kill(
    stages: typing.Callable[[str], Stage], name: str, point: str
) -> None:
    path = PATHS[name]
    stage = stages(path.driver)
    prepared = path.prepare(stage)
    victim = stage.hosts[path.victim]
    victim.kill_at(point)
    path.act(stage, prepared)
    assert victim.died(), f"it did not come to {point}"
    for host in stage.hosts:
        host.cli.configure(drivers="fake")
        stage.down(host, False)
        host.ensure()
    victim.audited()
    stage.check()
    stage.clean()
