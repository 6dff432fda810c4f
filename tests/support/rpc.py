# SPDX-License-Identifier: Apache-2.0
"""RPC servers of tests: a process that ends takes its servers along, a test has to end them."""

import typing

import fixtures
import oslo_messaging


class EndedServers(fixtures.Fixture):  # type: ignore[misc]
    """Ends the servers that are started meanwhile."""

    def setUp(self) -> None:
        """Begin."""
        super().setUp()
        real = oslo_messaging.get_rpc_server

        def get_rpc_server(
            transport: typing.Any, *arguments: typing.Any, **more: typing.Any
        ) -> typing.Any:
            server = real(transport, *arguments, **more)
            for end in (transport.cleanup, server.wait, server.stop):
                self.addCleanup(end)
            return server

        patch = fixtures.MonkeyPatch("oslo_messaging.get_rpc_server", get_rpc_server)
        self.useFixture(patch)
