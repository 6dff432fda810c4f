# SPDX-License-Identifier: Apache-2.0
"""The keys of SSH: one that the machine has for all hosts, and one of each host."""

import pathlib
import subprocess


def make(file: pathlib.Path, comment: str) -> str:
    """Make a pair of keys, unless it is there.

    :returns: the public key
    :raises subprocess.CalledProcessError: ssh-keygen failed
    """
    public = file.with_name(f"{file.name}.pub")
    if not (file.exists() and public.exists()):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = file.with_name(f".{file.name}.part")
        for path in (unfinished, unfinished.with_name(f"{unfinished.name}.pub"), file, public):
            path.unlink(missing_ok=True)
        options = ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(unfinished)]
        subprocess.run(["ssh-keygen", *options], check=True, stdin=subprocess.DEVNULL)
        unfinished.with_name(f"{unfinished.name}.pub").replace(public)
        unfinished.replace(file)
    return public.read_text()


def public(file: pathlib.Path) -> str:
    """The public key of a pair that was made before."""
    return file.with_name(f"{file.name}.pub").read_text()
