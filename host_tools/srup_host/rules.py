"""What a server makes of answers (protocol.md, section 3), as tables. Pure: no I/O, no clock.

A transaction is named by the token of the frame that opened it: INITIATE (its ACTIVATE has the same token and goes on with
it), ACTION, DATA, ID_REQUEST, ... Its statuses only move forward: `FORWARD` says where to. A status that leads nowhere is
terminal: the first one counts, and a different later one is an alarm.
"""

from enum import Enum

from srup import status, wire

REFUSED = frozenset((status.TOKEN_STALE, status.TOKEN_EXPIRED, status.TOKEN_AHEAD))
UPDATE_FAILED = frozenset(
    (
        status.UPDATE_FAIL_SERVER,
        status.UPDATE_FAIL_FILE,
        status.UPDATE_FAIL_DIGEST,
        status.UPDATE_FAIL_HTTP,
        status.UPDATE_FAIL_BUNDLE,
        status.UPDATE_FAIL_BOARD,
        status.UPDATE_FAIL_DOWNGRADE,
        status.UPDATE_FAIL_SPACE,
        status.UPDATE_FAIL_STORAGE,
        status.UPDATE_FAIL_URL,
        status.SUPERSEDED,
    )
)

# How what goes on trial without an update ends: ACTION REVERT, DATA `settings`. They have no other answer once they begin.
_TRIED = frozenset(
    (
        status.ACTIVATE_SUCCESS,
        status.ACTIVATE_FAIL,
        status.ACTIVATE_REVERTED,
        status.TRIAL_RETRY,
        status.SUPERSEDED,
    )
)

# What ends the wait after a frame of each type. ID_REQUEST is answered by DATA `inventory`.
ENDS: dict[int, frozenset[int]] = {
    wire.INITIATE: UPDATE_FAILED | REFUSED | {status.UPDATE_SUCCESS},
    wire.ACTIVATE: frozenset(
        (
            status.ACTIVATE_SUCCESS,
            status.ACTIVATE_FAIL,
            status.ACTIVATE_REVERTED,
            status.TRIAL_RETRY,
            status.SUPERSEDED,
            status.TOKEN_STALE,
            status.TOKEN_EXPIRED,
        )
    ),
    wire.ACTION: REFUSED
    | _TRIED
    | {status.ACTION_SUCCESS, status.ACTION_REFUSED, status.ACTION_UNKNOWN, status.ACTION_FAIL},
    wire.DATA: REFUSED | _TRIED | {status.DATA_SUCCESS, status.DATA_UNKNOWN},
    wire.ID_REQUEST: REFUSED,
    wire.JOIN_COMMAND: REFUSED | {status.JOIN_SUCCESS, status.JOIN_REFUSED, status.JOIN_FAIL, status.ACTION_UNKNOWN},
    wire.DEREGISTER_COMMAND: REFUSED | {status.DEREGISTER_SUCCESS, status.DEREGISTER_FAIL, status.ACTION_UNKNOWN},
}

# What shows that a frame of each type has arrived: the device may be sent the next one.
ANSWERS = ENDS | {kind: ENDS[kind] | {status.ACTIVATE_TRIAL} for kind in (wire.ACTIVATE, wire.ACTION, wire.DATA)}

_TRIAL_OVER = frozenset((status.ACTIVATE_SUCCESS, status.ACTIVATE_REVERTED, status.ACTIVATE_FAIL, status.SUPERSEDED))

# type that opened the transaction: {its last status, None before the first: those that may follow}
_TRIAL: dict[int | None, frozenset[int]] = {
    status.ACTIVATE_TRIAL: _TRIAL_OVER | {status.TRIAL_RETRY},
    status.TRIAL_RETRY: _TRIAL_OVER | {status.ACTIVATE_TRIAL},
}
FORWARD: dict[int, dict[int | None, frozenset[int]]] = {
    kind: {None: answers} for kind, answers in ANSWERS.items() if kind not in (wire.INITIATE, wire.ACTIVATE)
}
FORWARD[wire.ACTION] |= _TRIAL
FORWARD[wire.DATA] |= _TRIAL
FORWARD[wire.INITIATE] = {None: ENDS[wire.INITIATE], status.UPDATE_SUCCESS: ANSWERS[wire.ACTIVATE]} | _TRIAL

# As FORWARD, what may follow besides where answers were lost: a server that was restored from a copy of before it sent ACTIVATE
# knows no UPDATE_SUCCESS, and what it did with that. Not elsewhere: then it was somebody else who has sent ACTIVATE, with our key.
LOST: dict[int, dict[int | None, frozenset[int]]] = {wire.INITIATE: {None: ANSWERS[wire.ACTIVATE]}}


class Verdict(Enum):
    FORWARD = "forward"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"


def judge(kind: int, seen: bytes, value: int, lost: bool = False) -> Verdict:
    """What status `value` means after the statuses `seen` (in their order) of a transaction that `kind` opened.

    lost: the server was restored meanwhile, and answers between these and that may have been before that.
    """
    last = seen[-1] if seen else None
    if value in FORWARD[kind].get(last, ()) or (lost and value in LOST.get(kind, {}).get(last, ())):
        return Verdict.FORWARD
    return Verdict.DUPLICATE if value in seen else Verdict.CONFLICT


def is_terminal(kind: int, value: int) -> bool:
    """True if nothing can follow status `value` in a transaction that `kind` opened."""
    return value not in FORWARD[kind]
