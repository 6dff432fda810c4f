# SPDX-License-Identifier: Apache-2.0
"""What users ask of the service about OpenCL from afar, and the sessions that they open."""

import dataclasses
import typing

from fpga_client.asking import Asking, path_of, present
from fpga_client.opencl_resources import OpenclDevice, OpenclNode, OpenclSession
from fpga_client.report import Report


@dataclasses.dataclass(frozen=True)
class Opened:
    """A session, and what opens connections to its node.

    :ivar token: no other answer has it
    """

    session: OpenclSession
    token: str


class OpenclProxy(Asking):
    """Nodes, devices and sessions of OpenCL."""

    def opencl_nodes(self) -> Report[OpenclNode]:
        """The nodes (operators)."""
        return self._report(OpenclNode, {})

    def get_opencl_node(self, node_id: str) -> OpenclNode:
        """One node by its id."""
        return self._one(OpenclNode, node_id)

    def opencl_devices(self, **query: typing.Any) -> Report[OpenclDevice]:
        """The devices that the user's project may use.

        :param query: ``node`` by its name, or ``type``
        """
        return self._report(OpenclDevice, query)

    def get_opencl_device(self, device_id: str) -> OpenclDevice:
        """One device by its id."""
        return self._one(OpenclDevice, device_id)

    def create_opencl_session(self, **request: typing.Any) -> Opened:
        """Open a session.

        :param request: any of ``id``, ``device``, ``node``, ``type``, ``memory`` and ``ttl``
        """
        return self._opened(self.post(OpenclSession.base_path, json=present(request)).json())

    def opencl_sessions(self, **query: typing.Any) -> Report[OpenclSession]:
        """The sessions of the user's project; for an administrator, all.

        :param query: ``state`` or ``project``
        """
        return self._report(OpenclSession, query)

    def get_opencl_session(self, session_id: str) -> OpenclSession:
        """One session by its id."""
        return self._one(OpenclSession, session_id)

    def renew_opencl_session(self, session_id: str, ttl: int) -> OpenclSession:
        """Have a session expire some seconds from now."""
        answer = self.patch(path_of(OpenclSession, session_id), json={"ttl": ttl}).json()
        return self._existing(OpenclSession, answer["session"])

    def renew_opencl_token(self, session_id: str) -> Opened:
        """Get a new token; the one before opens no connections any more."""
        return self._opened(self.post(f"{path_of(OpenclSession, session_id)}/tokens").json())

    def close_opencl_session(self, session_id: str) -> OpenclSession:
        """End a session, with all that it has on its node."""
        answer = self.delete(path_of(OpenclSession, session_id)).json()
        return self._existing(OpenclSession, answer["session"])

    def _opened(self, answer: dict[str, typing.Any]) -> Opened:
        return Opened(self._existing(OpenclSession, answer["session"]), answer["token"])
