# SPDX-License-Identifier: Apache-2.0
"""What a check of the doctor finds."""

import dataclasses
import typing

Level = typing.Literal["ok", "missing", "warning", "skipped"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One fact; ``remedy`` is the line to add or the command to run."""

    check: str
    level: Level
    text: str
    remedy: str | None = None

    def lines(self) -> list[str]:
        """As a person reads it."""
        first = f"{self.level:<8} {self.check:<12} {self.text}"
        return [first] if self.remedy is None else [first, f"{'':21} -> {self.remedy}"]
