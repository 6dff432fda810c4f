# SPDX-License-Identifier: Apache-2.0
"""Config drives: what Nova says of a server, as files that its container sees.

The files lie in a folder of nova-compute's below ``instances_path/<uuid>``, which the engine mounts
read-only. No name in it is the user's: Nova has the names, and the user what is in the files.
"""

import pathlib
import shutil
import typing

from docker.types import Mount
from nova.api.metadata import base
from nova.network import model
from nova.virt import configdrive
from oslo_config import cfg
from oslo_log import log as logging

from novadocker.instance_records import LOCK, remove_if_empty

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

#: Where a container has its config drive.
TARGET = "/run/openstack"

_FOLDER = "config-drive"
_FILES = "files"


def is_required(instance: "objects.Instance") -> bool:
    """Whether a server gets a config drive: its user, its image or ``force_config_drive`` says."""
    return bool(configdrive.required_by(instance))


def write(instance: "objects.Instance", vifs: typing.Sequence[model.VIF]) -> None:
    """Write the files of a server, in place of those that are there.

    :param vifs: its ports
    :raises Exception: what Nova's clients raise, which ask other services for some of it
    """
    metadata = base.InstanceMetadata(instance, network_info=model.NetworkInfo(vifs))
    folder = _folder(instance.uuid)
    with LOCK:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)  # the files are for every user of the container
    new = folder / "new"
    shutil.rmtree(new, ignore_errors=True)
    for path, content in metadata.metadata_for_config_drive():
        file = new / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    for path in (new, *new.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o444)
    shutil.rmtree(folder / _FILES, ignore_errors=True)
    new.rename(folder / _FILES)


def renew(instance: "objects.Instance", vifs: typing.Sequence[model.VIF]) -> None:
    """Write the files anew before a start, which does not wait for other services.

    :param vifs: its ports
    """
    try:
        write(instance, vifs)
    except Exception:  # whatever the clients of other services raise
        LOG.exception("Its config drive stays as it was", instance=instance)


def mount(uuid: str) -> Mount:
    """The mount of the files of an instance."""
    return Mount(TARGET, str(_folder(uuid) / _FILES), type="bind", read_only=True)


def is_in(attributes: typing.Mapping[str, typing.Any]) -> bool:
    """Whether a container was made with a config drive.

    :param attributes: what the engine tells about the container
    """
    mounts = attributes["HostConfig"].get("Mounts") or ()
    return any(mount["Target"] == TARGET for mount in mounts)


def remove(uuid: str) -> None:
    """Remove the files of an instance; none is as good."""
    folder = _folder(uuid)
    shutil.rmtree(folder, ignore_errors=True)
    remove_if_empty(folder.parent)


def uuids() -> list[str]:
    """The instances that have files here."""
    return [path.parent.name for path in pathlib.Path(CONF.instances_path).glob(f"*/{_FOLDER}")]


def _folder(uuid: str) -> pathlib.Path:
    return pathlib.Path(CONF.instances_path, uuid, _FOLDER)
