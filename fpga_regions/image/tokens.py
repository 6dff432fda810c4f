# SPDX-License-Identifier: Apache-2.0
"""Keeps the token of Keystone between commands, so that most of them need not ask for one.

What is kept is keystoneauth1's own state of an authentication: the token, and the catalogue that
came with it. keystoneauth1 takes another token two minutes before one expires, and after an answer
401. The file is root's alone, in the folder that a restart of the host empties.
"""

import contextlib
import json
import os
import stat
import typing
from pathlib import Path

from oslo_config import cfg

from fpga_nova import durable
from fpga_regions import errors
from fpga_regions.system import folders, locks

_Answer = typing.TypeVar("_Answer")

_FILE, _LOCK = "glance", "lock"
_MOST = 1024 * 1024  # bytes; a catalogue of a large cloud has some 30,000


class Tokens:
    """The token of this host, kept for one configuration: another one finds none.

    A token that cannot be read or stored costs time, and is no failure.

    :param folder: where it is; made if need be
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, conf: cfg.ConfigOpts) -> typing.Self:
        """The token of a configuration."""
        return cls(Path(conf.runtime_dir) / "tokens")

    def ask(self, adapter: typing.Any, question: typing.Callable[[], _Answer]) -> _Answer:
        """The answer to a question, asked with the token that is kept, or with a new one.

        A token is as old as its roles and its catalogue, which may name a service's former address.
        So what fails with one that was kept is asked once more.

        :param adapter: of keystoneauth1, through which the question is asked
        """
        import requests
        from keystoneauth1 import exceptions

        auth, failures = (
            adapter.session.auth,
            (exceptions.ClientException, requests.RequestException),
        )
        if self.lend(auth):
            with contextlib.suppress(*failures, errors.ImageServiceUnavailable):
                answer = question()
                self.keep(auth)
                return answer
            self.drop()
            auth.invalidate()
        answer = question()
        self.keep(auth)
        return answer

    def lend(self, auth: typing.Any) -> bool:
        """Give a plugin of keystoneauth1 what is kept for its very options; whether there was any.

        The options include the password: whoever changes it gets a new token.
        """
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            record = json.loads(self._content())
            identity = auth.get_cache_id()
            if identity is not None and record["identity"] == identity:
                auth.set_auth_state(record["state"])
                return auth.get_auth_state() is not None
        return False

    def keep(self, auth: typing.Any) -> None:
        """Keep what a plugin has, unless that is kept already."""
        identity = auth.get_cache_id()
        state = auth.get_auth_state() if identity is not None else None
        if state is None:
            return
        text = json.dumps({"identity": identity, "state": state})
        # Another process that keeps its own at this moment is as good.
        with contextlib.suppress(OSError, locks.NotLocked):
            folders.make_private(self._folder)
            with locks.held(self._folder / _LOCK):
                self._replace(text)

    def drop(self) -> None:
        """Keep none."""
        with contextlib.suppress(OSError):
            (self._folder / _FILE).unlink(missing_ok=True)

    def _content(self) -> bytes:
        """What is in the file.

        :raises OSError: it cannot be read, or others than we can read or could have written it
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(self._folder / _FILE, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o077:
                raise PermissionError("it is not ours alone")
            return file.read(_MOST)

    def _replace(self, text: str) -> None:
        with contextlib.suppress(OSError):
            if self._content() == text.encode():
                return
        durable.write(self._folder / _FILE, text.encode(), 0o600)
