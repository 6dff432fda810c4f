# SPDX-License-Identifier: Apache-2.0
"""What a server says on standard error: no more than its log has room for, whatever clients do."""

import sys


class Log:
    """Lines on standard error.

    :param most: lines; the last of them says that no more follow
    """

    def __init__(self, most: int = 1000) -> None:
        self._remaining = most

    def say(self, text: str) -> None:
        """Write a line, while there is room for it."""
        self._remaining -= 1
        if self._remaining == 0:
            text = "no more is logged until the server starts again"
        if self._remaining >= 0:
            print(text, file=sys.stderr, flush=True)
