# SPDX-License-Identifier: Apache-2.0
"""Stops guests whose device numbers belong to other nodes by now.

A guest keeps the number that its device had when the guest was started. Where cards are found in
another order, the number may be that of another's region.
"""

from fpga_hooks.host import backoff
from fpga_hooks.instance import guests


def stop_guests(log: backoff.Retries) -> None:
    """End each guest that runs with a number that its node does not have any more.

    :param log: so that nothing is repeated with every audit
    """
    try:
        misplaced = [guest for guest in guests.machine.guests() if guest.misplaced]
    except guests.UnknownError as e:
        log.say("numbers", f"Device numbers of guests are not compared: {e}")
        return
    for guest in misplaced:
        words = (
            f"Guest {guest.name} has device numbers that its nodes do not have any more; it is "
            "stopped, and gets those of its own region when it is started"
        )
        try:
            guests.machine.stop(guest)
        except guests.UnknownError as e:
            words = f"{words}; {e}"
        log.say(guest.instance or guest.name, words)
