# SPDX-License-Identifier: Apache-2.0
"""Bitstream images of Glance, as the user who asks sees them."""

import contextlib
import html
import re
import typing

from keystoneauth1 import adapter, exceptions
from oslo_log import log as logging

from fpga_api import errors

LOG = logging.getLogger(__name__)

#: Images with both are bitstreams, whoever uploaded them and how (seed 004).
TAG, CONTAINER_FORMAT = "FPGA", "fpga"

#: Images that one question to Glance gives at most.
PAGE = 1000

Image = dict[str, typing.Any]

_REFUSALS: dict[type[Exception], type[errors.ApiError]] = {
    exceptions.BadRequest: errors.BadRequest,
    exceptions.Unauthorized: errors.Unauthorized,
    exceptions.Forbidden: errors.Forbidden,
    exceptions.Conflict: errors.GlanceRefused,
    exceptions.RequestEntityTooLarge: errors.TooLarge,
}


@contextlib.contextmanager
def explained(what: str) -> typing.Iterator[None]:
    """Have failures of Glance be ours.

    :param what: the image or the page, for messages
    :raises errors.ApiError: Glance refused, or does not answer
    """
    try:
        yield
    except exceptions.NotFound as e:
        raise errors.NotFound(f"there is no {what}") from e
    except tuple(_REFUSALS) as e:
        raise _REFUSALS[type(e)](f"Glance refuses {what}: {_reason(e)}") from e
    except exceptions.ClientException as e:
        LOG.warning("Glance does not answer for %s: %s: %s", what, type(e).__name__, e)
        raise errors.GlanceUnavailable(f"Glance does not answer for {what}; try again later") from e


class Glance:
    """The image service for one user.

    :param adapter: of keystoneauth, for service type ``image``
    """

    def __init__(self, adapter: adapter.Adapter) -> None:
        self._adapter = adapter

    def page(
        self, marker: str | None, limit: int, filters: typing.Mapping[str, str]
    ) -> list[Image]:
        """Some bitstream images, the newest first.

        :param marker: id of the last one of the page before
        :param filters: of Glance, such as properties
        """
        query = {
            "tag": TAG,
            "container_format": CONTAINER_FORMAT,
            "sort_key": ["created_at", "id"],
            "sort_dir": ["desc", "desc"],
            "limit": limit,
            **({"marker": marker} if marker else {}),
            **filters,
        }
        with explained("page of bitstreams"):
            answer = self._adapter.get("/v2/images", params=query)
            images: list[Image] = _json(answer)["images"]
            return images

    def show(self, image_id: str) -> Image:
        """A bitstream image.

        :raises errors.NotFound: there is no such image for this user, or it is no bitstream
        """
        with explained(f"bitstream {image_id}"):
            image: Image = _json(self._adapter.get(f"/v2/images/{image_id}"))
        if TAG not in image["tags"] or image["container_format"] != CONTAINER_FORMAT:
            raise errors.NotFound(f"there is no bitstream {image_id}")
        return image

    def create(self, record: typing.Mapping[str, typing.Any]) -> None:
        """Make an image without data.

        :param record: with its id
        """
        body = {
            "container_format": CONTAINER_FORMAT,
            "disk_format": "raw",
            "tags": [TAG],
            **record,
        }
        with explained(f"bitstream {record['id']}"):
            self._adapter.post("/v2/images", json=body)

    def upload(self, image_id: str, file: typing.BinaryIO) -> None:
        """Send the data of an image."""
        headers = {"Content-Type": "application/octet-stream"}
        with explained(f"the data of bitstream {image_id}"):
            # Never again by itself: what was read of the file is not read twice.
            self._adapter.put(
                f"/v2/images/{image_id}/file",
                data=file,
                headers=headers,
                connect_retries=0,
                status_code_retries=0,
            )

    def download(self, image_id: str, size: int) -> typing.Iterator[bytes]:
        """The data of an image, chunk by chunk.

        :raises errors.TooLarge: it is more than `size` bytes
        """
        with explained(f"the data of bitstream {image_id}"):
            answer = self._adapter.get(f"/v2/images/{image_id}/file", stream=True)
            with contextlib.closing(answer):
                for chunk in answer.iter_content(1 << 16):
                    size -= len(chunk)
                    if size < 0:
                        raise errors.TooLarge(f"bitstream {image_id} is too large")
                    yield chunk

    def add_member(self, image_id: str, project: str) -> None:
        """Let another project see an image that is shared."""
        with explained(f"bitstream {image_id}"):
            self._adapter.post(f"/v2/images/{image_id}/members", json={"member": project})

    def accept(self, image_id: str, project: str) -> None:
        """Have a shared image in the lists of the project that it is shared with."""
        with explained(f"bitstream {image_id}"):
            self._adapter.put(
                f"/v2/images/{image_id}/members/{project}", json={"status": "accepted"}
            )

    def delete(self, image_id: str) -> None:
        """Delete an image."""
        with explained(f"bitstream {image_id}"):
            self._adapter.delete(f"/v2/images/{image_id}")


def _json(answer: typing.Any) -> typing.Any:
    try:
        return answer.json()
    except ValueError as e:
        raise errors.GlanceUnavailable("what Glance answers is not JSON") from e


def _reason(error: exceptions.HttpError) -> str:
    """What Glance says; since its release 31 that is a page of HTML, below its heading."""
    text = error.response.text if error.response is not None else str(error)
    words = re.sub(r"<[^>]*>", " ", text.rpartition("</h1>")[2])
    return " ".join(html.unescape(words).split())[:200]
