#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many processes burn and erase at random on one host of fake regions: does the ledger hold?

Ends with 1 if anything was not as it must be; tests/support/stress.py says what is checked.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support import stress


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    defaults = stress.Plan(kills=200, failures=0.02)
    for field in dataclasses.fields(stress.Plan):
        default = getattr(defaults, field.name)
        if isinstance(default, bool):
            parser.add_argument(f"--{field.name}", action="store_true")
        else:
            parser.add_argument(f"--{field.name}", type=type(default), default=default)
    plan = stress.Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as folder:
        outcome = stress.run(plan, Path(folder))
    print(json.dumps({"plan": dataclasses.asdict(plan), **dataclasses.asdict(outcome)}, indent=2))
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
