# SPDX-License-Identifier: Apache-2.0
"""What every process behind an emulated region does before it serves.

Started by the emulator driver with `python -I -m`, so that it holds nothing of fpga-cli. It imports
what it needs, gives up root, and only then reads what is programmed:

1. arguments: the region's id and, as JSON, the limits (`Settings`); the listening sockets are open
   descriptors;
2. standard input: JSON, to the end. If the driver dies before it has sent all, nothing is ever
   served;
3. standard output: `ready`, or one line that says why not, after one of the words `refused`,
   `broken` and `failed` (RefusedError, BrokenError, anything else).
"""

import ctypes
import dataclasses
import json
import os
import pwd
import resource
import sys
import typing

from fpga_regions.served.answers import BROKEN, FAILED, READY, REFUSED, fail

_PR_SET_NO_NEW_PRIVS = 38  # <linux/prctl.h>
# <linux/sched.h>
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MAX_LOG = 1 << 20
_NICENESS = 5


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the driver decides.

    :param user: who the process becomes if it is started by root; None for `uid`
    :param uid: a user that no other region has
    :param sockets: descriptors of the listening sockets that clients reach
    :param control: descriptor of the listening socket on which the driver asks for the function
    :param disconnect: that of the one on which the driver has the connections of clients closed
    """

    user: str | None
    uid: int
    sockets: list[int]
    control: int
    disconnect: int
    max_input: int
    max_clients: int
    client_timeout: int
    max_memory: int
    cpu_percent: int


class RefusedError(Exception):
    """What was to be programmed cannot be run, now or later."""


class BrokenError(Exception):
    """The model of what was to be programmed does not run; another one may."""


def run(
    arguments: list[str],
    prepare: typing.Callable[[Settings, dict[str, typing.Any]], typing.Callable[[], None]],
    alone: bool = False,
) -> int:
    """Serve a region until the process is told to end.

    :param prepare: gives what serves; raises RefusedError or BrokenError, and OSError, ValueError,
        KeyError or TypeError for what cannot be done now
    :param alone: what it starts sees no other processes, and ends with it; it cannot have threads
    """
    settings = Settings(**json.loads(arguments[1]))
    try:
        _drop_privileges(settings, alone)
        serve = prepare(settings, json.loads(sys.stdin.buffer.read()))
    except RefusedError as e:
        return fail(REFUSED, e)
    except BrokenError as e:
        return fail(BROKEN, e)
    except (OSError, ValueError, KeyError, TypeError) as e:
        return fail(FAILED, e)
    print(READY, flush=True)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    serve()
    return 0


def _drop_privileges(settings: Settings, alone: bool) -> None:
    """Become an ordinary process that cannot harm the host, before anything foreign is read.

    Started by root, it loses the network, too.
    """
    os.chdir("/")
    os.umask(0o077)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, _MAX_LOG),
        (resource.RLIMIT_NOFILE, 64 + settings.max_clients),
        (resource.RLIMIT_AS, settings.max_memory),
    ):
        resource.setrlimit(limit, (most, most))
    os.nice(_NICENESS)
    if os.geteuid() == 0:
        _call("unshare", _CLONE_NEWNET | _CLONE_NEWIPC | (_CLONE_NEWPID if alone else 0))
        _become(settings)
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _become(settings: Settings) -> None:
    uid = gid = settings.uid
    if settings.user:
        try:
            user = pwd.getpwnam(settings.user)
        except KeyError:
            raise OSError(f"there is no user {settings.user}") from None
        uid, gid = user.pw_uid, user.pw_gid
    if uid == 0:
        raise OSError(f"the user {settings.user} is root")
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def _call(name: str, *arguments: int) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
