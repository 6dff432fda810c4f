# SPDX-License-Identifier: Apache-2.0
"""Applies and removes device-tree overlays through configfs.

The interface is that of the kernel patch "OF: DT-Overlay configfs interface", which kernels of FPGA
vendors and of boards carry; mainline Linux has none. A folder under device-tree/overlays is an
overlay: its file `dtbo` takes the compiled overlay, and `status` says whether it is applied.
"""

import pathlib

from fpga_nova.confined import processes

_FOLDER = pathlib.PurePath("device-tree/overlays")
_APPLIED = "applied"


class Overlays:
    """The overlays that are applied.

    Methods raise OSError where the kernel refuses, with the kernel's reason.

    :param configfs: where configfs is mounted
    """

    def __init__(self, configfs: pathlib.Path) -> None:
        self._folder = configfs / _FOLDER

    def check(self) -> None:
        """See that the kernel has the interface.

        :raises processes.Failed: it has not
        """
        if not self._folder.is_dir():
            raise processes.Failed(
                f"{self._folder} is not there: the kernel has no overlay interface in configfs, or "
                "configfs is not mounted"
            )

    def applied(self, name: str) -> bool:
        """Whether an overlay is there and applied.

        :raises processes.Failed: the kernel has no overlays
        """
        self.check()
        folder = self._folder / name
        return folder.exists() and (folder / "status").read_text().strip() == _APPLIED

    def apply(self, name: str, blob: bytes) -> None:
        """Apply an overlay; the kernel programs the region that it names while this runs.

        :raises processes.Failed: it is not applied afterwards
        """
        folder = self._folder / name
        folder.mkdir()
        try:
            (folder / "dtbo").write_bytes(blob)
            # The kernel acts when the file is closed, and tells of no error then.
            if not self.applied(name):
                raise processes.Failed("the kernel did not apply it")
        except BaseException:
            folder.rmdir()
            raise

    def remove(self, name: str) -> None:
        """Remove an overlay, if it is there: the kernel takes its devices away."""
        folder = self._folder / name
        if folder.exists():
            folder.rmdir()
