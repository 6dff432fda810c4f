# SPDX-License-Identifier: Apache-2.0
"""Puts the key of a server into its container, for an image that asks for it.

The engine unpacks an archive within the container's own root, so that no link of the image leads to
the host. It does so before the container runs, when nothing in it can move a folder meanwhile.
"""

import io
import posixpath
import tarfile
import typing

import docker.errors

from novadocker import errors, image_request, request
from novadocker.engine import Engine

if typing.TYPE_CHECKING:
    from nova import objects


def put(engine: Engine, instance: "objects.Instance", path: str) -> None:
    """Write the server's key into a file of its container, which does not run yet.

    The file and, where it is missing, its folder belong to root and are open to read: sshd and
    dropbear take such a file for every user.

    :param path: in the container
    :raises errors.BadImage: the image lacks the folder above that
    :raises errors.EngineRefused, errors.EngineUnavailable: the engine did not write it
    """
    key = (instance.key_data or "").strip()
    if not key or key.startswith("-----"):  # a certificate, for Windows
        return
    folder, name = posixpath.split(path)
    above, folder_name = posixpath.split(folder)
    content = f"{key}\n".encode()
    with engine.asked_to("write the server's key into the container") as client:
        for place, entries in ((folder, [name]), (above, [folder_name, f"{folder_name}/{name}"])):
            try:
                client.api.put_archive(
                    request.name_of(instance.uuid), place, archive(entries, content)
                )
            except docker.errors.NotFound as e:
                if "No such container" in str(e.explanation):
                    raise errors.NoContainer(instance.uuid) from e
                continue
            return
    raise errors.BadImage(
        instance.image_ref, f"its property {image_request.AUTHORIZED_KEYS} needs a folder {above}"
    )


def archive(entries: typing.Sequence[str], content: bytes) -> bytes:
    """A tar archive of one file.

    :param entries: the folders that it brings, each before what is in it, and last the file
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in entries[:-1]:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(folder)
        file = tarfile.TarInfo(entries[-1])
        file.size, file.mode = len(content), 0o644
        tar.addfile(file, io.BytesIO(content))
    return buffer.getvalue()
