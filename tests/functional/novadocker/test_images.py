# SPDX-License-Identifier: Apache-2.0
"""Images by Glance's id and digest, in a real Docker Engine."""

import concurrent.futures
import gzip
import io
import json
import tarfile

import pytest
from nova import exception

from novadocker import errors, images


def _members(archive):
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened}


def _archive(members):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def _changed(archive, change, *names):
    """The archive with another configuration, and names."""
    members = _members(archive)
    config = json.loads(members[json.loads(members["manifest.json"])[0]["Config"]])
    change(config)
    manifest = [{"Config": "config.json", "RepoTags": names, "Layers": ["layer.tar"]}]
    return _archive(
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
    members = _members(archive)
    entries = json.loads(members["manifest.json"]) * 2
    image = glance.add(_archive({**members, "manifest.json": json.dumps(entries).encode()}))
    _refused(servers, image, "it holds 2 images")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda archive: b"no archive" * 1000, "not a tar archive"),
        (gzip.compress, "compressed"),
        (lambda archive: _archive({"file": b""}), "no manifest.json"),
        (lambda archive: _archive({"manifest.json": b"{"}), "cannot be read"),
        (lambda archive: _archive({"manifest.json": b"[{}]"}), "does not name"),
        (lambda archive: archive[: len(archive) // 2], "cannot be read|not a tar"),
    ],
    ids=["text", "gzip", "empty", "no json", "no config", "cut"],
)
def test_what_is_no_archive_is_refused(servers, glance, archive, make, reason):
    _refused(servers, glance.add(make(archive)), reason)


def test_a_layer_with_another_digest_is_refused_by_the_engine(servers, glance, archive):
    def change(config):
        config["rootfs"]["diff_ids"] = ["sha256:" + "1" * 64]

    with pytest.raises(errors.EngineRefused, match=r"did not load image .* diffID"):
        servers.spawn(servers.instance(), glance.add(_changed(archive, change)))


def test_names_in_an_archive_are_not_taken_over(servers, glance, archive):
    other = _spawn(servers, servers.image)
    taken = next(tag for tag in other.image.tags if servers.image.id in tag)

    def change(config):
        config["config"]["Env"].append("OTHER=1")

    made = _spawn(servers, glance.add(_changed(archive, change, taken, "busybox:1")))
    assert "OTHER=1" in made.attrs["Config"]["Env"]
    assert servers.client.images.get(taken).id == other.image.id
    assert not any(tag.startswith("busybox") for tag in made.image.tags)


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
