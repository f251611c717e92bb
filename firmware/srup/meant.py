"""Step 7, before the body is looked at: is what this manifest describes meant for this device, as it is now?"""

from srup import __version__, limits, port
from srup.errors import UpdateFailed
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_DOWNGRADE


def check(manifest, kinds, board, mpy, running, counter):
    """Raise UpdateFailed, with UPDATE_FAIL_BOARD or UPDATE_FAIL_DOWNGRADE, unless it is.

    kinds: those that the slots hold · board: this board's name · mpy: the .mpy version it runs, "6.3" · running: the base that
    what runs is, None for nothing · counter: the security counter of what was last confirmed
    """
    for is_ours, why in (
        (manifest["kind"] in kinds, "of kind " + manifest["kind"]),
        (not manifest["boards"] or board in manifest["boards"], "for another board"),
        (manifest["mpy"] in ("", mpy), "for .mpy version " + manifest["mpy"]),
        (_reaches(port.micropython(), manifest["micropython"]), "for MicroPython " + manifest["micropython"]),
        (_reaches(numbers(__version__), manifest["agent"]), "for agent " + manifest["agent"]),
        (manifest["window"] <= limits.WINDOW, "compressed for a board with more memory"),
        (manifest["base"] in ("", running), "a change to another version than the one that runs"),
    ):
        if not is_ours:
            raise UpdateFailed(UPDATE_FAIL_BOARD, why)
    if manifest["counter"] < counter:
        raise UpdateFailed(UPDATE_FAIL_DOWNGRADE, "security counter %d" % manifest["counter"])


def numbers(version):
    """Numbers to compare: (1, 25, 0) for "1.25.0"."""
    return tuple([int(number) for number in version.split(".")])


def _reaches(ours, minimum):
    """1.25 is met by 1.25.0, and 1.25.0 by 1.25."""
    wanted = numbers(minimum) if minimum else ()
    return ours + (0,) * (len(wanted) - len(ours)) >= wanted
