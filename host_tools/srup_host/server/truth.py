"""What a device is known to run, in three words that mean different things. Pure: no I/O, no clock.

confirmed   the device's own signed inventory says so, nothing sent since could have changed it, and it is recent
believed    something says so, but not that: an ACTIVATE is under way, ACTIVATE_SUCCESS came without the inventory yet, or it was
            told since to go back, or to destroy itself
overdue     the device's last signed word is too old to go by: what it said then is shown, and that it may not hold
unknown     it has never said anything
"""

from dataclasses import dataclass

from srup import status
from srup_host.tables import Transaction

HEARTBEAT_MS = 86_400_000  # a device is asked what it runs at least so often; three missed, and it is overdue
MISSED = 3


@dataclass(frozen=True)
class Said:
    """The device's latest signed inventory: what it runs, when that came, and the number of the frame in the evidence."""

    app: str | None
    version: str | None
    at: int
    evidence: int | None


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
    """said: None if it never did · update: the latest INITIATE's transaction · now: ms since 1970 · ordered: an action sent since,
    after which it may run something else."""
    if said is None:
        return Truth("unknown", None, None, "it has sent no signed inventory")
    if now - said.at > MISSED * HEARTBEAT_MS:
        return Truth("overdue", said.app, said.version, "its last signed word is too old", said.at, said.evidence)
    if update is not None and update.reported and not update.agreed:
        why = "it reports ACTIVATE_SUCCESS; its signed inventory has not said so yet"
        return Truth("believed", update.name, update.version, why, update.changed)
    if update is not None and update.status in (status.ACTIVATE_TRIAL, status.TRIAL_RETRY):
        why = f"{update.name} {update.version} is on trial there"
        return Truth("believed", said.app, said.version, why, said.at, said.evidence)
    if ordered:
        return Truth("believed", said.app, said.version, f"it was sent {ordered} since", said.at, said.evidence)
    return Truth("confirmed", said.app, said.version, "its signed inventory says so", said.at, said.evidence)
