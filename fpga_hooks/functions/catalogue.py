# SPDX-License-Identifier: Apache-2.0
"""The bitstreams that Glance has, listed with each audit by their tag and the time of their change.

The list is for choosing and for traits. What is burnt is asked for by its id, and fpga-cli looks
at the package itself: nothing that is written here is believed of the bytes.
"""

import dataclasses
import datetime
import json
import threading
import time
import typing

from keystoneauth1 import loading
from nova import context as nova_context
from nova.image import glance
from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova import bitstream_images, functions

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

TAG = "FPGA"

#: Seconds after which all is listed anew: what was deleted is in no list of changes.
_WHOLE = 600.0
#: Bitstreams that are known at once, those that changed last.
_MOST = 1000
#: Glance's clock and the order of its writes are not exact.
_OVERLAP = datetime.timedelta(seconds=5)


@dataclasses.dataclass(frozen=True)
class Bitstream:
    """A bitstream image that has a function and a target.

    :ivar function: in its one spelling
    :ivar part: None where any part of the board will do
    :ivar digest: of the package, as Glance computed it (``os_hash_value``)
    :ivar changed: when its record changed last
    """

    id: str
    function: str
    board: str
    part: str | None
    version: str
    owner: str | None
    public: bool
    signed: bool
    digest: str | None
    changed: datetime.datetime


class Catalogue:
    """What is known of Glance's bitstreams; the audit refreshes it, builds read it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bitstreams: dict[str, Bitstream] = {}
        self._latest: datetime.datetime | None = None
        self._whole_at: float | None = None
        self._context: nova_context.RequestContext | None = None

    @property
    def known(self) -> bool:
        """Whether Glance has answered once."""
        return self._whole_at is not None

    def get(self, image_id: str) -> Bitstream | None:
        """A bitstream by its id; None where it is not known."""
        return self._bitstreams.get(image_id)

    def all(self) -> tuple[Bitstream, ...]:
        """All that are known."""
        return tuple(self._bitstreams.values())

    def refresh(self) -> None:
        """List what has changed; where Glance does not answer, what was known stays.

        Nothing is asked where the operator accepts no bitstreams by their function.
        """
        with self._lock:
            if not CONF.fpga.function_bitstreams:
                self._bitstreams, self._whole_at = {}, None
                return
            try:
                self._refresh()
            except bitstream_images.FAILURES as e:
                LOG.warning("Glance does not list its bitstreams, so what was known stays: %s", e)

    def _refresh(self) -> None:
        now = time.monotonic()
        whole = self._whole_at is None or now - self._whole_at >= _WHOLE or self._latest is None
        filters = {"tag": [TAG], "container_format": "fpga", "visibility": "all"}
        if not whole and self._latest is not None:
            filters["changes-since"] = (self._latest - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ")
        images = glance.API().get_all(
            self._asker(), filters=filters, sort_key="updated_at", sort_dir="desc", limit=_MOST
        )
        found = {} if whole else dict(self._bitstreams)
        for image in images:
            bitstream = read(image)
            if bitstream is None:
                found.pop(image["id"], None)
            else:
                found[bitstream.id] = bitstream
        latest = sorted(found.values(), key=lambda one: one.changed, reverse=True)[:_MOST]
        self._bitstreams = {one.id: one for one in latest}
        self._latest = latest[0].changed if latest else None
        if whole:
            self._whole_at = now

    def _asker(self) -> nova_context.RequestContext:
        """Nova's own user, as it is in ``[placement]``: no other is in each release's nova.conf."""
        if self._context is None:
            auth = loading.load_auth_from_conf_options(CONF, "placement")
            self._context = nova_context.RequestContext(
                is_admin=True, overwrite=False, user_auth_plugin=auth
            )
        return self._context


def read(image: typing.Mapping[str, typing.Any]) -> Bitstream | None:
    """A bitstream as Nova's image API gives it; None for what no host could choose."""
    properties = image.get("properties") or {}
    function = functions.canonical(str(properties.get("type") or ""))
    manifest = _manifest(properties.get("manifest"))
    target = manifest.get("target")
    target = target if isinstance(target, dict) else {}
    board = properties.get("board") or target.get("board")
    good = image.get("status") == "active" and image.get("container_format") == "fpga"
    changed = image.get("updated_at")
    if not (good and function and isinstance(board, str) and changed):
        return None
    part = properties.get("part") or target.get("part")
    return Bitstream(
        id=image["id"],
        function=function,
        board=board,
        part=part if isinstance(part, str) else None,
        version=str(manifest.get("version") or properties.get("version") or ""),
        owner=image.get("owner"),
        public=bool(image.get("is_public")),
        signed=bool(properties.get("img_signature")),
        digest=image.get("os_hash_value") or properties.get("os_hash_value"),
        changed=_aware(changed),
    )


def _manifest(text: typing.Any) -> dict[str, typing.Any]:
    """The manifest in a property, which anybody may have written; empty where it is none."""
    try:
        document = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _aware(time_of_change: datetime.datetime) -> datetime.datetime:
    if time_of_change.tzinfo is None:
        return time_of_change.replace(tzinfo=datetime.UTC)
    return time_of_change


#: That of this service.
ours = Catalogue()
