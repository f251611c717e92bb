"""What a device is known to run, in three words that mean different things. Pure: no I/O, no clock.

confirmed   the device's own signed inventory says so, nothing sent or said since could have changed it, and it is recent
believed    something says so, but not that: an ACTIVATE is under way, it is on trial or back from one, ACTIVATE_SUCCESS came
            without the inventory yet, or it was told to go back, or to destroy itself
overdue     the device's last signed word is too old to go by: what it said then is shown, and that it may not hold
unknown     it has never said anything
"""

from dataclasses import dataclass

from srup import status
from srup_host.tables import Transaction

HEARTBEAT_MS = 86_400_000  # a device is asked what it runs at least so often; three missed, and it is overdue
MISSED = 3
_ON_TRIAL = (status.ACTIVATE_TRIAL, status.TRIAL_RETRY)
_WENT_BACK = (status.ACTIVATE_REVERTED, status.ACTIVATE_FAIL)
OF_A_TRIAL = _ON_TRIAL + _WENT_BACK  # statuses


@dataclass(frozen=True)
class Said:
    """The device's latest signed inventory: what it runs, and whether on trial, when that came, and the number of the frame in the evidence."""

    app: str | None
    version: str | None
    at: int
    evidence: int | None
    trial: bool = False


@dataclass(frozen=True)
class Truth:
    """word: see above · why: in a sentence · at, evidence: of the frame that says so."""

    word: str
    app: str | None
    version: str | None
    why: str
    at: int | None = None
    evidence: int | None = None


def of(said: Said | None, update: Transaction | None, now: int, ordered: str = "") -> Truth:
    """said: None if it never did · update: the INITIATE's transaction that bears on it · now: ms since 1970 · ordered: what it was sent that
    may have it run something else than it said."""
    if said is None:
        return Truth("unknown", None, None, "it has sent no signed inventory")
    if now - said.at > MISSED * HEARTBEAT_MS:
        return Truth("overdue", said.app, said.version, "its last signed word is too old", said.at, said.evidence)
    if update is not None and update.reported and not update.agreed:
        why = "it reports ACTIVATE_SUCCESS; its signed inventory has not said so yet"
        return Truth("believed", update.name, update.version, why, update.changed)
    if update is not None and update.status in _ON_TRIAL:
        why = f"{update.name} {update.version} is on trial there"
        return Truth("believed", said.app, said.version, why, said.at, said.evidence)
    if doubt := _doubt(said, update, ordered):
        return Truth("believed", said.app, said.version, doubt, said.at, said.evidence)
    return Truth("confirmed", said.app, said.version, "its signed inventory says so", said.at, said.evidence)


def _doubt(said: Said, update: Transaction | None, ordered: str) -> str:
    """Why its inventory need not hold any more; "" if there is nothing."""
    if ordered:
        return f"it was sent {ordered} since"
    if said.trial:
        return "it was on trial when it said so"
    if update and update.status in _WENT_BACK and (update.changed or 0) > said.at:
        return f"it is back from {update.name} {update.version}; its signed inventory has not said so yet"
    return ""
