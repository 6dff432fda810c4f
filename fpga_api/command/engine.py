# SPDX-License-Identifier: Apache-2.0
"""fpga-api engine: runs the engine until a signal ends it."""

import os
import secrets
import signal
import socket

from oslo_config import cfg

from fpga_api import errors
from fpga_api.db.leases import Lease
from fpga_api.engine import tasks
from fpga_api.engine.daemon import Engine
from fpga_api.engine.metrics import Metrics
from fpga_api.service import Service

#: The name of the lease in the database.
LEASE = "engine"


def run(conf: cfg.ConfigOpts) -> None:
    """Run it.

    :raises OSError: the port of the metrics is not free
    :raises keystoneauth1.exceptions.MissingRequiredOptions: the credentials lack something
    :raises RuntimeError: a source of counts cannot be loaded
    :raises ValueError: something in the configuration is not valid
    """
    service = Service(conf)
    if service.session.auth is None:
        raise ValueError("[service_credentials] has no auth_type")
    try:
        _ = service.database.engine
    except errors.DatabaseUnavailable as e:
        raise ValueError(e.detail) from e
    own = conf.engine
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    lease = Lease(service.database, LEASE, owner, own.lease)
    todo = tasks.of(service)
    metrics = Metrics(lambda: todo.availability.flavors if lease.held else ())
    engine = Engine(todo.tasks, lease, metrics, own.lease)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: engine.stop())
    if own.metrics_port:
        metrics.serve(own.metrics_host, own.metrics_port)
    engine.run()
