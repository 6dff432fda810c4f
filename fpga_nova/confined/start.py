# SPDX-License-Identifier: Apache-2.0
"""The beginning of a confined reader; it imports little, because readers are short."""

import importlib
import json
import os
import resource
import sys
import typing


def start(arguments: list[str]) -> typing.NoReturn:
    """Import a module, give up what it does not need, and run its `main`.

    :param arguments: the user to become as JSON, the module, and what `main` gets
    """
    uid, module = json.loads(arguments[0]), importlib.import_module(arguments[1])
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    # It has all that it reads and writes. An ordinary user's reader could open that user's files
    # otherwise, and the engine's socket, which makes it root.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    sys.exit(module.main(arguments[2:]))
