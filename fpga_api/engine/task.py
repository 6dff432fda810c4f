# SPDX-License-Identifier: Apache-2.0
"""What the engine does again and again."""

import typing


class Task(typing.NamedTuple):
    """Something that the active engine does at intervals.

    :ivar interval: seconds from one beginning to the next
    :ivar run: does it once; what it raises is logged, and it is tried again
    """

    name: str
    interval: float
    run: typing.Callable[[], None]
