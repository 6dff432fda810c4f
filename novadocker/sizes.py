# SPDX-License-Identifier: Apache-2.0
"""Measures what a copy of a container would have, with sparse files in their whole size."""

import typing

from oslo_config import cfg

from novadocker import errors, request, root_disk
from novadocker.engine import Engine

CONF = cfg.CONF

_MIB = 1 << 20


def quick(engine: Engine, uuid: str, container_id: str) -> int:
    """The bytes of all files, as the engine has the figure.

    Of an engine with the containerd image store, the figure is what the files take on disk.

    :param uuid: of the instance
    :raises errors.EngineUnavailable, errors.EngineRefused: the engine does not say
    """
    label = f"{request.LABEL_UUID}={uuid}"
    with _asked(engine) as client:
        found = client.api.containers(all=True, size=True, filters={"label": label})
    sizes = {one["Id"]: one.get("SizeRootFs") or 0 for one in found}
    return int(sizes.get(container_id, 0))


def exact(engine: Engine, uuid: str, container_id: str, most: int) -> int:
    """The bytes that a copy of all files has.

    :param most: bytes after which nothing more is counted
    :raises errors.EngineUnavailable, errors.EngineRefused: the engine does not say
    """
    if not root_disk.is_in_containerd(engine.info()):
        return quick(engine, uuid, container_id)
    size = 0
    with _asked(engine) as client:
        for data in client.api.export(container_id):
            size += len(data)
            if size > most:
                break
    return size


def check(size: int) -> None:
    """See that the files of a container are an image that can be booted.

    :param size: bytes
    :raises errors.NoSnapshot: they are too large
    """
    most = CONF.docker.image_max_unpacked_size
    if size > most * _MIB:
        raise errors.NoSnapshot(
            f"the server has {size // _MIB} MiB of files, and an image may have {most} MiB "
            "([docker] image_max_unpacked_size); remove some"
        )


def _asked(engine: Engine) -> typing.ContextManager[typing.Any]:
    return engine.asked_patiently("measure the container", CONF.docker.image_load_timeout)
