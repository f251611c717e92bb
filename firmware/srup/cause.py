"""Why the board has started: what the machine says, and a note that the agent leaves before it resets.

The RP2040 can't tell a reset that was asked for from one by the watchdog. The note can; without one it was the watchdog.
"""

import os

from srup import port


def note(root, why):
    """Called before a reset."""
    try:
        with open(root + "/why", "w") as file:
            file.write(why)
    except OSError:
        pass  # it is told as the machine sees it, then


def take(root):
    """Once a start: "power", what the note says, or "watchdog", "sleep", "reset" (a pin, a soft reset)."""
    cause, path = port.reset_cause(), root + "/why"
    try:
        with open(path) as file:
            why = file.read(32)
        os.remove(path)
    except OSError:
        return cause
    return cause if cause == "power" else why
