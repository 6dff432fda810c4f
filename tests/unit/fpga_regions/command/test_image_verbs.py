# SPDX-License-Identifier: Apache-2.0
"""The verb `image` as people meet it: packages checked, made and uploaded."""

import json
import os
import pty
import re
import signal
import subprocess
import typing
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from fpga_regions.package import manifest
from tests.support import bitstreams, keys
from tests.support.host import Host, wait_until
from tests.support.openstack import PASSWORD, USER, OpenStack

OPTIONS = (
    *("--name", "lzo", "--version", "1.0", "--vendor", "fpga-nova"),
    *("--function", "lzo1x_compress", "--board", "emulator", "--part", "software"),
    *("--node", "socket:/dev/fpga0"),
)
#: As Glance 31 answers where container_formats does not have fpga.
UNKNOWN_FORMAT = """<html><head><title>400 Bad Request</title></head><body>
<h1>400 Bad Request</h1> Provided object does not match schema &#x27;image&#x27;: &#x27;fpga&#x27;
is not one of [None, &#x27;ami&#x27;, &#x27;bare&#x27;]<br /><br /></body></html>"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    file = tmp_path / "package.zip"
    file.write_bytes(bitstreams.package(type="compression"))
    return file


@pytest.fixture
def bitfile(tmp_path: Path) -> Path:
    file = tmp_path / "core 1.json"
    file.write_bytes(bitstreams.bitfile())
    return file


@pytest.fixture
def key(tmp_path: Path) -> Path:
    pair = ed25519.Ed25519PrivateKey.generate()
    keys.write_public(tmp_path / "public.pem", pair)
    return keys.write_private(tmp_path / "key.pem", pair)


def refusal(ran: "subprocess.CompletedProcess[str]", code: int) -> str:
    """The one line that a failed command prints; nothing else may be printed."""
    assert (ran.returncode, ran.stdout) == (code, "")
    assert re.fullmatch(r"Error: [^\n]+ - [^\n]+\n", ran.stderr)
    return ran.stderr.rstrip("\n")


def done(ran: "subprocess.CompletedProcess[str]") -> str:
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.rstrip("\n")


def build(host: Host, bitfile: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    output = bitfile.with_name("made.zip")
    words = [str(argument) for argument in arguments]
    return host.run("image", "build", "--bitfile", str(bitfile), "--output", str(output), *words)


def members(file: Path) -> dict[str, typing.Any]:
    """The manifest of a package."""
    with zipfile.ZipFile(file) as archive:
        fields: dict[str, typing.Any] = json.loads(archive.read(manifest.FILE))
        return fields


def test_valid_package_is_told_what_it_is(host: Host, package: Path) -> None:
    report = done(host.run("image", "validate", str(package)))
    assert re.fullmatch(
        r"lzo1x_compress 1\.0 of fpga-nova: function lzo1x_compress, board emulator, "
        r"part software, sha256:[0-9a-f]{64}, not signed",
        report,
    )


def test_invalid_package_is_told(host: Host, package: Path) -> None:
    package.write_bytes(bitstreams.without_manifest())
    assert refusal(host.run("image", "validate", str(package)), 66) == (
        f"Error: `{package}' is not valid - it has no manifest.json at its top"
    )


def test_limits_of_the_host_hold(host: Host, package: Path) -> None:
    host.configure(packages__max_size=10)
    assert "(max_size)" in refusal(host.run("image", "validate", str(package)), 66)


def test_no_region_and_no_driver_is_needed(host: Host, package: Path) -> None:
    host.configure(drivers="")
    done(host.run("image", "validate", str(package)))
    assert not host.state.exists()


def test_package_is_built_and_valid(host: Host, bitfile: Path) -> None:
    digest = done(build(host, bitfile, *OPTIONS))
    file = bitfile.with_name("made.zip")
    assert f", {digest}, not signed" in done(host.run("image", "validate", str(file)))
    assert members(file)["bitfile"] == "core_1.json"
    assert members(file)["exposes"] == [{"kind": "socket", "name": "/dev/fpga0"}]


def test_built_package_can_be_burnt(host: Host, cloud: OpenStack, bitfile: Path) -> None:
    done(build(host, bitfile, *OPTIONS))
    host.burn(cloud.add(bitfile.with_name("made.zip").read_bytes()))


def test_template_gives_what_options_do_not(host: Host, bitfile: Path, tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    fields = bitstreams.fields(digests={"sha256": "of another"}, **{"x-commit": "1234"})
    template.write_text(json.dumps(fields))
    done(build(host, bitfile, "--manifest", template, "--version", "2.0", "--part", "other"))
    result = members(bitfile.with_name("made.zip"))
    assert (result["version"], result["vendor"], result["x-commit"]) == ("2.0", "fpga-nova", "1234")
    assert result["target"] == {"board": "emulator", "part": "other"}


def test_signed_package_is_known_by_the_public_key(host: Host, bitfile: Path, key: Path) -> None:
    done(build(host, bitfile, *OPTIONS, "--sign", key))
    file = str(bitfile.with_name("made.zip"))
    assert "signed, not checked" in done(host.run("image", "validate", file))
    host.configure(packages__package_keys=key.with_name("public.pem"))
    assert "signed by a key in package_keys" in done(host.run("image", "validate", file))


def test_package_that_a_stranger_signed_is_not_valid(
    host: Host, bitfile: Path, key: Path, tmp_path: Path
) -> None:
    done(build(host, bitfile, *OPTIONS, "--sign", key))
    other = keys.write_public(tmp_path / "other.pem", ed25519.Ed25519PrivateKey.generate())
    host.configure(packages__package_keys=other)
    ran = host.run("image", "validate", str(bitfile.with_name("made.zip")))
    assert "none of the 1 keys" in refusal(ran, 66)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "'name' is a required property"),
        ((*OPTIONS, "--vendor", "two words"), "$.vendor"),
        ((*OPTIONS, "--sign", "nothing.pem"), "nothing.pem cannot be read: No such file"),
        ((*OPTIONS, "--manifest", "/dev/null"), "/dev/null cannot be read: it is not a file"),
        ((*OPTIONS, "--manifest", "nothing.json"), "nothing.json cannot be read"),
        ((*OPTIONS, "--bitfile", "nothing.bin"), "nothing.bin cannot be read"),
        ((*OPTIONS, "--bitfile", "/dev/full"), "/dev/full cannot be read: it is not a file"),
        ((*OPTIONS, "--bitfile", "/dev/zero"), "/dev/zero cannot be read: it is not a file"),
        ((*OPTIONS, "--bitfile", "/usr"), "/usr cannot be read: it is not a file"),
        ((*OPTIONS, "--sign", "/dev/zero"), "/dev/zero cannot be read: it is not a file"),
        ((*OPTIONS, "--output", "/dev/null"), "it cannot be written: it is there, and not a file"),
        ((*OPTIONS, "--output", "/tmp"), "it cannot be written: it is there, and not a file"),
        ((*OPTIONS, "--output", "/nothing/x.zip"), "it cannot be written: No such file"),
    ],
)
def test_what_cannot_be_built_is_told(
    host: Host, bitfile: Path, arguments: tuple[str, ...], words: str
) -> None:
    line = refusal(build(host, bitfile, *arguments), 66)
    assert line.startswith("Error: cannot make the package `")
    assert words in line
    assert not list(bitfile.parent.glob("*made.zip*"))
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 20_000, "is nested more than 64 levels deep"),
        (b'{"x-a": ' + b"[" * 64 + b"]" * 64 + b"}", "is nested more than 64 levels deep"),
        (b'{"name": "one", "name": "two"}', "a member is given twice"),
        (b'{"target": {"board": "a", "board": "b"}}', "a member is given twice"),
        (b'{"x-a": NaN}', "NaN is not a number"),
        (b'{"x-a": -Infinity}', "-Infinity is not a number"),
        (b'{"x-a": 1e999}', "1e999 is too large a number"),
        (b'{"x-a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b'{"x-a": "\xff"}', "is not JSON"),
        ('{"x-a": 1}'.encode("utf-16"), "is not JSON"),
        (b'\xef\xbb\xbf{"x-a": 1}', "is not JSON"),
        (b'["name"]', "is not a JSON object"),
        (b'{"x-a": "' + b"a" * 70_000 + b'"}', "is over 65536 bytes (max_manifest_size)"),
    ],
    ids=[
        *("deep", "one level too deep", "doubled", "doubled inside", "NaN", "infinity"),
        *("large number", "long number", "no UTF-8", "UTF-16", "mark", "list", "large"),
    ],
)
def test_template_that_readers_may_take_for_different_things_is_refused(
    host: Host, bitfile: Path, tmp_path: Path, text: bytes, words: str
) -> None:
    template = tmp_path / "template.json"
    template.write_bytes(text)
    assert words in refusal(build(host, bitfile, *OPTIONS, "--manifest", template), 66)


def test_what_is_nested_as_deep_as_may_be_is_built_and_valid(
    host: Host, bitfile: Path, tmp_path: Path
) -> None:
    template = tmp_path / "template.json"
    template.write_text('{"x-a": ' + "[" * 63 + '"[{"' + "]" * 63 + "}")
    done(build(host, bitfile, *OPTIONS, "--manifest", template))
    done(host.run("image", "validate", str(bitfile.with_name("made.zip"))))


def test_pipe_is_not_waited_for(host: Host, bitfile: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    line = refusal(build(host, bitfile, *OPTIONS, "--bitfile", pipe), 66)
    assert "pipe cannot be read: it is not a file" in line
    for verb in ("validate", "create"):
        assert "it is not a file" in refusal(host.run("image", verb, str(pipe)), 66)


def test_bitfile_over_the_limit_of_this_host_is_not_read_to_its_end(
    host: Host, bitfile: Path, tmp_path: Path
) -> None:
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(1 << 40)
    line = refusal(build(host, bitfile, *OPTIONS, "--bitfile", large), 66)
    assert "large.bin is over 268435456 bytes (max_bitfile_size)" in line


@pytest.mark.parametrize("size", [1 << 20, 5_000_000])
def test_bitfile_with_little_in_it_makes_a_package_that_its_reader_takes(
    host: Host, bitfile: Path, size: int
) -> None:
    bitfile.write_bytes(bytes(size))
    digest = done(build(host, bitfile, *OPTIONS))
    assert digest in done(host.run("image", "validate", str(bitfile.with_name("made.zip"))))


def test_package_that_this_host_would_refuse_is_not_left(host: Host, bitfile: Path) -> None:
    output = bitfile.with_name("made.zip")
    output.write_bytes(b"what was there")
    host.configure(packages__max_manifest_size=100)
    assert "(max_manifest_size)" in refusal(build(host, bitfile, *OPTIONS), 66)
    assert output.read_bytes() == b"what was there"
    assert len(list(bitfile.parent.glob("*made.zip*"))) == 1


def test_package_that_is_replaced_during_the_check_is_not_uploaded_unchecked(
    host: Host, cloud: OpenStack, package: Path
) -> None:
    checked = package.read_bytes()
    cloud.delay = 1
    running = host.start("image", "create", str(package))
    wait_until(lambda: bool(cloud.requests))
    other = package.with_name("other.zip")
    other.write_bytes(bitstreams.package("crc32"))
    other.replace(package)
    image_id = running.communicate()[0].strip()
    assert cloud.images[image_id].data == checked


@pytest.mark.parametrize("node", ["/dev/fpga0", "disk:/dev/fpga0", "socket:", "socket"])
def test_node_that_is_none_is_a_wrong_command_line(host: Host, bitfile: Path, node: str) -> None:
    assert "is not KIND:PATH" in refusal(build(host, bitfile, "--node", node), 2)


def test_created_image_has_what_people_look_for(
    host: Host, cloud: OpenStack, package: Path
) -> None:
    image_id = done(host.run("image", "create", str(package), "--visibility", "public"))
    image = cloud.images[image_id]
    with zipfile.ZipFile(package) as archive:
        text = archive.read(manifest.FILE).decode()
    assert image.properties == {
        "name": "lzo1x_compress",
        "disk_format": "raw",
        "visibility": "public",
        "tags": ["FPGA"],
        "manifest": text,
        "vendor": "fpga-nova",
        "type": "compression",
    }
    assert (image.container_format, image.data) == ("fpga", package.read_bytes())


def test_created_image_can_be_burnt(host: Host, cloud: OpenStack, package: Path) -> None:
    host.burn(done(host.run("image", "create", str(package), "--name", "mine")))


def test_invalid_package_is_not_uploaded(host: Host, cloud: OpenStack, package: Path) -> None:
    package.write_bytes(b"no zip" * 10)
    assert "not a zip" in refusal(host.run("image", "create", str(package)), 66)
    assert cloud.requests == []


def create(host: Host, package: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """`image create` with variables of a person's environment."""
    return subprocess.run(
        host.command("image", "create", str(package)),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_credentials_come_from_the_environment(
    tmp_path: Path, cloud: OpenStack, package: Path
) -> None:
    host = Host(tmp_path)
    variables = {
        "OS_AUTH_URL": f"{cloud.url}/v3",
        "OS_USERNAME": USER,
        "OS_PASSWORD": PASSWORD,
        "OS_PROJECT_NAME": "demo",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_AUTH_TYPE": "v3password",
    }
    assert done(create(host, package, **variables)) in cloud.images
    line = refusal(create(host, package, **variables | {"OS_PASSWORD": "wrong"}), 73)
    assert "refused the credentials: check OS_* in the environment" in line
    assert "secret" not in line


def test_missing_credentials_are_told(tmp_path: Path, package: Path) -> None:
    line = refusal(create(Host(tmp_path), package), 73)
    assert "how to reach Glance is not configured" in line


@pytest.mark.parametrize(
    ("path", "status", "text", "code", "words"),
    [
        ("images$", 400, UNKNOWN_FORMAT, 67, "container format fpga: add it to container_formats"),
        ("images$", 403, "<h1>403</h1> You may <i>not", 67, "refuses it (403): You may not"),
        ("/file$", 413, "over quota", 67, "refuses it (413): over quota"),
        ("/file$", 503, "", 73, "answered 503"),
    ],
)
def test_refused_upload_is_told_and_undone(
    host: Host,
    cloud: OpenStack,
    package: Path,
    path: str,
    status: int,
    text: str,
    code: int,
    words: str,
) -> None:
    cloud.answers[path], cloud.words = status, text
    assert words in refusal(host.run("image", "create", str(package)), code)
    assert cloud.images == {}


def test_upload_that_does_not_arrive_is_undone(host: Host, cloud: OpenStack, package: Path) -> None:
    cloud.damage = b"x"
    line = refusal(host.run("image", "create", str(package)), 67)
    assert "has not got the data that was sent" in line
    assert cloud.images == {}


def test_image_that_cannot_be_undone_is_named(host: Host, cloud: OpenStack, package: Path) -> None:
    cloud.answers["/file$"] = 503
    cloud.answers["/v2/images/[^/]*$"] = 500
    line = refusal(host.run("image", "create", str(package)), 73)
    (remainder,) = cloud.images
    assert f"the image {remainder} is left and could not be deleted" in line


def test_interrupted_upload_is_undone(host: Host, cloud: OpenStack, package: Path) -> None:
    cloud.delay = 1
    running = host.start("image", "create", str(package))
    wait_until(lambda: bool(cloud.images))
    running.send_signal(signal.SIGINT)
    running.communicate()
    assert running.returncode == -signal.SIGINT
    wait_until(lambda: cloud.images == {})


def test_person_at_a_terminal_sees_a_long_download(host: Host, cloud: OpenStack) -> None:
    cloud.delay = 1
    content = bitstreams.bitfile() + b" " * 1000
    image = cloud.add(bitstreams.package(content=os.urandom(3_000_000) + content))
    ours, theirs = pty.openpty()
    with subprocess.Popen(host.command("burn", image), stdout=-1, stderr=theirs) as running:
        os.close(theirs)
        running.wait()
    output = os.read(ours, 10_000).decode()
    os.close(ours)
    assert f"fetching {image}: " in output
    assert " of 2.9 MiB (" in output


def test_no_configuration_is_needed(host: Host, package: Path) -> None:
    command = host.command("image", "validate", str(package))
    del command[2:4]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
