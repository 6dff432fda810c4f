#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What our code adds to a decision of the scheduler, apart from Nova's own time.

    python benchmarks/decisions.py [--hosts 100 500 1000 5000] [-n 5]

Host states and records of compute nodes are Nova's, on the patched tree. Our functions alone are
timed, by the processor's time: for each host the call-ins that take over its record, the filter and
the weigher; for each request the request filter and the call-in for the chosen host. Glance's
answer on the bitstream image is remembered, as it is for 30 seconds in the scheduler. A decision
for a flavor without a region takes turns.

It fails where that is more than it may be. Memory is the peak of a decision, and the growth over
100 of them, after as many that fill what is kept. Run it in an environment with a patched Nova.
"""

import argparse
import contextlib
import gc
import statistics
import sys
import time
import tracemalloc
import typing
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import figures
from nova import context as nova_context
from nova import objects
from nova.scheduler import host_manager, weights
from oslo_config import cfg

from fpga_hooks import calls
from fpga_nova import bitstream_images
from scheduler_filters import fpga_filter, fpga_weigher, request_filter

REGIONS = 4
BITSTREAM, OTHER = str(uuid.uuid4()), str(uuid.uuid4())
#: Microseconds for a host, milliseconds for a request.
A_HOST, A_REQUEST = 5.0, 3.0
_GROWTH = 100  # decisions
#: KiB that so many of them may leave behind.
MOST_GROWTH = 32

Steps = dict[str, float]


def states(count: int) -> list[typing.Any]:
    """Hosts of which each second one is half used, and each tenth has the bitstream warm."""
    found = []
    for number in range(count):
        state = host_manager.HostState(f"host{number}", f"host{number}", None)
        state.aggregates = []
        state.stats = {"fpga_images": OTHER, "fpga_warm": "" if number % 10 else BITSTREAM}
        found.append(state)
    return found


def records(count: int) -> list[typing.Any]:
    """The compute nodes' records of these hosts."""
    found = []
    for number in range(count):
        node = objects.ComputeNode(host=f"host{number}")
        node.fpga_regions, node.fpga_regions_used = REGIONS, number % 2 * REGIONS // 2
        found.append(node)
    return found


def spec_of(extra_specs: dict[str, str]) -> typing.Any:
    """A request for a server of a flavor with these extra specs."""
    return objects.RequestSpec(flavor=objects.Flavor(extra_specs=dict(extra_specs)))


class Decision:
    """A decision as the scheduler makes it, of our steps alone."""

    def __init__(self, hosts: int) -> None:
        self._states, self._records = states(hosts), records(hosts)
        self._filter, self._weigher = fpga_filter.FpgaFilter(), fpga_weigher.FpgaWeigher()
        self._context = nova_context.get_admin_context()

    def steps(self, extra_specs: dict[str, str]) -> Steps:
        """Seconds of each step."""
        spec, found = spec_of(extra_specs), {}

        @contextlib.contextmanager
        def step(name: str) -> typing.Iterator[None]:
            start = time.process_time()
            yield
            found[name] = time.process_time() - start

        with step("request filter"):
            request_filter.request_regions(self._context, spec)
        with step("host states"):
            for state, record in zip(self._states, self._records, strict=True):
                calls.init_host_state(state)
                calls.update_host_state(state, record)
        with step("filter"):
            passed = list(self._filter.filter_all(self._states, spec))
        weighed = [weights.WeighedHost(state, 0.0) for state in passed]
        with step("weigher"):
            self._weigher.weigh_objects(weighed, spec)
            for one in passed:
                self._weigher.weight_multiplier(one)
        with step("chosen host"):
            calls.consume_host_state(self._states[0], spec)
        return found


def measure(hosts: int, turns: int) -> dict[str, typing.Any]:
    """Microseconds of each step for a host, or of the whole request; and the memory."""
    decision = Decision(hosts)
    kinds: dict[str, dict[str, str]] = {"plain": {}, "fpga": {"hw:fpga_ip_id": BITSTREAM}}
    times: dict[str, list[Steps]] = {kind: [] for kind in kinds}
    for turn in range(turns + 1):
        for kind, extra_specs in kinds.items():
            steps = decision.steps(extra_specs)
            if turn:  # the first turn warms up
                times[kind].append(steps)
    rows = {}
    for kind, decisions in times.items():
        medians = {name: statistics.median(one[name] for one in decisions) for name in decisions[0]}
        of_host = {n: 1e6 * medians[n] / hosts for n in ("host states", "filter", "weigher")}
        of_request = 1e3 * (medians["request filter"] + medians["chosen host"])
        row: dict[str, typing.Any] = {f"{name}, us": round(one, 2) for name, one in of_host.items()}
        row["a host, us"] = round(sum(of_host.values()), 2)
        row["a request, ms"] = round(of_request, 3)
        row["met"] = row["a host, us"] <= A_HOST and row["a request, ms"] <= A_REQUEST
        rows[f"{hosts} hosts, {kind}"] = row
    rows[f"{hosts} hosts, memory"] = _memory(decision, kinds["fpga"])
    return rows


def _memory(decision: Decision, extra_specs: dict[str, str]) -> dict[str, typing.Any]:
    """KiB that a decision takes for a while, and that 100 of them leave behind."""
    tracemalloc.start()
    before = _after_many(decision, extra_specs)
    tracemalloc.reset_peak()
    after = _after_many(decision, extra_specs)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    growth = round((after - before) / 1024, 1)
    return {
        "peak of a decision, KiB": round((most - before) / 1024),
        f"growth over {_GROWTH} decisions, KiB": growth,
    } | figures.at_most(growth, MOST_GROWTH)


def _after_many(decision: Decision, extra_specs: dict[str, str]) -> int:
    """Bytes that are held after many decisions."""
    for _ in range(_GROWTH):
        decision.steps(extra_specs)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=[100, 500, 1000, 5000])
    parser.add_argument("-n", type=int, default=5, help="decisions of each kind (default: 5)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    objects.register_all()
    cfg.CONF([], project="nova", default_config_files=[])
    cfg.CONF.set_override("request_placement", True, "fpga")
    # What Glance says of the bitstream is at hand.
    answer = bitstream_images.Bitstream(board="emulator", public=True)
    bitstream_images._ask = lambda _context, _image_id: answer
    rows: dict[str, typing.Any] = {}
    for hosts in arguments.hosts:
        rows |= measure(hosts, arguments.n)
    figures.report(rows, arguments.json, n=arguments.n)
    figures.require(rows)


if __name__ == "__main__":
    main()
