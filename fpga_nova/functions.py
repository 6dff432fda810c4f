# SPDX-License-Identifier: Apache-2.0
"""What an accelerator does, as flavors ask for it and as Placement calls it.

A function is the ``type`` of a bitstream package. Capital letters, and characters that Placement
does not take, make no difference: `Lzo-1` and `lzo_1` are the same function.
"""

import re

#: Placement knows by this trait, with a function at its end, that a card can have the function.
TRAIT = "CUSTOM_ACCELERATOR_"

#: A type that names a function, as the manifest's schema has it.
WORD = re.compile("[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def canonical(word: str) -> str | None:
    """The one spelling of a function; None where the word names none."""
    return re.sub("[^a-z0-9]", "_", word.lower()) if WORD.fullmatch(word) else None


def trait(function: str) -> str:
    """The trait of a function in its one spelling."""
    return f"{TRAIT}{function.upper()}"
