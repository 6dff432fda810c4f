# SPDX-License-Identifier: Apache-2.0
"""waitress, with the limits of the configuration.

waitress takes each body before a thread answers it, so that slow clients keep no thread busy.
"""

import signal
import sys
import typing

import waitress
from oslo_config import cfg

#: Connections that one process holds at a time: slow clients keep those, but no thread.
_CONNECTIONS = 1000

#: Bytes of a body beyond the largest package: the application answers what is a little too large.
_MARGIN = 1 << 20


def serve(
    application: typing.Any, conf: cfg.ConfigOpts, address: tuple[str, int] | None = None
) -> None:
    """Serve an application until a signal ends it.

    :param address: host and port, instead of those of the configuration
    :raises OSError: the port is not free
    """
    own = conf.fpga_api
    host, port = address or (own.host, own.port)
    # The first process of a container has no handler of its own.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waitress.serve(
        application,
        host=host,
        port=port,
        threads=own.threads,
        connection_limit=_CONNECTIONS,
        asyncore_use_poll=True,
        ident=None,
        max_request_body_size=conf.packages.max_size + _MARGIN,
        channel_timeout=own.body_timeout,
        clear_untrusted_proxy_headers=True,
    )
