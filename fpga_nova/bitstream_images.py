# SPDX-License-Identifier: Apache-2.0
"""What Glance has on a bitstream image, asked once for a request and not once for each host.

Nova's own image API is asked, on behalf of whoever made the request. Its answer, also that
there was none, is remembered for a short while.
"""

import dataclasses
import json
import threading
import typing

from glanceclient import exc as glance_exceptions
from keystoneauth1 import exceptions as keystone_exceptions
from nova import exception
from nova.image import glance
from oslo_cache import core as oslo_cache
from oslo_log import log as logging

from fpga_nova import request

LOG = logging.getLogger(__name__)

#: Seconds for which an answer is used again.
REMEMBERED = 30

#: oslo.cache's dictionary drops what is too old whenever something is added.
_cache = oslo_cache.create_region()
_cache.configure(
    "oslo_cache.dict", expiration_time=REMEMBERED, arguments={"expiration_time": REMEMBERED}
)
_cache_lock = threading.Lock()

#: All that Nova's image API lets through when Glance, or the way to it, fails.
FAILURES = (
    exception.NovaException,
    glance_exceptions.BaseException,
    glance_exceptions.ClientException,
    keystone_exceptions.ClientException,
)


class UnansweredError(Exception):
    """Glance does not answer, or not to this question: what an image is cannot be known now."""


@dataclasses.dataclass(frozen=True)
class Bitstream:
    """A bitstream image.

    :ivar vendor: its property ``vendor``; None where it has none
    :ivar board: its property ``board`` or else the one that its property ``manifest`` names; None
        where there is neither
    :ivar owner: the id of its project
    :ivar signed: whether it has a signature of Glance's; not whether that is good
    :ivar names: the bitstream that it names by its property ``hw_fpga_ip_id``, being no bitstream
        but a container image
    """

    vendor: str | None = None
    board: str | None = None
    owner: str | None = None
    public: bool = False
    signed: bool = False
    names: str | None = None


def describe(context: typing.Any, image_id: str) -> Bitstream | None:
    """What Glance has on an image; None where it has none, or shows none to this project.

    :param context: of the request; another project may see other images
    :raises UnansweredError: Glance cannot be asked
    """
    key = f"{context.project_id} {image_id}"
    with _cache_lock:
        answer = _cache.get(key)
    if answer == oslo_cache.NO_VALUE:
        answer = _ask(context, image_id)
        with _cache_lock:
            _cache.set(key, answer)
    if isinstance(answer, str):
        raise UnansweredError(
            f"Glance cannot be asked for image {image_id} now, so try again: {answer}"
        )
    return typing.cast("Bitstream | None", answer)


def forget() -> None:
    """Ask Glance anew from now on."""
    with _cache_lock:
        _cache.invalidate()


def _ask(context: typing.Any, image_id: str) -> Bitstream | str | None:
    """The answer; None where there is no such image, and the reason where there is no answer."""
    try:
        image = glance.API().get(context, image_id)
    except exception.ImageNotFound:
        LOG.warning("Glance has no image %s, or does not show it to the project", image_id)
        return None
    except FAILURES as e:
        LOG.warning("Glance does not answer what image %s is: %s", image_id, e)
        return str(e)
    properties = image["properties"]
    board = properties.get("board") or _board_of_manifest(image_id, properties)
    return Bitstream(
        vendor=properties.get("vendor") or None,
        board=board,
        owner=image.get("owner"),
        public=bool(image.get("is_public")),
        signed=bool(properties.get("img_signature")),
        names=properties.get(request.IMAGE_PROPERTY) or None,
    )


def _board_of_manifest(image_id: str, properties: typing.Mapping[str, typing.Any]) -> str | None:
    """The board that the manifest names; a flawed one is not for the scheduler to refuse."""
    text = properties.get("manifest")
    if text is None:
        return None
    try:
        return str(json.loads(text)["target"]["board"]) or None
    except (ValueError, LookupError, TypeError):
        LOG.warning("The property manifest of image %s is not valid; any card will do", image_id)
        return None
