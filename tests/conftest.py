# SPDX-License-Identifier: Apache-2.0
"""Later runs of tests remove what a run left in the temporary folder, even one that was killed."""

import os
import tempfile

import pytest


@pytest.fixture(scope="session", autouse=True)
def _temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Have programs and libraries make their temporary files in pytest's, which it clears away."""
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("tmp"))
    tempfile.tempdir = None
