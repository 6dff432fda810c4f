# SPDX-License-Identifier: Apache-2.0
"""The alert rules and the dashboard ask for metrics that the engine has."""

import json
import re
import typing
from pathlib import Path

import pytest
import yaml
from prometheus_client import exposition

from fpga_api.engine.metrics import Metrics

ROOT = Path(__file__).parents[4]
RULES = ROOT / "etc/prometheus/fpga-api.rules.yml"
DASHBOARD = ROOT / "etc/grafana/fpga-api.json"


def _metrics() -> set[str]:
    one = {"id": "1", "name": "f", "source": "placement", "free": 1, "total": 1, "error": None}
    bad = one | {"error": {"code": "fpga.flavor_invalid"}}
    metrics = Metrics(lambda: [one, bad])
    metrics.schedule("count", 1)
    metrics.record("count", 1.0, True)
    text = exposition.generate_latest(metrics.registry).decode()
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[:1] != "#"}


def _expressions(value: typing.Any) -> typing.Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("expr", "query") and isinstance(one, str):
                yield one
            yield from _expressions(one)
    elif isinstance(value, list):
        for one in value:
            yield from _expressions(one)


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: file.name)
def test_expressions_name_metrics_of_the_engine(file: Path) -> None:
    text = file.read_text()
    document = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    names = {name for one in _expressions(document) for name in re.findall(r"\bfpga_[a-z_]+", one)}
    assert len(names) > 3
    assert names <= _metrics()
