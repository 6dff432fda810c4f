# SPDX-License-Identifier: Apache-2.0
"""What is taken over from an archive that a user uploaded, and what is not."""

import hashlib
import io
import json
import tarfile

import pytest

from novadocker import archive


def _tar(members):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as opened:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if content.startswith(b"->"):
                member.type, member.linkname = tarfile.SYMTYPE, content[2:].decode()
                opened.addfile(member)
                continue
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    made.seek(0)
    return made


def _manifest(*layers, config="c.json", tags=()):
    entry = {"Config": config, "RepoTags": list(tags), "Layers": list(layers)}
    return json.dumps([entry]).encode()


def _rewrite(members):
    target = io.BytesIO()
    image_id = archive.rewrite(_tar(members), target)
    target.seek(0)
    with tarfile.open(fileobj=target) as opened:
        return image_id, {m.name: opened.extractfile(m).read() for m in opened}


def test_the_id_is_the_digest_of_the_configuration():
    image_id, _ = _rewrite({"c.json": b"{}", "l": b"layer", "manifest.json": _manifest("l")})
    assert image_id == f"sha256:{hashlib.sha256(b'{}').hexdigest()}"


def test_names_and_other_files_are_left_out():
    _, found = _rewrite(
        {
            "c.json": b"{}",
            "l": b"layer",
            "other": b"x",
            "repositories": b"{}",
            "manifest.json": _manifest("l", tags=["fpga-nova/other:1"]),
        }
    )
    manifest = json.loads(found.pop("manifest.json"))
    assert manifest[0]["RepoTags"] is None
    assert sorted(found.values()) == [b"layer", b"{}"]
    assert found[manifest[0]["Layers"][0]] == b"layer"


def test_a_layer_that_occurs_twice_is_written_once():
    _, found = _rewrite({"c.json": b"{}", "l": b"layer", "manifest.json": _manifest("l", "l")})
    assert json.loads(found["manifest.json"])[0]["Layers"] == ["layer-0.tar"] * 2
    assert len(found) == 3


def test_a_link_inside_the_archive_is_followed():
    members = {"c.json": b"{}", "a/l": b"layer", "b/l": b"->../a/l"}
    _, found = _rewrite({**members, "manifest.json": _manifest("b/l")})
    assert found["layer-0.tar"] == b"layer"


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"manifest.json": _manifest("l")}, "c.json"),
        ({"c.json": b"{}", "manifest.json": _manifest("l")}, "'l'"),
        ({"c.json": b"->c.json", "manifest.json": _manifest()}, "cannot be read"),
        ({"c.json": b"->/etc/passwd", "manifest.json": _manifest()}, "cannot be read"),
        ({"c.json": b" " * (5 << 20), "manifest.json": _manifest()}, "larger than"),
        ({"c.json": b"{}", "manifest.json": _manifest(*["l"] * 129)}, "128 layers"),
        ({"manifest.json": b"{}"}, "not a list"),
        ({"manifest.json": b"[]"}, "holds 0 images"),
        ({"manifest.json": b"[[]]"}, "not a list of images"),
        ({"manifest.json": b"[" * 100000}, "cannot be read"),
        ({"manifest.json": b"\xff"}, "cannot be read"),
        ({"index.json": b"{}"}, "docker save"),
    ],
)
def test_what_is_no_image_is_refused(members, reason):
    with pytest.raises(archive.BadArchive, match=reason):
        archive.rewrite(_tar(members), io.BytesIO())
