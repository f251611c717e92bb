"""/boot.py: choose the slot. A fault in choosing leaves the choice at recovery, and main.py runs all the same."""

import sys

try:
    from srup_boot import start

    start.choose()
except Exception as fault:  # noqa: BLE001 - whatever it is, the board is to stay reachable
    sys.print_exception(fault)
