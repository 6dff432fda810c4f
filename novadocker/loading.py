# SPDX-License-Identifier: Apache-2.0
"""Has the Docker Engine load an archive, and sees that it did."""

import contextlib
import pathlib
import typing

import docker
import docker.errors
import requests
import urllib3.exceptions
from oslo_config import cfg

from novadocker import errors
from novadocker.engine import Engine, connect

CONF = cfg.CONF


def load(engine: Engine, path: pathlib.Path, image_id: str, name: str, layers: list[str]) -> str:
    """Load an archive of one image.

    :param image_id: in Glance
    :param name: the image's name in the archive
    :param layers: the digests of its layers, unpacked
    :returns: the id that the engine gives it: of its configuration, or with containerd's image
        store of its manifest
    :raises errors.ImageNotReady: it took too long
    :raises errors.EngineRefused: the engine did not load it
    :raises errors.EngineUnavailable: the engine does not answer
    """
    what = f"load image {image_id}"
    with engine.asked_to(what) as client:
        reported = _load(client.api.api_version, path, image_id)
        refused = next((one for one in reported if one.get("error")), None)
        if refused:
            _forget(client, name)  # containerd's image store keeps what it could not unpack
            raise errors.EngineRefused(what, str(refused["error"]))
        try:
            image = client.images.get(name)
        except docker.errors.ImageNotFound:
            output = " ".join(str(one.get("stream", "")).strip() for one in reported)
            raise errors.EngineRefused(what, f"it has no {name} afterwards ({output})") from None
        if (image.attrs.get("RootFS", {}).get("Layers") or []) != layers:
            _forget(client, name)  # the next boot takes what has the name
            raise errors.EngineRefused(what, f"{name} has other layers than what was loaded")
    return str(image.id)


def _forget(client: docker.DockerClient, name: str) -> None:
    with contextlib.suppress(docker.errors.APIError):
        client.images.remove(name)


def _load(version: str, path: pathlib.Path, image_id: str) -> list[dict[str, typing.Any]]:
    """What the engine reports of a load, on a connection that waits as long as that may take."""
    seconds = CONF.docker.image_load_timeout
    client = connect(version, seconds)
    try:
        with path.open("rb") as file:
            reports: typing.Iterable[dict[str, typing.Any]]
            reports = client.api.load_image(file)  # type: ignore[no-untyped-call]
            return list(reports)
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as e:
        if _timed_out(e):
            raise errors.ImageNotReady(
                image_id,
                f"the Docker Engine did not load it within {seconds} seconds ([docker] "
                "image_load_timeout); it may still do so",
            ) from e
        raise requests.exceptions.ConnectionError(e) from e
    finally:
        client.close()


def _timed_out(error: BaseException | None) -> bool:
    """Whether a failure of a connection came of waiting."""
    while error is not None:
        if isinstance(error, requests.exceptions.Timeout | TimeoutError):
            return True
        if isinstance(error, urllib3.exceptions.TimeoutError):
            return True
        error = error.__cause__ or error.__context__
    return False
