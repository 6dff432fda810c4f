#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the demo's Docker image: busybox, a client for FPGA regions, and no registry.

It writes what ``docker save`` would (https://github.com/moby/docker-image-spec). The same input
gives the same bytes.
"""

import argparse
import hashlib
import io
import json
import os
import pathlib
import platform
import subprocess
import sys
import tarfile
import tempfile
import types
import typing

#: What the container does: it greets, serves its region on TCP port 9000 if it has one, and waits
#: for SIGTERM. Each connection sends what is to be worked on, ends its side, and reads the answer.
_COMMAND = (
    'echo "Ready: $(hostname)"; trap "exit 0" TERM INT; '
    "[ ! -e /dev/fpga0 ] || nc -ll -p 9000 -e fpga-client /dev/fpga0 & "
    "while :; do sleep 3600 & wait $!; done"
)
_CLIENT = pathlib.Path(__file__).with_name("fpga_client.c")
_EPOCH = "1970-01-01T00:00:00Z"
_CONFIG = {"Cmd": ["/bin/sh", "-c", _COMMAND], "Env": ["PATH=/bin"]}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}
_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnobody:x:65534:\n",
}
_FOLDERS = {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777, "usr": 0o755}


class BuildError(Exception):
    """The image cannot be made; the message says what to do."""


def compile_client(source: pathlib.Path = _CLIENT) -> bytes:
    """Compile the client, static, so that it runs in any image.

    :raises BuildError: no compiler, or it fails
    """
    with tempfile.TemporaryDirectory() as folder:
        target = pathlib.Path(folder, "fpga-client")
        flags = ["-static", "-Os", "-s", "-Wl,--build-id=none"]
        try:
            subprocess.run(["gcc", *flags, "-o", str(target), str(source)], check=True)
        except FileNotFoundError:
            raise BuildError("there is no gcc - install gcc and libc6-dev") from None
        except subprocess.CalledProcessError:
            raise BuildError(f"{source} does not compile - install libc6-dev") from None
        return target.read_bytes()


def read_busybox(path: pathlib.Path) -> tuple[bytes, list[str]]:
    """The program and the names of its applets.

    :raises BuildError: it is not there, or needs libraries that the image does not have
    """
    try:
        program = path.read_bytes()
        listing = subprocess.run([str(path), "--list"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as e:
        raise BuildError(f"{path} cannot be used ({e}) - install busybox-static") from e
    if b"/lib64/ld-linux" in program or b"/lib/ld-" in program:
        raise BuildError(f"{path} is not static - install busybox-static")
    return program, sorted(set(listing.stdout.split()) - {"busybox"})


def layer(
    busybox: bytes,
    applets: list[str],
    client: bytes,
    programs: typing.Mapping[str, bytes] = types.MappingProxyType({}),
) -> bytes:
    """The tar of the root file system.

    :param programs: more of them, and libraries, by their paths
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, mode in _FOLDERS.items():
            archive.addfile(_member(name, mode, tarfile.DIRTYPE))
        own = {"bin/busybox": busybox, "bin/fpga-client": client}
        for folder in _folders_of(programs):
            archive.addfile(_member(folder, 0o755, tarfile.DIRTYPE))
        for name, program in (own | dict(programs)).items():
            _add(archive, name, program, 0o755)
        for applet in applets:
            link = _member(f"bin/{applet}", 0o777, tarfile.SYMTYPE)
            link.linkname = "busybox"
            archive.addfile(link)
        for name, text in _FILES.items():
            _add(archive, name, text.encode(), 0o644)
    return buffer.getvalue()


def _folders_of(programs: typing.Iterable[str]) -> list[str]:
    """The folders that files are in, but for those that every image has, the upper ones first."""
    folders = {str(one) for name in programs for one in pathlib.PurePath(name).parents}
    return sorted(folders - {".", *_FOLDERS})


def architecture() -> str:
    """The machine's architecture, as Go names it."""
    machine = platform.machine()
    return _ARCHITECTURES.get(machine, machine)


def image(root: bytes, of: str, run: dict[str, list[str]] = _CONFIG) -> bytes:
    """The archive with one image of one layer.

    :param of: the architecture, as Go names it
    :param run: the command of a container, and its environment
    """
    config = {
        "architecture": of,
        "os": "linux",
        "created": _EPOCH,
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(root).hexdigest()}"]},
        "history": [{"created": _EPOCH, "created_by": "build_docker_image.py"}],
    }
    config_text = json.dumps(config).encode()
    name = f"{hashlib.sha256(config_text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": None, "Layers": ["layer.tar"]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, name, config_text, 0o644)
        _add(archive, "layer.tar", root, 0o644)
        _add(archive, "manifest.json", json.dumps(manifest).encode(), 0o644)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = _member(name, mode, tarfile.REGTYPE)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _member(name: str, mode: int, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.mode = mode
    member.type = kind
    return member


def demo_layer(busybox: pathlib.Path) -> bytes:
    """The tar of the root file system of the demo's image.

    :raises BuildError: a part of it is not there
    """
    return layer(*read_busybox(busybox), compile_client())


def main(
    arguments: list[str] | None = None,
    output: str = "ubuntu_lzo.tar",
    build: typing.Callable[[pathlib.Path], bytes] = demo_layer,
) -> int:
    """Write an image; exit status.

    :param output: the file, where the arguments name none
    :param build: makes its root file system
    """
    parser = argparse.ArgumentParser(description="Write an image as docker save would.")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path(output))
    parser.add_argument("--busybox", type=pathlib.Path, default=pathlib.Path("/bin/busybox"))
    options = parser.parse_args(arguments)
    try:
        root = build(options.busybox)
    except BuildError as e:
        print(f"Error: cannot make {options.output} - {e}", file=sys.stderr)
        return 1
    options.output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = options.output.with_name(f".{options.output.name}.{os.getpid()}")
    unfinished.write_bytes(image(root, architecture()))
    unfinished.replace(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
