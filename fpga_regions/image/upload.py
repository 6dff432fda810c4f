# SPDX-License-Identifier: Apache-2.0
"""Uploads a package to Glance, with what lets people find it without a download."""

import argparse
import contextlib
import hashlib
import html
import io
import os
import re
import typing
import uuid

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.image import glance
from fpga_regions.image.cache import ALGORITHMS
from fpga_regions.package.reader import Package
from fpga_regions.system.progress import Progress

#: Tag of images with bitstream packages.
TAG = "FPGA"

_IN_ENVIRONMENT = "OS_* in the environment"


def create(
    conf: cfg.ConfigOpts,
    file: io.BufferedReader,
    package: Package,
    name: str,
    visibility: str | None,
) -> str:
    """Make a Glance image of a package that was found valid.

    :param file: what the package was read from
    :returns: the image's id
    :raises errors.ImageUnavailable: Glance does not take it
    :raises errors.ImageServiceUnavailable: Glance cannot be asked, or fails. There is no image
        after either error, unless it says so
    """
    of_environment = bool(os.environ.get("OS_AUTH_URL"))
    place = _IN_ENVIRONMENT if of_environment else f"{glance.PLACE}, or OS_* in the environment"
    # Known before Glance knows it, so that it can be deleted whenever this is interrupted.
    image_id = str(uuid.uuid4())
    created = False
    with glance.explained(place, _refusal):
        adapter = _connect_by_environment() if of_environment else glance.connect(conf)
    try:
        with glance.explained(place, _refusal):
            _register(adapter, image_id, package, name, visibility)
            created = True
            _send(adapter, image_id, file, name)
            _confirm(adapter, image_id, file)
    except errors.RegionError as e:
        e.why += _delete(adapter, image_id) if created else ""
        raise
    except BaseException:
        _delete(adapter, image_id)
        raise
    return image_id


def _connect_by_environment() -> typing.Any:
    """An adapter of keystoneauth1 for the variables that the OpenStack clients read, too."""
    from keystoneauth1 import loading
    from keystoneauth1.adapter import Adapter

    parser = argparse.ArgumentParser()
    loading.register_session_argparse_arguments(parser)
    loading.register_auth_argparse_arguments(parser, [], default="password")
    loading.register_adapter_argparse_arguments(parser, service_type="image")
    options = parser.parse_args([])
    auth = loading.load_auth_from_argparse_arguments(options)
    session = loading.load_session_from_argparse_arguments(options, auth=auth)
    return Adapter(
        session,
        service_type=options.os_service_type,
        interface=options.os_interface,
        region_name=options.os_region_name,
        endpoint_override=options.os_endpoint_override,
    )


def _register(
    adapter: typing.Any, image_id: str, package: Package, name: str, visibility: str | None
) -> None:
    manifest = package.manifest
    properties = {
        "id": image_id,
        "name": name,
        "container_format": glance.CONTAINER_FORMAT,
        "disk_format": "raw",
        "visibility": visibility,
        "tags": [TAG],
        "manifest": package.manifest_text.decode(),
        "vendor": manifest.vendor,
        "type": manifest.type,
    }
    body = {key: value for key, value in properties.items() if value is not None}
    adapter.post(glance.path(adapter, "images"), json=body)


def _send(adapter: typing.Any, image_id: str, file: io.BufferedReader, name: str) -> None:
    url = glance.path(adapter, f"images/{image_id}/file")
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    headers = {"Content-Type": "application/octet-stream"}
    with Progress(f"uploading {name}", size) as progress:
        # Never again by itself: what was read of the body is not read twice.
        once = {"status_code_retries": 0, "connect_retries": 0}
        adapter.put(url, data=_Body(file, size, progress), headers=headers, **once)


def _confirm(adapter: typing.Any, image_id: str, file: io.BufferedReader) -> None:
    """See that Glance has what was sent."""
    image = adapter.get(glance.path(adapter, f"images/{image_id}")).json()
    if image.get("status") != "active":
        raise errors.ImageUnavailable(f"after the upload its status is {image.get('status')}")
    algorithm = image.get("os_hash_algo")
    if algorithm not in ALGORITHMS:
        raise errors.ImageUnavailable(
            f"Glance's digest of it is {algorithm}, which burn does not take: see "
            "hashing_algorithm in glance-api.conf"
        )
    file.seek(0)
    if hashlib.file_digest(file, algorithm).hexdigest() != image.get("os_hash_value"):
        raise errors.ImageUnavailable("Glance has not got the data that was sent")


def _delete(adapter: typing.Any, image_id: str) -> str:
    """Remove what is not whole, if it is there; what is to be said if that fails, too."""
    from keystoneauth1 import exceptions

    try:
        with glance.explained(), contextlib.suppress(exceptions.NotFound):
            adapter.delete(glance.path(adapter, f"images/{image_id}"))
    except errors.RegionError as e:
        return f"; the image {image_id} is left and could not be deleted: {e.why}"
    return ""


def _refusal(status: int, text: str) -> str | None:
    """What Glance means by refusing an upload; None for what it means otherwise, too.

    :param text: a page of HTML, as Glance 31 answers: the reason comes after its heading
    """
    if status not in (400, 403, 409, 413):
        return None
    reason = re.sub(r"<[^>]*>", " ", text.rpartition("</h1>")[2])
    words = errors.shorten(" ".join(html.unescape(reason).split()))
    if f"'{glance.CONTAINER_FORMAT}' is not one of" in words:
        return (
            f"Glance does not know the container format {glance.CONTAINER_FORMAT}: add it to "
            "container_formats in [image_format] of glance-api.conf"
        )
    return f"Glance refuses it ({status}): {words}"


class _Body:
    """A file that tells how much of it was read; requests sends its length ahead."""

    def __init__(self, file: io.BufferedReader, size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> typing.Iterator[bytes]:
        return iter(lambda: self.read(65536), b"")

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(size)
        self._progress.at(self._file.tell())
        return data
