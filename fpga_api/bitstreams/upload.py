# SPDX-License-Identifier: Apache-2.0
"""Makes a Glance image of a package that was found valid, by the user's own token."""

import contextlib
import typing
import uuid

from keystoneauth1 import exceptions

from fpga_api import errors
from fpga_api.bitstreams import packages
from fpga_api.bitstreams.glance import Glance, Image
from fpga_api.service import Service

PRIVATE, _SHARED = "private", "shared"


def create(
    service: Service,
    user: Glance,
    package: packages.Checked,
    name: str | None,
    visibility: str,
    more: typing.Mapping[str, typing.Any],
) -> Image:
    """Make the image; after a failure there is none, unless Glance cannot be asked any more.

    A private image is shared with the project of the service, as an accepted member, so that
    fpga-cli can fetch it for its owner's servers. Glance calls that visibility `shared`.

    :param user: as whom
    :param name: of the image; None for the manifest's
    :param more: members of the image
    :raises errors.ApiError: Glance refuses, or does not answer
    """
    project = _project(service)
    # Known before Glance knows it, so that it can be deleted whenever this is interrupted.
    image_id = str(uuid.uuid4())
    share = project if visibility == PRIVATE else None
    record = {
        "id": image_id,
        "name": name or package.manifest["name"],
        "visibility": _SHARED if share else visibility,
        "manifest": package.manifest_text,
        "vendor": package.manifest["vendor"],
        "type": package.manifest.get("type"),
        **more,
    }
    try:
        user.create({key: value for key, value in record.items() if value is not None})
        user.upload(image_id, package.file)
        image = user.show(image_id)
        _confirm(image, package.file)
        if share and share != image["owner"]:
            user.add_member(image_id, share)
            Glance(service.adapter("image")).accept(image_id, share)
    except BaseException:
        with contextlib.suppress(errors.ApiError):
            user.delete(image_id)
        raise
    return image


def _project(service: Service) -> str | None:
    """The project that the service's own user works in; None if it has none."""
    try:
        return typing.cast("str | None", service.session.get_project_id())
    except exceptions.ClientException as e:
        raise errors.KeystoneUnavailable("Keystone does not give the service a token") from e


def _confirm(image: Image, file: typing.BinaryIO) -> None:
    """See that Glance has what was sent."""
    if image["status"] != "active":
        raise errors.GlanceUnavailable(f"Glance has the image as {image['status']}, not as active")
    sent = image.get("os_hash_algo") != "sha512" or image["os_hash_value"] == packages.sha512(file)
    if not sent:
        raise errors.GlanceUnavailable("Glance has other data than was sent")
