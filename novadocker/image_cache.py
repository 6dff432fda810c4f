# SPDX-License-Identifier: Apache-2.0
"""Removes images from the engine that nothing has used for a while.

Nova's image cache manager calls this with the instances of the host. The engine does not say when
an image was used last, so `images.note_use` keeps the time.
"""

import pathlib
import time
import typing

import docker.errors
from nova import exception
from oslo_config import cfg
from oslo_log import log as logging

from novadocker import images, live_store
from novadocker.engine import Engine

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Seconds for which an image stays at least: a build that found it may wait for its FPGA region
#: before the container is made.
_SOONEST = 3600


def manage(engine: Engine, instances: "typing.Iterable[objects.Instance]") -> None:
    """Remove unused images of ours; whatever is not known to be unused stays.

    :param instances: those of this host, whether or not they have a container
    """
    if not CONF.image_cache.remove_unused_base_images:
        return
    image_ids = {str(instance.image_ref) for instance in instances}
    try:
        with engine.asked_to("list its images and containers") as client:
            # The low-level call asks once; the other looks at each image, which may be gone.
            found = client.api.images(filters={"reference": f"{images.REPOSITORY}/*"})
            used = {one["ImageID"] for one in client.api.containers(all=True)}
    except exception.NovaException as e:
        LOG.warning("Unused images are not looked for: %s", e.message)
        return
    names = {
        name: one["Id"] in used for one in found for name in one["RepoTags"] or () if _ours(name)
    }
    for name, in_use in names.items():
        if in_use or _glance_id(name) in image_ids:
            images.note_use(name)
        else:
            _remove_if_old(engine, name)
    _forget_all_but(set(names))


def _remove_if_old(engine: Engine, name: str) -> None:
    least = max(CONF.image_cache.remove_unused_original_minimum_age_seconds, _SOONEST)
    with images.lock(_glance_id(name)):
        marker = images.marker(name)
        # Loaded before there were markers, or used while the clock of the host was wrong.
        if not marker.exists() or marker.stat().st_mtime > time.time():
            images.note_use(name)
        if time.time() - marker.stat().st_mtime < least:
            return
        try:
            with engine.asked_to(f"remove image {name}") as client:
                client.images.remove(name)
        except docker.errors.NotFound:
            pass  # somebody else did
        except exception.NovaException as e:
            LOG.warning("An unused image stays: %s", e.message)
            return
        marker.unlink(missing_ok=True)
        live_store.remove(name)
    LOG.info("Image %s was not used for %d seconds and is removed", name, least)


def _forget_all_but(names: set[str]) -> None:
    live_store.remove_all_but(names)
    known = {images.marker(name).name for name in names}
    folder = pathlib.Path(CONF.instances_path, images.MARKERS)
    for marker in folder.glob("*") if folder.is_dir() else ():
        if marker.name not in known:
            marker.unlink(missing_ok=True)


def _ours(name: str) -> bool:
    return name.startswith(f"{images.REPOSITORY}/") and ":" in name


def _glance_id(name: str) -> str:
    return name.removeprefix(f"{images.REPOSITORY}/").partition(":")[0]
