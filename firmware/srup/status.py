"""Statuses of a RESPONSE (protocol.md, Status; the paper's Table V for 00, FD, FE and FF)."""

from srup.limits import const

UPDATE_SUCCESS = const(0x00)
UPDATE_FAIL_SERVER = const(0xFD)
UPDATE_FAIL_FILE = const(0xFE)
UPDATE_FAIL_DIGEST = const(0xFF)
UPDATE_FAIL_HTTP = const(0xFC)
UPDATE_FAIL_BUNDLE = const(0xFB)
UPDATE_FAIL_BOARD = const(0xFA)
UPDATE_FAIL_DOWNGRADE = const(0xF9)
UPDATE_FAIL_SPACE = const(0xF8)
UPDATE_FAIL_STORAGE = const(0xF7)
TOKEN_STALE = const(0xF6)
TOKEN_EXPIRED = const(0xF5)
TOKEN_AHEAD = const(0xF4)
SUPERSEDED = const(0xF3)
UPDATE_FAIL_URL = const(0xF2)
ACTIVATE_SUCCESS = const(0x10)
ACTIVATE_TRIAL = const(0x11)
TRIAL_RETRY = const(0x1D)
ACTIVATE_REVERTED = const(0x1E)
ACTIVATE_FAIL = const(0x1F)
ACTION_SUCCESS = const(0x20)
ACTION_REFUSED = const(0x2D)
ACTION_UNKNOWN = const(0x2E)
ACTION_FAIL = const(0x2F)
DATA_SUCCESS = const(0x30)
DATA_UNKNOWN = const(0x3F)
JOIN_SUCCESS = const(0x50)
JOIN_REFUSED = const(0x5E)
JOIN_FAIL = const(0x5F)
RESIGN_SUCCESS = const(0x70)
RESIGN_FAIL = const(0x7F)
DEREGISTER_SUCCESS = const(0x80)
DEREGISTER_FAIL = const(0x8F)


def terminal(status):
    """True for a status after which a transaction's outcome can't change: 10, 1E, 1F and the F-values."""
    return status in (ACTIVATE_SUCCESS, ACTIVATE_REVERTED, ACTIVATE_FAIL) or status >= 0xF0


def name(status):
    """The status's name, for logs and people; `0x__` for one that is not in the table."""
    for word, value in globals().items():
        if word.isupper() and value == status:
            return word
    return "0x%02X" % status
