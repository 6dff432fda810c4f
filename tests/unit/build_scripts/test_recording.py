# SPDX-License-Identifier: Apache-2.0
"""The picture of the README has the walk of the demo, and nothing else."""

import json

from build_scripts import recording

OUTPUT = """TASK [demo]
== One container
$ nova boot dcr1
+----+
| id |
+----+
  dcr1 is ACTIVE after 4.3 s
  ok: dcr1 is: ACTIVE

== Figures (seconds)
  boot dcr1    4.30
"""


def _cast(output: str) -> str:
    half = len(output) // 2
    lines = output.replace("\n", "\r\n")
    events = [[0.1, "o", lines[:half]], [0.2, "i", "x"], [0.3, "o", lines[half:]]]
    return "\n".join(json.dumps(line) for line in [{"version": 2}, *events])


def test_walk_has_neither_checks_nor_tables() -> None:
    assert recording.walk_of(_cast(OUTPUT)) == (
        "== One container\n$ nova boot dcr1\n  dcr1 is ACTIVE after 4.3 s"
    )


def test_recording_without_a_whole_walk_is_rejected() -> None:
    assert recording.walk_of(_cast(OUTPUT.partition("== Figures")[0])) is None
