# SPDX-License-Identifier: Apache-2.0
"""What must happen before oslo.config and stevedore are imported.

Imports that fpga-cli does not need are put off, so that it answers fast:
oslo.config 10.7 imports netaddr and rfc3986 for option types (addresses, URIs) that no option here
has; with what they import in turn they take a quarter of the time in which `status` answers (57 of
206 ms of imports), and oslo.config has no way around them.
Commands that the region manager does import nothing. Without it, `status` is to take at most eight
times as long as the start of an interpreter (benchmarks/server.py), which needs this.
`importlib.util.LazyLoader` does not help: in Python 3.11 the import statement itself asks a lazy
module for its `__spec__`, which loads it.
"""

import importlib
import importlib.util
import os
import pwd
import sys
import types
import typing

_UNUSED = ("netaddr", "rfc3986")


class _PutOff(types.ModuleType):
    """Stands for a module until something of it is asked for."""

    def __getattr__(self, name: str) -> typing.Any:
        del sys.modules[self.__name__]
        real = importlib.import_module(self.__name__)
        self.__dict__.update(real.__dict__)
        return getattr(real, name)


def forget_home_of_caller() -> None:
    """Use the home folder of the user that this process has, whatever the environment says.

    stevedore loads what a cache in the home folder names, and `sudo` may keep the caller's HOME.
    """
    os.environ.pop("XDG_CACHE_HOME", None)
    os.environ["HOME"] = pwd.getpwuid(os.geteuid()).pw_dir


def put_off_imports() -> None:
    """Have the modules loaded when they are first used; to be called before oslo.config."""
    for name in _UNUSED:
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is not None:
            module = _PutOff(name)
            module.__spec__ = spec
            sys.modules[name] = module
