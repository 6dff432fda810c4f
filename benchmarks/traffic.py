#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How much TCP brings from one place to another, beside other places.

SERVER and CLIENT are the words before a command that is to run there, such as "nsenter --net=FILE"
or "ssh HOST"; ADDRESS is the server's. iperf3 is on each host. The places take turns, and each
ratio is the median of those to the first place in the same turn:

    traffic.py --between hosts "" "ssh HOST" 192.0.2.1 --between containers \\
        "nsenter --target=PID --net" "ssh HOST nsenter --target=PID --net" 10.77.0.5
"""

import argparse
import contextlib
import json
import operator
import shlex
import statistics
import subprocess
import sys
import typing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import figures


class Place(typing.NamedTuple):
    """The two ends of a connection.

    :ivar server, client: words before a command that is to run there
    :ivar address: the server's
    """

    server: str
    client: str
    address: str


def compare(places: dict[str, Place], count: int, seconds: int) -> dict[str, dict[str, float]]:
    """Measure all places in turns.

    :param count: how often
    :param seconds: of each measurement
    :returns: Mbit/s at the server, and the median of the ratios to the first place, turn by turn
    """
    rates: dict[str, list[float]] = {name: [] for name in places}
    for _ in range(count):
        for name, place in places.items():
            rates[name].append(one(place, seconds))
    first = next(iter(rates.values()))
    return {
        f"TCP, {name}": {
            "min": round(min(found)),
            "Mbit/s": round(statistics.median(found)),
            "max": round(max(found)),
            "ratio": round(statistics.median(map(operator.truediv, found, first)), 2),
        }
        for name, found in rates.items()
    }


def one(place: Place, seconds: int) -> float:
    """Mbit/s that one connection brings to the server."""
    serve = [*shlex.split(place.server), "iperf3", "--server", "--one-off", "--forceflush"]
    ask = ["iperf3", "--client", place.address, "--time", str(seconds), "--json"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:  # noqa: S603
        try:
            assert server.stdout  # noqa: S101
            if not any("Server listening" in line for line in server.stdout):
                raise SystemExit(f"Error: iperf3 does not serve - {shlex.join(serve)}")
            client = subprocess.run(  # noqa: S603
                [*shlex.split(place.client), *ask], capture_output=True, text=True, check=False
            )
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(0 if client.returncode else 10)
        finally:
            server.terminate()
    if client.returncode:
        raise SystemExit(f"Error: iperf3 failed - {client.stderr or client.stdout}")
    return float(json.loads(client.stdout)["end"]["sum_received"]["bits_per_second"]) / 1e6


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = ("NAME", "SERVER", "CLIENT", "ADDRESS")
    parser.add_argument("--between", nargs=4, action="append", required=True, metavar=words)
    parser.add_argument("-n", type=int, default=15, help="times for each place (default: 15)")
    parser.add_argument("--seconds", type=int, default=2, help="of each time (default: 2)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    places = {name: Place(*place) for name, *place in arguments.between}
    found = compare(places, arguments.n, arguments.seconds)
    figures.report(found, arguments.json, n=arguments.n, seconds=arguments.seconds)


if __name__ == "__main__":
    main()
