"""Step 5. What happens next: (state, event) -> (state, effects), as one table. Pure: no I/O, no clock.

The theory. An update is one transaction, named by its INITIATE's token, and the device has at most one. It is fetched and
unpacked into the other slot (FETCHING), waits there (STAGED), runs on trial (TRIAL), and ends confirmed or reverted, both of
which are IDLE again with the outcome told. An effect that is done twice does no harm, so the state is written to flash
*with* the answer that it implies and *before* an effect that can't be undone; after a power cut the agent says where it
finds itself (RESUMED, TRIAL_..., UNCARRIED) and the table goes on from there.

Where a trial is not confirmed in time the release may be at fault, or the network. DOUBT asks: if the old software reaches
the server, it was the release (reverted, for good); if it can't either, it was the network, and the update is kept (WAITING)
and tried again once there is a connection, a bounded number of times.

The previous version, run again by ACTION REVERT, and new settings are such transactions too, with nothing to fetch: named by
their command's token, tried, and confirmed or reverted in the same way.
"""

from srup import status
from srup.limits import const
from srup.replay import Command
from srup.transaction import DOUBT, FETCHING, IDLE, STAGED, TRIAL, WAITING

# Events
INITIATE = "INITIATE"  # a Command
ACTIVATE = "ACTIVATE"  # a Command
HAND_OVER = "HAND_OVER"  # a Command: ACTIVATE, where what is staged is data, which the application takes or not
REVERT = "REVERT"  # a Command: ACTION REVERT, where there is a previous version to run again
SETTINGS = "SETTINGS"  # a Command: DATA `settings`, stored beside those that hold
CONFIRM = "CONFIRM"  # a Command: DATA `confirm` for the transaction
CANCEL = "CANCEL"  # a Command: ACTION CANCEL for the transaction
RESUMED = "RESUMED"  # at boot: a download was under way
FETCHED = "FETCHED"  # downloaded, verified, unpacked
FAILED = "FAILED"  # could not be; carries the status
HEALTHY = "HEALTHY"  # on trial: connected, and the application's self-test passed
UNHEALTHY = "UNHEALTHY"  # on trial: it did not, or the application crashed
UNCARRIED = (
    "UNCARRIED"  # what the last event set off could not be done; at boot: a cut kept ACTIVATE from the boot record
)
TRIAL_CONFIRMED = "TRIAL_CONFIRMED"  # at boot: the boot record says confirmed, and the answer was never written
TRIAL_REFUTED = "TRIAL_REFUTED"  # at boot: reverted because the new software is bad
TRIAL_UNPROVEN = "TRIAL_UNPROVEN"  # at boot: reverted because no confirm came in time
ONLINE = "ONLINE"  # connected
OFFLINE = "OFFLINE"  # not connected for as long as a trial lasts
EXHAUSTED = "EXHAUSTED"  # connected, and tried often enough

# Effects; ("answer", s) tells the server status s under the transaction's token
FETCH = "fetch"  # start or go on with the download
SUPERSEDE = "supersede"  # answer SUPERSEDED under the old token
DROP = "drop"  # forget the download; what a failed unpacking leaves is no slot
DISCARD = "discard"  # what was staged is no slot any more
SWITCH = "switch"  # boot record: run the other slot, or under the new settings, on trial
MAKE_PERMANENT = "make permanent"  # boot record: confirmed
GO_BACK = "go back"  # boot record: reverted
HAND = "hand over"  # give the data to the application's hook
RESTART = "restart"  # stop hook, then hard reset
DEFER = "defer"  # leave the INITIATE RECEIVED, instead of one before it: it is taken up when the trial is over
ANSWER = "answer"

_FAILED_STATUS = const(-1)  # the status that the event carries


def _answer(value):
    return (ANSWER, value)


TRANSITIONS = {
    (IDLE, INITIATE): (FETCHING, (FETCH,)),
    (IDLE, REVERT): (TRIAL, (SWITCH, RESTART)),
    (IDLE, SETTINGS): (TRIAL, (SWITCH, RESTART)),
    (FETCHING, INITIATE): (FETCHING, (SUPERSEDE, FETCH)),
    (STAGED, INITIATE): (FETCHING, (SUPERSEDE, DISCARD, FETCH)),
    (TRIAL, INITIATE): (TRIAL, (DEFER,)),
    (DOUBT, INITIATE): (FETCHING, (SUPERSEDE, DISCARD, FETCH)),
    (WAITING, INITIATE): (FETCHING, (SUPERSEDE, DISCARD, FETCH)),
    (FETCHING, RESUMED): (FETCHING, (FETCH,)),
    (FETCHING, FETCHED): (STAGED, (_answer(status.UPDATE_SUCCESS),)),
    (FETCHING, FAILED): (IDLE, (_answer(_FAILED_STATUS), DROP)),
    (FETCHING, CANCEL): (IDLE, (_answer(status.SUPERSEDED), DROP)),
    (STAGED, CANCEL): (IDLE, (_answer(status.SUPERSEDED), DISCARD)),
    (STAGED, ACTIVATE): (TRIAL, (SWITCH, RESTART)),
    (STAGED, HAND_OVER): (TRIAL, (HAND,)),
    (FETCHING, UNCARRIED): (IDLE, (_answer(status.UPDATE_FAIL_STORAGE), DROP)),
    (STAGED, UNCARRIED): (IDLE, (_answer(status.ACTIVATE_FAIL), DISCARD)),
    (TRIAL, UNCARRIED): (IDLE, (_answer(status.ACTIVATE_FAIL), DISCARD)),
    (TRIAL, HEALTHY): (TRIAL, (_answer(status.ACTIVATE_TRIAL),)),
    (TRIAL, UNHEALTHY): (TRIAL, (GO_BACK, RESTART)),
    (TRIAL, CONFIRM): (IDLE, (MAKE_PERMANENT, _answer(status.ACTIVATE_SUCCESS))),
    (TRIAL, TRIAL_CONFIRMED): (IDLE, (_answer(status.ACTIVATE_SUCCESS),)),
    (TRIAL, TRIAL_REFUTED): (IDLE, (_answer(status.ACTIVATE_REVERTED), DISCARD)),
    (TRIAL, TRIAL_UNPROVEN): (DOUBT, ()),
    (DOUBT, ONLINE): (IDLE, (_answer(status.ACTIVATE_REVERTED), DISCARD)),
    (DOUBT, OFFLINE): (WAITING, ()),
    (WAITING, ONLINE): (TRIAL, (_answer(status.TRIAL_RETRY), SWITCH, RESTART)),
    (WAITING, EXHAUSTED): (IDLE, (_answer(status.ACTIVATE_REVERTED), DISCARD)),
    (DOUBT, CANCEL): (IDLE, (_answer(status.ACTIVATE_REVERTED), DISCARD)),
    (WAITING, CANCEL): (IDLE, (_answer(status.ACTIVATE_REVERTED), DISCARD)),
}

_COMMANDED = (INITIATE, ACTIVATE, HAND_OVER, REVERT, SETTINGS, CONFIRM, CANCEL)


def step(state, event, cause=None):
    """(state, effects) after `event`, or None where the event means nothing in this state.

    cause: for INITIATE, ACTIVATE, REVERT, SETTINGS, CONFIRM and CANCEL the Command that says so (anything else raises TypeError:
    what has not come down the whole road changes nothing); for FAILED its status.
    """
    if event in _COMMANDED and not isinstance(cause, Command):
        raise TypeError("%s needs a Command" % event)
    found = TRANSITIONS.get((state, event))
    if found is None:
        return None
    after, effects = found
    if event == FAILED:
        effects = tuple(_answer(cause) if effect == _answer(_FAILED_STATUS) else effect for effect in effects)
    return after, effects
