# SPDX-License-Identifier: Apache-2.0
"""The engine reads packages of raw Glance in turn, and one that it cannot have stops no other."""

import typing

import pytest

from fpga_api import errors
from fpga_api.bitstreams import glance, lookup
from fpga_api.service import Service
from tests.support import api as support
from tests.support.claims import image


class Looks:
    """A Glance with images whose data is no package.

    :ivar images: the newest first
    :ivar downloads: ids, in their order
    :ivar broken: ids of those whose data Glance does not give
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images: list[glance.Image] = []
        self.downloads: list[str] = []
        self.broken: dict[str, errors.ApiError] = {}
        monkeypatch.setattr(glance.Glance, "page", lambda *_arguments: list(self.images))
        monkeypatch.setattr(glance.Glance, "download", self._download)
        service = Service(support.configuration())
        monkeypatch.setattr(service, "adapter", lambda _kind: None)
        self.lookup = lookup.Lookup(service)

    def add(self, image_id: str, owner: str) -> None:
        """Upload an image."""
        self.images.insert(0, image(image_id, owner=owner, os_hash_value=f"digest of {image_id}"))

    def _download(self, image_id: str, _size: int) -> typing.Iterator[bytes]:
        self.downloads.append(image_id)
        if image_id in self.broken:
            raise self.broken[image_id]
        yield b"no package"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


def test_project_with_many_images_keeps_no_other_waiting(looks: Looks) -> None:
    for number in range(3 * lookup.DOWNLOADS):
        looks.add(f"{number}", "many")
    looks.lookup.refresh()
    assert len(looks.downloads) == lookup.DOWNLOADS
    looks.add("one", "few")
    looks.lookup.refresh()
    assert "one" in looks.downloads[lookup.DOWNLOADS :]


@pytest.mark.parametrize("kind", [errors.GlanceUnavailable, errors.Forbidden])
def test_image_that_glance_does_not_give_stops_no_other(
    looks: Looks, kind: type[errors.ApiError]
) -> None:
    looks.add("good", "p")
    looks.add("broken", "p")
    looks.broken["broken"] = kind("no")
    looks.lookup.refresh()
    assert looks.downloads == ["broken", "good"]
    del looks.broken["broken"]
    looks.lookup.refresh()
    assert looks.downloads == ["broken", "good", "broken"]
