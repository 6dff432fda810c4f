# SPDX-License-Identifier: Apache-2.0
"""What the configuration of an image may have a real Docker Engine do, and what not."""

import io
import tarfile

import pytest
from nova import exception

from novadocker import errors, images
from tests.support import container_images as archives


def _spawn(servers, image):
    instance = servers.instance()
    servers.spawn(instance, image)
    return servers.container(instance)


def test_an_image_gets_no_volumes(servers, image):
    # The engine copies what the image has there to each of them, beside every limit.
    before = servers.client.volumes.list()
    container = _spawn(servers, image({"Volumes": {"/bin": {}}, "volume\u017f": {"/etc": {}}}))
    assert container.attrs["Mounts"] == []
    assert servers.client.volumes.list() == before


def test_an_image_has_the_engine_run_no_health_checks(servers, image):
    # Each runs runc on the host, outside of the container's limits.
    check = {"Test": ["CMD", "true"], "Interval": 1000000}
    container = _spawn(servers, image({"Healthcheck": check}))
    assert "Health" not in container.attrs["State"]


def test_an_image_names_no_layers_besides_those_that_were_read(servers, image, archive):
    # Go reads keys whatever their case, the last one of two; the engine does not read a layer of
    # an archive if it has one of that digest, be it another tenant's.
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        theirs = archives.digest(opened.extractfile("layer.tar").read())
    servers.boot()
    own = archives.tar({"own": b"x"})
    lie = image({}, [own], ROOTFS={"type": "layers", "diff_ids": [theirs]})
    for _ in range(2):
        assert _layers(_spawn(servers, lie)) == [archives.digest(own)]


def test_an_image_that_came_out_otherwise_is_not_used_by_the_next_boot(servers, image, monkeypatch):
    real = images._rewrite
    other = image({})
    monkeypatch.setattr(images, "_rewrite", lambda *args: [*real(*args), "sha256:more"])
    for _ in range(2):
        with pytest.raises(errors.EngineRefused, match="other layers"):
            _spawn(servers, other)
    assert _tags(servers, other) == []


def test_an_image_of_more_layers_than_the_engine_takes_is_refused(servers, image):
    many = [archives.tar({str(number): b""}) for number in range(126)]
    with pytest.raises(exception.ImageUnacceptable, match="125 are the most"):
        _spawn(servers, image({}, many))
    assert len(_layers(_spawn(servers, image({}, many[:125])))) == 125


def _layers(container):
    return container.image.attrs["RootFS"]["Layers"]


def _tags(servers, image):
    found = servers.client.images.list()
    return [tag for one in found for tag in one.tags if image.id in tag]
