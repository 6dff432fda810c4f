# SPDX-License-Identifier: Apache-2.0
"""Which image of an archive is taken, of whatever tool the archive is."""

import json
import time

import pytest

from fpga_nova.container_image.limits import Refused
from tests.support import container_images as archives
from tests.support.container_images import Image
from tests.unit.fpga_nova.container_image.conftest import layers, read_here

ONE = archives.tar({"one": b"1" * 700})
TWO = archives.tar({"two": b"2"})
IMAGE = Image((ONE, TWO))
ARM = Image((TWO,), architecture="arm64")


@pytest.mark.parametrize("packer", archives.PACKERS)
@pytest.mark.parametrize("whole", archives.PACKERS)
def test_layers_and_archives_of_any_compression_are_read(packer: str, whole: str) -> None:
    image = Image((ONE, TWO), packer=packer)
    for members in (archives.docker_members(image), archives.oci_members(image)):
        assert layers(read_here(archives.PACKERS[whole](archives.tar(members)))) == [ONE, TWO]


def test_streams_that_follow_one_another_are_one_as_pigz_and_zstd_write_them() -> None:
    for name in ("gzip", "zstd", "bzip2", "xz"):
        data = archives.tar(archives.docker_members(IMAGE))
        pack = archives.PACKERS[name]
        assert layers(read_here(pack(data[:1000]) + pack(data[1000:]))) == [ONE, TWO]
        if name != "zstd":  # which is not told that nothing follows
            assert layers(read_here(pack(data) + bytes(3000))) == [ONE, TWO]


@pytest.mark.parametrize("packer", ["gzip", "bzip2", "xz"])
def test_a_layer_of_thousands_of_streams_is_one_as_estargz_has_one_for_each_file(
    packer: str,
) -> None:
    layer = archives.tar({f"file{number}": b"x" * 700 for number in range(900)})
    cut = [layer[start : start + 512] for start in range(0, len(layer), 512)]
    image = Image((layer,))
    members = archives.docker_members(image)
    (name,) = json.loads(members["manifest.json"])[0]["Layers"]
    members[name] = b"".join(map(archives.PACKERS[packer], cut))
    assert layers(read_here(archives.tar(members))) == [layer]


def test_an_archive_of_docker_25_names_its_image_twice_and_has_one() -> None:
    members = {**archives.oci_members(IMAGE), **archives.docker_members(IMAGE)}
    assert layers(read_here(archives.tar(members))) == [ONE, TWO]


def test_names_and_other_files_are_left_out() -> None:
    members = archives.docker_members(IMAGE, tags=["fpga-nova/other:1", "busybox:latest"])
    read = read_here(archives.tar({**members, "repositories": b"{}", "VERSION": b"1.0"}))
    assert json.loads(read["manifest.json"])[0]["RepoTags"] == ["name:1"]


def test_links_are_followed_as_skopeo_and_old_engines_make_them() -> None:
    members = archives.docker_members(IMAGE)
    (entry,) = json.loads(members.pop("manifest.json"))
    entry["Layers"] = ["a/layer.tar", "b/layer.tar"]
    real = f"{archives.digest(ONE)[7:]}/layer.tar"
    links = {"a/layer.tar": f"->../{real}".encode(), "b/layer.tar": b"=>c"}
    data = {**members, **links, "c": TWO, "manifest.json": json.dumps([entry]).encode()}
    assert layers(read_here(archives.tar(data))) == [ONE, TWO]


def test_names_with_a_dot_before_them_are_the_same() -> None:
    dotted = {f"./{name}": data for name, data in archives.docker_members(IMAGE).items()}
    assert layers(read_here(archives.tar(dotted))) == [ONE, TWO]


def test_a_layer_that_occurs_twice_is_written_once() -> None:
    read = read_here(archives.tar(archives.docker_members(Image((ONE, TWO, ONE)))))
    assert layers(read) == [ONE, TWO, ONE]
    assert len(read) == 4


@pytest.mark.parametrize(("host", "expected"), [("amd64", [ONE, TWO]), ("arm64", [TWO])])
def test_the_host_s_architecture_is_taken_of_several(host: str, expected: list[bytes]) -> None:
    for members in (
        archives.docker_members(IMAGE, ARM),
        archives.oci_members(IMAGE, ARM, nested=True),
    ):
        assert layers(read_here(archives.tar(members), architecture=host)) == expected


def test_what_the_processor_runs_besides_is_taken_where_nothing_is_better() -> None:
    old = Image((TWO,), architecture="386")
    assert layers(read_here(archives.tar(archives.docker_members(old)))) == [TWO]
    assert layers(read_here(archives.tar(archives.docker_members(old, IMAGE)))) == [ONE, TWO]


def test_an_image_without_an_architecture_is_taken() -> None:
    image = Image((ONE,), extra={"architecture": ""})
    assert layers(read_here(archives.tar(archives.docker_members(image)))) == [ONE]


@pytest.mark.parametrize("make", [archives.docker_members, archives.oci_members])
def test_another_architecture_is_refused_with_both_names(make: object) -> None:
    with pytest.raises(Refused, match="it is for arm64, and this host is amd64"):
        read_here(archives.tar(make(ARM)))  # type: ignore[operator]


@pytest.mark.parametrize("make", [archives.docker_members, archives.oci_members])
def test_two_images_of_one_architecture_are_refused(make: object) -> None:
    with pytest.raises(Refused, match="it holds 2 images for amd64, and must hold one"):
        read_here(archives.tar(make(IMAGE, Image((ONE,)))))  # type: ignore[operator]


def test_an_image_of_windows_is_none() -> None:
    with pytest.raises(Refused, match="no image of Linux"):
        read_here(archives.tar(archives.docker_members(Image((ONE,), os="windows"))))


def _manifest(**changes: object) -> bytes:
    members = archives.docker_members(IMAGE)
    (entry,) = json.loads(members["manifest.json"])
    return archives.tar({**members, "manifest.json": json.dumps([{**entry, **changes}]).encode()})


def _index(text: bytes) -> bytes:
    return archives.tar({**archives.oci_members(IMAGE), "index.json": text})


def _nested(levels: int, times: int) -> bytes:
    """An image behind indexes, each of which names the next one a number of times."""
    members = archives.oci_members(IMAGE)
    index = json.loads(members["index.json"])
    for _ in range(levels):
        data = json.dumps(index).encode()
        kind = "application/vnd.oci.image.index.v1+json"
        index = {"manifests": [{"mediaType": kind, "digest": archives.digest(data)}] * times}
        members[f"blobs/{archives.digest(data).replace(':', '/')}"] = data
    return archives.tar({**members, "index.json": json.dumps(index).encode()})


def _clean(**changes: object) -> dict[str, object]:
    read = read_here(_config(**changes))
    (entry,) = json.loads(read["manifest.json"])
    config = json.loads(read[entry["Config"]])
    assert isinstance(config, dict)
    return config


def test_the_engine_gets_of_a_configuration_what_a_container_needs() -> None:
    needed = {
        "User": "1:2",
        "WorkingDir": "/x",
        "StopSignal": "SIGINT",
        "Env": ["A=\ud800"],
        "Cmd": ["/x"],
        "Entrypoint": ["/y"],
    }
    root = {"type": "layers", "diff_ids": [archives.digest(ONE)]}
    others = {
        "Volumes": {"/": {}},
        "Healthcheck": {},
        "Labels": {"a": "b"},
        "user": "0",
        "Shell": ["z"],
    }
    clean = _clean(config={**needed, **others}, variant="v8", ROOTFS={"diff_ids": []}, OS="plan9")
    system = {"architecture": "amd64", "variant": "v8", "os": "linux"}
    assert clean == {**system, "config": needed, "rootfs": root}


def test_what_a_configuration_leaves_empty_is_not_in_the_new_one() -> None:
    assert _clean(config={"Cmd": "/x", "Env": None, "User": ""})["config"] == {"Cmd": ["/x"]}
    assert _clean(config=None)["config"] == {}


def test_indexes_that_name_each_other_many_times_are_read_once() -> None:
    archive = _nested(levels=3, times=100)
    start = time.monotonic()
    assert layers(read_here(archive)) == [ONE, TWO]
    assert time.monotonic() - start < 5


def _changed_blob() -> bytes:
    members = archives.oci_members(IMAGE)
    name = f"blobs/{archives.digest(IMAGE.config).replace(':', '/')}"
    return archives.tar({**members, name: IMAGE.config + b" "})


def _config(**changes: object) -> bytes:
    return archives.tar(archives.docker_members(Image((ONE,), extra=changes)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (archives.tar({"file": b""}), "neither manifest.json nor index.json"),
        (archives.tar({"manifest.json": b"{"}), "is not JSON"),
        (archives.tar({"manifest.json": b"[" * 100000}), "is not JSON"),
        (archives.tar({"manifest.json": b"\xff"}), "is not JSON"),
        (archives.tar({"manifest.json": b"{}"}), "not a list of images"),
        (archives.tar({"manifest.json": b"[[]]"}), "not a list of images"),
        (archives.tar({"manifest.json": b"[]"}), "no image of Linux"),
        (archives.tar({"manifest.json": b"[{}]"}), "does not name"),
        (archives.tar({"manifest.json": json.dumps([{}] * 101).encode()}), "101 images"),
        (archives.tar({"manifest.json": b" " * (5 << 20)}), "larger than"),
        (archives.tar({"manifest.json": b"->manifest.json"}), "neither"),
        (archives.tar({"manifest.json": b"->/etc/passwd"}), "neither"),
        (_manifest(Config="missing"), "lacks the file 'missing'"),
        (_manifest(Layers=["missing"] * 2), "lacks the file 'missing'"),
        (_manifest(Layers=["x"] * 126), "125 are the most"),
        (_manifest(Layers=[1]), "does not name"),
        (_manifest(Layers=[]), "0 layers, its configuration 2"),
        (_config(rootfs=None), "no list of layers"),
        (_config(rootfs={"diff_ids": ["md5:1"]}), "digest that is not valid"),
        (_config(rootfs={"diff_ids": [f"sha256:{'1' * 64}"]}), "has not the digest"),
        (_config(architecture=["amd64"]), "no proper architecture"),
        (_config(config=["x"]), "no proper config"),
        (_config(config={"Env": {"A": "1"}}), "no proper Env"),
        (_config(config={"Cmd": [1]}), "no proper Cmd"),
        (_config(config={"User": 0.5}), "no proper User"),
        (_config(config={"Env": ["A=" + "x" * (256 << 10)]}), "more than 256 KiB"),
        (_index(b"[]"), "not a list of at most"),
        (_index(b'{"manifests": [1]}'), "names something"),
        (_index(b'{"manifests": [{"digest": "sha256:../../x"}]}'), "digest that is not valid"),
        (_index(json.dumps({"manifests": [{}] * 101}).encode()), "not a list of at most"),
        (_index(b'{"manifests": []}'), "no image of Linux"),
        (_nested(levels=9, times=1), "not a list of at most"),
        (_changed_blob(), "does not have its digest"),
        (
            archives.PACKERS["gzip"](archives.tar(archives.docker_members(IMAGE)))[:-100],
            "cut short",
        ),
        (archives.PACKERS["gzip"](b"no archive" * 100), "not a tar archive"),
        (archives.PACKERS["gzip"](archives.tar({})) + b"more", "cannot be unpacked"),
        (b"\x1f\x8b" + b"x" * 100, "cannot be unpacked"),
        (b"BZh" + b"x" * 100, "cannot be unpacked"),
        (b"\xfd7zXZ\0" + b"x" * 100, "cannot be unpacked"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 100, "cannot be unpacked"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_image_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_here(data)
