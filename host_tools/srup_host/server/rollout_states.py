"""What happens next in a roll-out, as two tables. Pure: no I/O, no clock.

The theory. A roll-out takes each of its devices through one update: PENDING, STAGING (INITIATE is sent), STAGED, ACTIVATING
(ACTIVATE is sent), TRIAL (our confirm is sent), REPORTED (it says ACTIVATE_SUCCESS), CONFIRMED (its signed inventory agrees).
Events are what the ledger knows of the device's transaction, looked at again and again: so nothing is lost with a worker that
is killed, and whatever is looked at twice is no event the second time. An effect is carried out in the database transaction
that makes the step; but a confirm, and the question after a success, are due by the state alone, until they have had their effect.

A roll-out that is aborted begins with no more devices. Those that have been sent something are WITHDRAWN: what gets staged
is cancelled, what comes to be tried is not confirmed and so goes back by itself. A trial whose confirm was sent before goes on.
"""

from srup import status
from srup_host import rules
from srup_host.offers import NOT_THIS_DELTA
from srup_host.tables import Transaction

# States of a roll-out
WAITING = "waiting"  # for an approver
RUNNING = "running"
PAUSED = "paused"
DONE = "done"
ABORTED = "aborted"

# Events of a roll-out
APPROVE = "approve"
PAUSE = "pause"
RESUME = "resume"
ABORT = "abort"  # by a person
BREACH = "breach"  # too many failures
FINISH = "finish"  # no device is left to begin with, or under way

ROLLOUT = {
    (WAITING, APPROVE): RUNNING,
    (WAITING, ABORT): ABORTED,
    (RUNNING, PAUSE): PAUSED,
    (RUNNING, ABORT): ABORTED,
    (RUNNING, BREACH): ABORTED,
    (RUNNING, FINISH): DONE,
    (PAUSED, RESUME): RUNNING,
    (PAUSED, ABORT): ABORTED,
    (PAUSED, BREACH): ABORTED,
}

# States of a device in it
PENDING = "pending"
STAGING = "staging"
STAGED = "staged"
ACTIVATING = "activating"
TRIAL = "on trial"
REPORTED = "reported"
CONFIRMED = "confirmed"
FAILED = "failed"
WITHDRAWN = "withdrawn"
LEFT_OUT = "left out"

STATES = (PENDING, STAGING, STAGED, ACTIVATING, TRIAL, REPORTED, CONFIRMED, FAILED, WITHDRAWN, LEFT_OUT)
UNDER_WAY = (STAGING, STAGED, ACTIVATING, TRIAL, REPORTED, WITHDRAWN)
OVER = (CONFIRMED, FAILED, LEFT_OUT)

# Events of a device
BEGIN = "begin"  # its wave is open, it is due
FETCHED = "fetched"  # UPDATE_SUCCESS
FAULT = "fault"  # it could not be done now, and may be tried again
FAILURE = "failure"  # it can't be done, or was tried often enough
REPLACED = "replaced"  # SUPERSEDED: somebody sent it something newer
GO = "go"  # it may be activated now
TRIED = "tried"  # ACTIVATE_TRIAL
AGAIN = "again"  # TRIAL_RETRY: it was the network, it will try again
SUCCEEDED = "succeeded"  # ACTIVATE_SUCCESS
AGREED = "agreed"  # and the signed inventory says so
REVERTED = "reverted"  # ACTIVATE_REVERTED, ACTIVATE_FAIL
SILENT = "silent"  # nothing for as long as the policy waits
STOP = "stop"  # the roll-out is aborted; of a trial: and no confirm was sent
LEAVE = "leave"  # the device is in quarantine, or gone

# Effects
INITIATE = "initiate"
ACTIVATE = "activate"
CONFIRM = "confirm"
ASK = "ask"  # what it runs
CANCEL = "cancel"  # what it has staged
ASIDE = "aside"  # wait no more for the answer to what was sent
COUNT = "count"  # a failure of this device
CLEAR = "clear"  # its failures are of the past

_ON_THE_WAY = (STAGING, STAGED, ACTIVATING, TRIAL)

DEVICE = {
    (PENDING, BEGIN): (STAGING, (INITIATE,)),
    (PENDING, STOP): (LEFT_OUT, ()),
    (PENDING, LEAVE): (LEFT_OUT, ()),
    (STAGING, FETCHED): (STAGED, ()),
    (STAGING, FAULT): (PENDING, ()),
    (STAGED, GO): (ACTIVATING, (ACTIVATE,)),
    (STAGED, STOP): (LEFT_OUT, (CANCEL,)),
    (STAGED, LEAVE): (LEFT_OUT, (CANCEL,)),
    (STAGING, STOP): (WITHDRAWN, ()),
    (ACTIVATING, STOP): (WITHDRAWN, ()),
    (TRIAL, STOP): (WITHDRAWN, ()),
    (TRIAL, AGAIN): (ACTIVATING, ()),
    (REPORTED, AGREED): (CONFIRMED, (CLEAR,)),
    (REPORTED, SILENT): (FAILED, (COUNT,)),
    **{(state, TRIED): (TRIAL, (CONFIRM,)) for state in (STAGING, STAGED, ACTIVATING)},
    **{(state, SUCCEEDED): (REPORTED, (ASK,)) for state in (*_ON_THE_WAY, WITHDRAWN)},
    **{(state, REVERTED): (FAILED, (COUNT, ASK)) for state in _ON_THE_WAY},
    **{(state, FAILURE): (FAILED, (COUNT,)) for state in _ON_THE_WAY},
    **{(state, SILENT): (FAILED, (ASIDE, COUNT)) for state in (STAGING, ACTIVATING, TRIAL)},
    **{(state, REPLACED): (LEFT_OUT, ()) for state in _ON_THE_WAY},
    (WITHDRAWN, FETCHED): (LEFT_OUT, (CANCEL,)),
    (WITHDRAWN, SILENT): (LEFT_OUT, (ASIDE,)),
    (WITHDRAWN, REVERTED): (LEFT_OUT, (ASK,)),
    **{(WITHDRAWN, event): (LEFT_OUT, ()) for event in (FAULT, FAILURE, REPLACED)},
}

# What a device says of an update: may it be tried again?
FAULTS = rules.REFUSED | {
    status.UPDATE_FAIL_SERVER,
    status.UPDATE_FAIL_FILE,
    status.UPDATE_FAIL_HTTP,
    status.UPDATE_FAIL_DIGEST,
    status.UPDATE_FAIL_STORAGE,
}
_EVENTS = {
    status.UPDATE_SUCCESS: FETCHED,
    status.ACTIVATE_TRIAL: TRIED,
    status.TRIAL_RETRY: AGAIN,
    status.ACTIVATE_SUCCESS: SUCCEEDED,
    status.ACTIVATE_REVERTED: REVERTED,
    status.ACTIVATE_FAIL: REVERTED,
    status.SUPERSEDED: REPLACED,
}


def rollout(state: str, event: str) -> str | None:
    """The roll-out's state after `event`, or None where that means nothing in this state."""
    return ROLLOUT.get((state, event))


def device(state: str, event: str) -> tuple[str, tuple[str, ...]] | None:
    """(state, effects) of a device after `event`, or None where that means nothing in this state."""
    return DEVICE.get((state, event))


def event_of(state: str, update: Transaction, may_retry: bool, was_delta: bool = False) -> str | None:
    """What a device's transaction says to a device in `state`: an event that means something there, or None.

    was_delta: what it was sent can be sent whole, if it can't use that.
    """
    value = update.status
    if value is None:
        return None
    if state == REPORTED:
        return AGREED if update.confirmed else None
    if value in _EVENTS:
        event = _EVENTS[value]
    elif state == STAGING and ((value in FAULTS and may_retry) or (value in NOT_THIS_DELTA and was_delta)):
        event = FAULT
    else:
        event = FAILURE
    return event if (state, event) in DEVICE else None
