# SPDX-License-Identifier: Apache-2.0
"""A tree that looks like sysfs and configfs, and does what the kernel does behind them.

umockdev gives a sysfs but no configfs, and a folder of an overlay is made and acted on by the
kernel; so the three file operations that the kernel would see are watched for instead.
"""

import pathlib
import re
import typing

import pytest

_mkdir, _rmdir, _write_bytes = pathlib.Path.mkdir, pathlib.Path.rmdir, pathlib.Path.write_bytes

_FIRMWARE_NAME = re.compile(rb"[A-Za-z0-9._-]+\.bin(?=\0)")


class Kernel:
    """What the kernel shows of its FPGAs.

    :ivar loaded: what was programmed last, by firmware name
    :ivar log: overlays that were applied and removed, in order
    :ivar state_after: state of the FPGA manager once something was programmed
    :ivar refuses: error with which overlays are refused; None to apply them
    :ivar ignores: whether overlays are taken and not applied
    """

    def __init__(self, root: pathlib.Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.sysfs, self.configfs = root / "sys", root / "config"
        self.firmware = root / "firmware"
        self.overlays = self.configfs / "device-tree" / "overlays"
        for folder in (self.overlays, self.firmware):
            folder.mkdir(parents=True)
        self.loaded: dict[str, bytes] = {}
        self.log: list[tuple[str, str]] = []
        self.state_after = "operating"
        self.refuses: OSError | None = None
        self.ignores = False
        patch.setattr(pathlib.Path, "mkdir", lambda path, *a, **k: self._make_folder(path, *a, **k))
        patch.setattr(pathlib.Path, "rmdir", lambda path: self._remove_folder(path))
        patch.setattr(pathlib.Path, "write_bytes", lambda path, data: self._write_file(path, data))

    def add_manager(self, name: str, regions: typing.Sequence[str]) -> None:
        """An FPGA manager and its regions."""
        folder = self.sysfs / "class" / "fpga_manager" / name
        folder.mkdir(parents=True)
        (folder / "name").write_text("Xilinx Zynq FPGA Manager\n")
        self.set_state(name, "unknown")
        for region in regions:
            (self.sysfs / "class" / "fpga_region" / region).mkdir(parents=True)

    def set_state(self, manager: str, state: str) -> None:
        """Have an FPGA manager show a state."""
        self.attribute(manager, "state").write_text(f"{state}\n")

    def attribute(self, manager: str, name: str) -> pathlib.Path:
        """A file of an FPGA manager."""
        return self.sysfs / "class" / "fpga_manager" / manager / name

    def restart(self) -> None:
        """Forget the overlays; what is in the FPGA may stay."""
        for folder in list(self.overlays.iterdir()):
            folder.rmdir()

    def _make_folder(self, path: pathlib.Path, *arguments: typing.Any, **more: typing.Any) -> None:
        _mkdir(path, *arguments, **more)
        if path.parent == self.overlays:
            (path / "path").write_text("")
            (path / "status").write_text("unapplied\n")
            _write_bytes(path / "dtbo", b"")

    def _remove_folder(self, path: pathlib.Path) -> None:
        if path.parent == self.overlays:
            self.log.append(("removed", path.name))
            for attribute in list(path.iterdir()):
                attribute.unlink()
        _rmdir(path)

    def _write_file(self, path: pathlib.Path, data: bytes) -> int:
        written = _write_bytes(path, data)
        if path.parent.parent == self.overlays and path.name == "dtbo":
            self._apply(path.parent, data)
        return written

    def _apply(self, folder: pathlib.Path, blob: bytes) -> None:
        if self.ignores:
            return
        found = _FIRMWARE_NAME.search(blob)
        assert found is not None
        name = found[0].decode()
        if self.refuses is None:
            self.loaded[name] = (self.firmware / name).read_bytes()
        for manager in (self.sysfs / "class" / "fpga_manager").iterdir():
            self.set_state(manager.name, self.state_after)
        if self.refuses is not None:
            raise self.refuses
        (folder / "status").write_text("applied\n")
        self.log.append(("applied", folder.name))
