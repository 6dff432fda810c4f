# SPDX-License-Identifier: Apache-2.0
"""Lists the bitstream images of Glance."""

import dataclasses
import json
import typing
import urllib.parse

from oslo_config import cfg

from fpga_regions import errors
from fpga_regions.image import glance
from fpga_regions.image.tokens import Tokens
from fpga_regions.image.upload import TAG

_MOST = 1000  # images; more than a host can prepare


@dataclasses.dataclass(frozen=True)
class Listed:
    """A bitstream image, as Glance lists it.

    :param digest: of its data
    :param size: bytes of its data
    :param target: board and part of the copy of its manifest; None if it has none to be read
    """

    id: str
    digest: str
    size: int
    target: tuple[str, str] | None


def images(conf: cfg.ConfigOpts) -> list[Listed]:
    """The bitstream images that the user in `[glance]` sees, the latest first; 1,000 at most.

    :raises errors.ImageServiceUnavailable: Glance cannot be asked
    """
    with glance.explained():
        adapter = glance.connect(conf)
        return Tokens.of(conf).ask(adapter, lambda: list(_images(adapter)))


def sign_in(conf: cfg.ConfigOpts) -> None:
    """See that a token is kept that is good for a while; nothing is asked where one is.

    :raises errors.ImageServiceUnavailable: Keystone gives none
    """
    with glance.explained():
        adapter = glance.connect(conf)
        auth, tokens = adapter.session.auth, Tokens.of(conf)
        tokens.lend(auth)
        adapter.get_token()
        tokens.keep(auth)


def _images(adapter: typing.Any) -> typing.Iterator[Listed]:
    questions = {"tag": TAG, "container_format": glance.CONTAINER_FORMAT, "status": "active"}
    questions |= {"sort": "updated_at:desc", "limit": "100"}
    page, count = f"images?{urllib.parse.urlencode(questions)}", 0
    while page and count < _MOST:
        answer = glance.answer(adapter, page)
        found = answer.get("images")
        if not isinstance(found, list):
            raise errors.ImageServiceUnavailable("what answers at Glance's address is not Glance")
        count += len(found)
        yield from (_listed(image) for image in found if isinstance(image, dict))
        # Its path begins with the version, which glance.path adds again where it must.
        page = str(answer.get("next") or "").removeprefix("/v2/")


def _listed(image: dict[str, typing.Any]) -> Listed:
    size = image.get("size")
    digest = f"{image.get('os_hash_algo')}-{image.get('os_hash_value')}"
    size = size if isinstance(size, int) else 0
    return Listed(str(image.get("id")), digest, size, _target(image.get("manifest")))


def _target(manifest: typing.Any) -> tuple[str, str] | None:
    try:
        target = json.loads(manifest)["target"]
        return str(target["board"]), str(target["part"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
