# SPDX-License-Identifier: Apache-2.0
"""What must outlast a loss of power."""

import os
import pathlib


def sync_folder(folder: pathlib.Path) -> None:
    """Have the names in a folder on disk when it returns; fsync(2) of a file is not enough."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
