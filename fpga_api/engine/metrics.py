# SPDX-License-Identifier: Apache-2.0
"""The engine's metrics for Prometheus, on an address that is loopback unless configured."""

import typing

import prometheus_client
from prometheus_client import core, registry

Flavor = typing.Mapping[str, typing.Any]

_LABELS = ("flavor", "name", "source")


class Metrics:
    """What the engine counts of itself, and what it published last.

    :param flavors: gives those of the document ``availability``; none on an engine that is not
        active, so that each flavor is there once
    """

    def __init__(self, flavors: typing.Callable[[], typing.Iterable[Flavor]]) -> None:
        self.registry = registry.CollectorRegistry()
        self._flavors = flavors
        self._active = prometheus_client.Gauge(
            "fpga_engine_active", "1 if this engine has the lease, else 0", registry=self.registry
        )
        self._runs = prometheus_client.Counter(
            "fpga_task_runs",
            "Runs of a task of the engine",
            ("task", "result"),
            registry=self.registry,
        )
        self._seconds = prometheus_client.Histogram(
            "fpga_task_seconds",
            "Seconds that a task of the engine took",
            ("task",),
            buckets=(0.1, 0.3, 1, 3, 10, 30, 100),
            registry=self.registry,
        )
        self._success = prometheus_client.Gauge(
            "fpga_task_success_timestamp_seconds",
            "When a task of the engine succeeded the last time",
            ("task",),
            registry=self.registry,
        )
        self._interval = prometheus_client.Gauge(
            "fpga_task_interval_seconds",
            "Seconds after which a task of the engine is due again",
            ("task",),
            registry=self.registry,
        )
        self.registry.register(self)

    def describe(self) -> typing.Iterable[core.Metric]:
        """Nothing: what there is depends on the cloud."""
        return ()

    def collect(self) -> typing.Iterator[core.Metric]:
        """The counts of the flavors."""
        free = core.GaugeMetricFamily(
            "fpga_flavor_free", "Servers of a flavor that find a host now", labels=_LABELS
        )
        total = core.GaugeMetricFamily(
            "fpga_flavor_total", "Servers of a flavor that an empty cloud has", labels=_LABELS
        )
        error = core.GaugeMetricFamily(
            "fpga_flavor_uncounted", "Flavors that cannot be counted", labels=(*_LABELS, "code")
        )
        for one in self._flavors():
            labels = (one["id"], one["name"], one["source"])
            if one["error"] is not None:
                error.add_metric((*labels, one["error"]["code"]), 1)
                continue
            free.add_metric(labels, one["free"])
            total.add_metric(labels, one["total"])
        yield from (free, total, error)

    def schedule(self, task: str, interval: float) -> None:
        """Note when a task is due."""
        self._interval.labels(task).set(interval)

    def activate(self, active: bool) -> None:
        """Note whether this engine is the active one."""
        self._active.set(active)

    def record(self, task: str, seconds: float, success: bool) -> None:
        """Note the end of a task."""
        self._runs.labels(task, "success" if success else "failure").inc()
        self._seconds.labels(task).observe(seconds)
        if success:
            self._success.labels(task).set_to_current_time()

    def serve(self, host: str, port: int) -> None:
        """Serve them at ``/metrics``, in a thread of its own.

        :raises OSError: the port is not free
        """
        prometheus_client.start_http_server(port, host, self.registry)
