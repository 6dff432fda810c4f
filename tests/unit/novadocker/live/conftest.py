# SPDX-License-Identifier: Apache-2.0
"""Keys, images and a container of a host, without CRIU."""

import dataclasses
import json
import os
import pathlib
import typing

import pytest

from novadocker.live import containers, control_groups, manifest, runtime, settings, signatures

PROJECT = "5f3c1d9a7b2e4f6880a1c2d3e4f50617"
ID = "ab" * 32
BUNDLE = {
    "hostname": "clone",
    "process": {
        "noNewPrivileges": True,
        "capabilities": {"bounding": ["CAP_CHOWN", "CAP_KILL"]},
    },
    "mounts": [{"destination": "/proc"}, {"destination": "/etc/hosts"}],
    "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}, "cgroupsPath": f"/docker/{ID}"},
}


class Host:
    """A host with a key, an image that it has signed, and a container that is marked."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.settings = settings.Settings(
            criu=pathlib.Path("/bin/false"),
            runc=folder / "runc",
            runc_root=folder / "runc-root",
            state=folder / "state",
            incoming=folder / "incoming",
            group="root",
            signing_key=folder / "keys" / "signing.pem",
            trusted_keys=folder / "keys" / "trusted",
        )
        self.key = signatures.create(self.settings.signing_key, self.settings.trusted_keys)
        self.image = self.settings.incoming / settings.IMAGES / "image"
        self.mark = self.settings.incoming / settings.MARKS / ID
        self.criu = self.image / manifest.CRIU
        self.criu.mkdir(parents=True)
        self.mark.parent.mkdir()
        (self.criu / "core-1.img").write_bytes(b"registers")
        (self.criu / "pages-1.img").write_bytes(b"memory" * 10000)
        (self.criu / "utsns-11.img").write_bytes(b"MAGICMAG" + b"\x08\0\0\0" + b"\n\x06source")
        self.bundle = folder / "bundle"
        self.bundle.mkdir()
        (self.bundle / "config.json").write_text(json.dumps(BUNDLE))
        self.file = folder / "live.toml"
        self.file.write_text(
            "".join(f'{k} = "{v}"\n' for k, v in dataclasses.asdict(self.settings).items() if v)
        )
        self.sign()
        self.write_mark()
        #: A runc that shows what it was asked for, and what it found.
        self.settings.runc.write_text(
            f'#!/bin/sh\necho "$@" >> {folder}/asked\nwhile [ $# -gt 0 ]; do\n'
            f'[ "$1" != --image-path ] || cp -r "$2" {folder}/restored\nshift; done\n'
        )
        self.settings.runc.chmod(0o755)
        self._folder = folder

    def described(self, **changes: typing.Any) -> manifest.Manifest:
        """A manifest that fits this host and the container."""
        values: dict[str, typing.Any] = {
            "project": PROJECT,
            "instance": "instance",
            "bitstreams": (),
            "image": "0" * 64,
            "criu": "4.2",
            "kernel": "6.18",
            "machine": os.uname().machine,
            "cpu": containers.processor(),
            "capabilities": 0b100001,
            "no_new_privileges": True,
            "seccomp": True,
            "mounts": ("/etc/hosts", "/proc"),
            "created": "2026-01-01T00:00:00+00:00",
            "files": manifest.measure(self.criu),
        }
        return manifest.Manifest(**{**values, **changes})

    def sign(self, **changes: typing.Any) -> None:
        """Sign the image as it is."""
        data = self.described(**changes).dump()
        (self.image / manifest.MANIFEST).write_bytes(data)
        signature = signatures.sign(data, self.settings.signing_key)
        (self.image / manifest.SIGNATURE).write_bytes(signature)

    def write_mark(self, **changes: typing.Any) -> None:
        """Mark the container."""
        table = {"images": "image", "project": PROJECT, "bitstreams": [], **changes}
        self.mark.write_text(json.dumps(table))

    def create(self) -> int:
        """What the engine asks for; the exit status."""
        log = str(self._folder / "log")
        words = ["--root", "/r", "--log", log, "create", "--bundle", str(self.bundle), ID]
        return runtime.main([str(self.file), *words])

    @property
    def asked(self) -> list[str]:
        """What runc was asked for, by line."""
        file = self._folder / "asked"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def reason(self) -> str:
        """What the engine shows of a failure."""
        return str(json.loads((self._folder / "log").read_text())["msg"])

    @property
    def restored(self) -> pathlib.Path:
        """The files that runc found."""
        return self._folder / "restored"


@pytest.fixture
def host(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with cgroup v2 that can restore, as far as it is asked here."""
    if os.geteuid() != 0:
        pytest.skip("the settings and the keys must be root's")
    (tmp_path / "unified").touch()
    monkeypatch.setattr(control_groups, "_UNIFIED", tmp_path / "unified")
    monkeypatch.setattr(control_groups, "check", lambda _state: None)
    return Host(tmp_path)
