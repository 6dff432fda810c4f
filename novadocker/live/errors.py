# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a live image."""


class LiveError(Exception):
    """Nothing was dumped or restored; the text has the reason."""


class Untrusted(LiveError):
    """An image is not what a trusted key has signed for this use."""
