# SPDX-License-Identifier: Apache-2.0
"""What can go wrong with a live image."""


class LiveError(Exception):
    """Nothing was dumped or restored; the text has the reason."""


class Untrusted(LiveError):
    """An image is not what a trusted key has signed for this use."""


class UnknownKey(Untrusted):
    """An image is of a key that this host does not trust; another one may."""


def words(reason: BaseException) -> str:
    """The text of a reason in one line, for people.

    CRIU and runc name files and processes, and so what a server's owner has called them.
    """
    return "".join(c if c.isprintable() else " " for c in str(reason))
