# SPDX-License-Identifier: Apache-2.0
"""Sessions of the agent's project: one for each connection, for as long as that lasts."""

import contextlib
import threading
import time
import typing
import uuid

from fpga_opencl.afar.tls import Place
from fpga_opencl.registrar.service import NotRegistered, Refused, Service, Unreachable

#: Seconds after which a session ends that nobody renews, as after the end of this host; and from
#: one renewal to the next.
_TTL, _RENEWAL = 120, 30
#: Seconds before each request that ends a session.
_PAUSES = (0, 1, 2, 4, 8)
_PATH = "/v1/opencl/sessions"

Document = dict[str, typing.Any]


class Leases:
    """Opens sessions at fpga-api.

    :param body: what each session is to be: its memory, the type of its device
    """

    def __init__(self, service: Service, body: Document) -> None:
        self._service, self._body = service, body

    @contextlib.contextmanager
    def lease(self) -> typing.Iterator[Place]:
        """A session, which ends with the block.

        :raises OSError: fpga-api opens none
        :raises ValueError: its answer is not one
        """
        # Known before the request: a session whose answer is lost is ended, too.
        path, ended = f"{_PATH}/{(session := str(uuid.uuid4()))}", threading.Event()
        try:
            answer = self._call("POST", _PATH, {**self._body, "id": session, "ttl": _TTL})
            threading.Thread(target=self._renew, args=(path, ended), daemon=True).start()
            yield Place.of_answer(answer)
        finally:
            ended.set()
            self._close(path)

    def _close(self, path: str) -> None:
        """End a session; where fpga-api does not answer, it expires."""
        for pause in _PAUSES:
            time.sleep(pause)
            try:
                self._service.call("DELETE", path)
            except Unreachable:
                continue
            except (NotRegistered, Refused):
                pass  # it is gone
            return

    def _renew(self, path: str, ended: threading.Event) -> None:
        while not ended.wait(_RENEWAL):
            # If it fails, the next one may not; the node ends what is lost.
            with contextlib.suppress(OSError):
                self._call("PATCH", path, {"ttl": _TTL})

    def _call(self, method: str, path: str, body: Document | None = None) -> Document:
        try:
            return self._service.call(method, path, body)
        except (NotRegistered, Refused, Unreachable) as e:
            raise OSError(str(e)) from e
