# SPDX-License-Identifier: Apache-2.0
"""The parts of live images that the engine does not have: CRIU's files, manifest and signature.

They are in a folder of nova-compute's, under the name that the image has in the engine. Root copies
and compares them each time a container is restored, so that nothing here has to be trusted.
"""

import os
import pathlib
import re
import shutil
import tarfile
import time
import typing

from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova import durable
from fpga_nova.confined import folders
from fpga_nova.container_image import indexing
from fpga_nova.container_image.limits import Refused
from fpga_nova.container_image.reading import NotRead
from novadocker import errors, options
from novadocker.live import errors as live_errors
from novadocker.live import manifest, settings, signatures

CONF = cfg.CONF
LOG = logging.getLogger(__name__)
options.register_opts(CONF)

#: The container format in Glance.
FORMAT = "live"
#: The property that asks for a live image.
PROPERTY = "live_image"
#: The property with the flavor of the server that it was made of, for who launches others.
FLAVOR = "live_flavor"
#: The property that says how servers get the memory of one.
MEMORY, COPIED, MAPPED = "live_memory", "copied", "mapped"
#: The trait of hosts that can restore one.
TRAIT = "CUSTOM_LIVE_IMAGE"

_CHUNK = 1 << 20
#: Bytes of a file in an archive besides its content, at most.
_HEADERS = 4096
#: Seconds after which the engine has what was taken apart, if it ever will.
_LOADED = 24 * 3600
#: How the names of folders begin in which images are taken apart.
_HIDDEN = "."
_NAME = re.compile(
    rf"{re.escape(manifest.MANIFEST)}|{re.escape(manifest.SIGNATURE)}|{re.escape(manifest.IMAGE)}"
    rf"|{manifest.CRIU}/[A-Za-z0-9][A-Za-z0-9._-]{{0,200}}"
)


def configuration() -> settings.Settings:
    """The settings of root's program.

    :raises errors.NoLiveImage: they cannot be had
    """
    try:
        return settings.read(pathlib.Path(CONF.docker.live_settings))
    except live_errors.LiveError as e:
        raise errors.NoLiveImage(str(e)) from e


def check_access() -> None:
    """See that this user gets to what root's program hands over, and to the keys.

    :raises errors.NoLiveImage: it does not, with the reason
    """
    found = configuration()
    try:
        found.suspended("").stat()
        list(found.trusted_keys.iterdir())
    except OSError as e:
        raise errors.NoLiveImage(
            f"nova-compute does not get to {e.filename} ({e.strerror}): permit its user to go "
            f"through the folders above, or name another one in {CONF.docker.live_settings}"
        ) from e


def folder_of(name: str) -> pathlib.Path:
    """Where the parts of an image are.

    :param name: in the engine
    """
    return configuration().incoming / settings.IMAGES / name.rpartition("/")[2]


def complete(image: typing.Mapping[str, typing.Any], name: str) -> bool:
    """Whether the parts of an image are here; of one that is not live, they are.

    :param image: the image's attributes in Glance
    :param name: in the engine
    """
    return image.get("container_format") != FORMAT or folder_of(name).is_dir()


def size(dump: pathlib.Path, image: pathlib.Path) -> int:
    """How many bytes the archive has at most that `write` writes; see there."""
    paths = _parts(dump, image).values()
    return sum(path.stat().st_size + _HEADERS for path in paths) + tarfile.RECORDSIZE


def write(target: pathlib.Path, dump: pathlib.Path, image: pathlib.Path) -> None:
    """Write the archive that Glance gets.

    :param dump: the folder with the manifest, the signature and CRIU's files
    :param image: the archive of the container's files
    """
    with tarfile.open(target, "x") as archive:
        for name, path in _parts(dump, image).items():
            archive.add(path, name, filter=_plain)


def _parts(dump: pathlib.Path, image: pathlib.Path) -> dict[str, pathlib.Path]:
    """The files of an archive by their names in it, in their order."""
    files = {name: dump / name for name in (manifest.MANIFEST, manifest.SIGNATURE)}
    criu = sorted((dump / manifest.CRIU).iterdir())
    return {
        **files,
        **{f"{manifest.CRIU}/{path.name}": path for path in criu},
        manifest.IMAGE: image,
    }


def unpack(fetched: pathlib.Path, image_id: str, name: str) -> pathlib.Path:
    """Take an archive of Glance's apart; the archive of the container's files.

    :param fetched: it is removed
    :param name: in the engine
    :raises errors.BadImage: it is not what a trusted key has signed
    :raises errors.ImageNotReady: it was not read to its end, or the host does not trust its key
    """
    target = folder_of(name)
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    image = fetched.with_name("live-image.tar")
    try:
        with folders.fresh(target.parent, _HIDDEN) as work:
            new = work / "new"
            with fetched.open("rb") as archive:
                _take_apart(archive, new, image)
            found = _verified(new)
            if manifest.digest_of(image) != found.image:
                raise live_errors.Untrusted("its files are not those that were signed")
            fetched.unlink()
            # Nobody fetches it again as long as the folder is there.
            durable.sync_tree(new)
            if target.exists():
                target.rename(work / "old")
            new.rename(target)
    except live_errors.UnknownKey as e:
        raise errors.ImageNotReady(image_id, f"the live image is refused: {e}") from e
    except (live_errors.Untrusted, Refused) as e:
        raise errors.BadImage(image_id, f"the live image is refused: {e}") from e
    except (live_errors.LiveError, NotRead) as e:
        raise errors.ImageNotReady(image_id, str(e)) from e
    except OSError as e:
        raise errors.ImageNotReady(image_id, f"its host cannot write it: {e.strerror or e}") from e
    return image


def described(name: str) -> manifest.Manifest:
    """What a trusted key has signed of an image that is here.

    :param name: in the engine
    :raises live.errors.LiveError: no trusted key has
    """
    return _verified(folder_of(name))


def remove_damaged(name: str) -> None:
    """Remove the parts of an image if they are not what was signed any more; it is fetched again.

    They were when they came here: a disk or an operator has changed them since.
    """
    folder = folder_of(name)
    try:
        whole = manifest.measure(folder / manifest.CRIU) == _verified(folder).files
    except (live_errors.LiveError, OSError):
        whole = False
    if not whole:
        LOG.warning("What is here of the live image %s is damaged, and removed", name)
        remove(name)


def remove(name: str) -> None:
    """Remove the parts of an image; none is as good."""
    if CONF.docker.live_images:
        shutil.rmtree(folder_of(name), ignore_errors=True)


def remove_all_but(names: typing.Iterable[str]) -> None:
    """Remove the parts of images that the engine does not have, and will not load any more."""
    if not CONF.docker.live_images:
        return
    known = {name.rpartition("/")[2] for name in names}
    folder = configuration().incoming / settings.IMAGES
    for one in folder.iterdir() if folder.is_dir() else ():
        if one.name in known or one.name.startswith(_HIDDEN):
            continue
        if time.time() - one.stat().st_mtime > _LOADED:
            shutil.rmtree(one, ignore_errors=True)


def _verified(folder: pathlib.Path) -> manifest.Manifest:
    try:
        data = (folder / manifest.MANIFEST).read_bytes()
        signature = (folder / manifest.SIGNATURE).read_bytes()
    except OSError as e:
        raise live_errors.Untrusted("it is not signed") from e
    signatures.verify(data, signature, configuration().trusted_keys)
    return manifest.load(data)


def _take_apart(archive: typing.BinaryIO, target: pathlib.Path, image: pathlib.Path) -> None:
    places = indexing.index(archive, manifest.MOST_FILES)
    strange = next((name for name in places if not _NAME.fullmatch(name)), None)
    if strange is not None:
        raise Refused(f"it has the file {strange[:100]!r}")
    if manifest.IMAGE not in places:
        raise Refused(f"it lacks the file {manifest.IMAGE}")
    for name, most in ((manifest.MANIFEST, manifest.MOST), (manifest.SIGNATURE, signatures.MOST)):
        if name in places and places[name].size > most:
            raise Refused(f"its {name} is too large")
    (target / manifest.CRIU).mkdir(mode=0o750, parents=True)
    for name, place in places.items():
        _copy(archive, place, image if name == manifest.IMAGE else target / name)


def _copy(archive: typing.BinaryIO, place: indexing.Place, target: pathlib.Path) -> None:
    start, remainder = place
    with target.open("xb") as file:
        while remainder:
            part = os.pread(archive.fileno(), min(_CHUNK, remainder), start)
            if not part:
                raise Refused("it is cut short")
            file.write(part)
            start, remainder = start + len(part), remainder - len(part)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """An entry without the names and times of this host."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mode, entry.mtime = 0o644, 0
    return entry
