# SPDX-License-Identifier: Apache-2.0
"""Images by Glance's id and digest, in a real Docker Engine."""

import concurrent.futures
import dataclasses
import functools
import io
import json
import tarfile
import time

import pytest
from nova import exception

from novadocker import errors, images
from tests.support import container_images as archives


def _members(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened}


def _image(archive, **changes):
    """The demo's image, to be put into archives."""
    members = _members(archive)
    config = json.loads(members[json.loads(members["manifest.json"])[0]["Config"]])
    return archives.Image((members["layer.tar"],), extra={"config": config["config"]}, **changes)


def _changed(archive, change, *names):
    """The archive with another configuration, and names."""
    members = _members(archive)
    config = json.loads(members[json.loads(members["manifest.json"])[0]["Config"]])
    change(config)
    manifest = [{"Config": "config.json", "RepoTags": names, "Layers": ["layer.tar"]}]
    return archives.tar(
        {
            "config.json": json.dumps(config).encode(),
            "layer.tar": members["layer.tar"],
            "manifest.json": json.dumps(manifest).encode(),
        }
    )


def _spawn(servers, image):
    instance = servers.instance()
    servers.spawn(instance, image)
    return servers.container(instance)


def _refused(servers, image, reason):
    with pytest.raises(exception.ImageUnacceptable, match=reason):
        servers.spawn(servers.instance(), image)
    assert servers.client.containers.list(all=True) == []


def test_an_image_is_known_by_its_id_and_digest(servers, glance):
    container = _spawn(servers, servers.image)
    digest = glance.images[servers.image.id][0]["os_hash_value"]
    assert f"fpga-nova/{servers.image.id}:{digest[:32]}" in container.image.tags


def test_an_image_is_fetched_once(servers, glance):
    first = _spawn(servers, servers.image)
    second = _spawn(servers, servers.image)
    assert first.image.id == second.image.id
    assert glance.downloads == 1


def test_images_with_the_same_content_are_each_verified(servers, glance, archive):
    _spawn(servers, servers.image)
    _spawn(servers, glance.add(archive))
    assert glance.downloads == 2


def test_spawns_at_the_same_time_fetch_once(servers, glance):
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        instances = [servers.instance() for _ in range(3)]
        list(pool.map(servers.spawn, instances))
    assert glance.downloads == 1
    assert len(servers.client.containers.list()) == 3


def test_two_images_with_the_same_content_have_a_name_each(servers, glance, archive):
    other = glance.add(archive)
    assert _spawn(servers, servers.image).image.id == _spawn(servers, other).image.id
    names = servers.client.images.list(filters={"reference": f"fpga-nova/{other.id}"})
    assert len(names) == 1


def test_nothing_of_a_fetch_stays_on_disk(servers, tmp_path):
    _spawn(servers, servers.image)
    assert not list((tmp_path / "instances").glob("docker-image-*"))


def test_a_wrong_digest_is_refused(servers, glance, archive):
    _refused(servers, glance.add(archive, os_hash_value="0" * 128), "its digest is wrong")


def test_a_digest_of_an_unknown_kind_is_refused(servers, glance, archive):
    _refused(servers, glance.add(archive, os_hash_algo="crc7"), "unknown kind crc7")


def test_an_image_without_a_digest_is_taken(servers, glance, archive):
    image = glance.add(archive, os_hash_algo=None, os_hash_value=None)
    assert f"fpga-nova/{image.id}:unverified" in _spawn(servers, image).image.tags


def test_a_wrong_container_format_is_refused(servers, glance, archive):
    image = glance.add(archive, container_format="bare")
    _refused(servers, image, "container format is bare, needs docker")
    assert glance.downloads == 0


def test_an_archive_with_two_images_is_refused(servers, glance, archive):
    image = _image(archive)
    other = dataclasses.replace(image, layers=(*image.layers, archives.tar({})))
    _refused(
        servers,
        glance.add(archives.tar(archives.docker_members(image, other))),
        "it holds 2 images",
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda archive: b"no archive" * 1000, "not a tar archive"),
        (lambda archive: archives.tar({"file": b""}), "neither manifest.json nor index.json"),
        (lambda archive: archives.tar({"manifest.json": b"{"}), "is not JSON"),
        (lambda archive: archives.tar({"manifest.json": b"[{}]"}), "does not name"),
        (lambda archive: archive[: len(archive) // 2], "cut short"),
    ],
    ids=["text", "empty", "no json", "no config", "cut"],
)
def test_what_is_no_archive_is_refused(servers, glance, archive, make, reason):
    _refused(servers, glance.add(make(archive)), reason)


def test_a_layer_with_another_digest_is_refused(servers, glance, archive):
    def change(config):
        config["rootfs"]["diff_ids"] = ["sha256:" + "1" * 64]

    _refused(servers, glance.add(_changed(archive, change)), "has not the digest")


_TOOLS = {
    "gzip": lambda image: archives.PACKERS["gzip"](archives.tar(archives.docker_members(image()))),
    "zstd": lambda image: archives.PACKERS["zstd"](archives.tar(archives.docker_members(image()))),
    "kaniko": lambda image: archives.tar(
        archives.docker_members(image(packer="gzip"), tags=["registry.example/app:1"])
    ),
    "skopeo": lambda image: archives.tar(archives.oci_members(image(packer="gzip"))),
    "podman": lambda image: archives.PACKERS["gzip"](
        archives.tar(archives.oci_members(image(packer="zstd")))
    ),
    "buildx": lambda image: archives.tar(
        archives.oci_members(image(packer="gzip"), image(architecture="arm64"), nested=True)
    ),
    "docker 25": lambda image: archives.tar(
        {**archives.oci_members(image()), **archives.docker_members(image())}
    ),
    "several": lambda image: archives.tar(
        archives.docker_members(image(architecture="arm64"), image())
    ),
}


@pytest.mark.parametrize("tool", _TOOLS)
def test_archives_of_other_tools_are_served(servers, glance, archive, tool):
    instance = servers.instance()
    image = functools.partial(_image, archive)
    servers.spawn(instance, glance.add(_TOOLS[tool](image)))
    assert servers.run(instance, "echo runs") == (0, "runs\n")


def test_another_architecture_is_refused_with_the_reason(servers, glance, archive):
    arm = dataclasses.replace(_image(archive), architecture="arm64")
    for members in (archives.docker_members(arm), archives.oci_members(arm)):
        _refused(
            servers, glance.add(archives.tar(members)), "it is for arm64, and this host is amd64"
        )


def _with_layer(packed, diff=f"sha256:{'0' * 64}"):
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"diff_ids": [diff]}}
    entry = {"Config": "c", "RepoTags": None, "Layers": ["l"]}
    manifest = json.dumps([entry]).encode()
    return archives.tar({"c": json.dumps(config).encode(), "l": packed, "manifest.json": manifest})


def test_an_archive_that_goes_backwards_is_refused_at_once(servers, glance):
    # CVE-2025-8194: a reader that trusts the size of the second entry never ends.
    data = archives.header("manifest.json", archives.octal(0)) + archives.header(
        "a", archives.binary(-512)
    )
    start = time.monotonic()
    for archive in (data + bytes(1024), _with_layer(data)):
        _refused(servers, glance.add(archive), "impossible size")
    assert time.monotonic() - start < 60


def _all_sizes(client):
    return sum(image["Size"] for image in client.api.images(all=True))


def test_an_image_that_unpacks_to_too_much_is_refused_and_never_loaded(servers, glance, config):
    config(image_max_unpacked_size=100, group="docker")
    before = _all_sizes(servers.client)
    layer = archives.pax({"GNU.sparse.realsize": str(1 << 40), "GNU.sparse.map": "0,1"})
    layer += archives.header("a", archives.octal(1)) + archives.padded(b"x") + bytes(1024)
    for packed in (archives.zeros(1 << 30), layer):
        archive = _with_layer(packed, archives.digest(packed))
        assert len(archive) < 2 << 20
        _refused(servers, glance.add(archive), "unpack to more than 100 MiB")
    assert _all_sizes(servers.client) == before


def test_an_image_with_too_many_files_is_refused(servers, glance, config, archive):
    config(image_max_files=10, group="docker")
    _refused(servers, glance.add(archive), "more than 10 files")


def test_an_image_that_is_too_large_is_not_fetched(servers, glance, config, archive):
    config(image_max_size=1, group="docker")
    _refused(servers, glance.add(archive, size=len(archive)), "larger than 1 MiB")
    assert glance.downloads == 0
    _refused(servers, glance.add(archive), "larger than 1 MiB")


def test_reading_that_takes_too_long_does_not_blame_the_image(servers, glance, config, archive):
    config(image_read_timeout=1, group="docker")
    config(image_max_unpacked_size=20480, group="docker")
    with pytest.raises(errors.ImageNotReady, match="not read to its end"):
        servers.spawn(servers.instance(), glance.add(_with_layer(archives.zeros(8 << 30))))


def test_what_the_engine_refuses_is_reported_and_leaves_no_image(servers, glance):
    layer = archives.header("odd", archives.octal(0), b"?") + bytes(1024)
    image = glance.add(_with_layer(layer, archives.digest(layer)))
    for _ in range(2):
        with pytest.raises(errors.EngineRefused, match=r"did not load image .*unhandled tar"):
            servers.spawn(servers.instance(), image)


def test_names_in_an_archive_are_not_taken_over(servers, glance, archive):
    other = _spawn(servers, servers.image)
    taken = next(tag for tag in other.image.tags if servers.image.id in tag)

    def change(config):
        config["config"]["Env"].append("OTHER=1")

    container = _spawn(servers, glance.add(_changed(archive, change, taken, "busybox:1")))
    assert "OTHER=1" in container.attrs["Config"]["Env"]
    assert servers.client.images.get(taken).id == other.image.id
    assert not any(tag.startswith("busybox") for tag in container.image.tags)


def test_what_docker_save_writes_is_taken(servers, glance):
    saved = b"".join(_spawn(servers, servers.image).image.save(named=True))
    assert _spawn(servers, glance.add(saved)).status in ("created", "running")


def test_an_image_without_a_command_is_refused(servers, glance, archive):
    image = glance.add(_changed(archive, lambda config: config["config"].pop("Cmd")))
    _refused(servers, image, "os_command_line")


def test_the_name_of_an_image_changes_with_its_digest():
    names = {
        images.reference("id", {"os_hash_algo": "sha512", "os_hash_value": d * 128}) for d in "ab"
    }
    assert names == {f"fpga-nova/id:{d * 32}" for d in "ab"}
