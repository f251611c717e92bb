"""Which slot runs: decided at every boot, before anything of a slot is imported.

    the boot record says   contents     then
    trial, no boots left   not read     record REVERTED, unproven; go on with the active slot
    trial, boots left      bad          record REVERTED, bad contents; go on with the active slot
    trial, boots left      whole        record one boot less; set the deadline; start the trial
    active                 whole        start it
    active                 bad          start the fallback, the version confirmed before it, if that is whole
    none of them whole                  recovery: no slot; the base agent alone, on the network

Two rules make it safe to cut the power anywhere:

* What is decided about a trial is in flash before it is acted on. A trial boot that can't be counted does not begin:
  it could crash for ever.
* Only a trial and what was confirmed once is started. A slot that was staged and never activated, or that failed its
  trial, may be whole and still never reach the network: recovery is better.
"""

import sys
from collections import namedtuple

from srup_boot import hw, record
from srup_boot.record import NONE
from srup_boot.slot import BadSlot, slot_path, verify

# slot: 0, 1 or NONE for recovery; trial: it is to be confirmed; record: the boot record; note: what was wrong, or ""
Choice = namedtuple("Choice", ("slot", "trial", "record", "note"))

chosen = Choice(NONE, False, record.Record(), "no choice was made")


def choose(root="/srup-data"):
    """Choose the slot, set the deadline of a trial, put the slot first on sys.path; the Choice is kept in `chosen`."""
    global chosen
    state = record.load(root)
    notes = []
    slot = _trial(root, state, notes)
    trial = slot != NONE
    if trial:
        hw.arm(state.trial_s)
    else:
        slot = _confirmed(root, state, notes)
    if slot != NONE:
        sys.path.insert(0, slot_path(root, slot))
    chosen = Choice(slot, trial, state, "; ".join(notes))
    return chosen


def _trial(root, state, notes):
    """The slot on trial, this boot of it counted in flash; NONE if there is none, or none any more."""
    if state.trial == NONE:
        return NONE
    if not state.boots_left:
        state.revert(record.UNPROVEN)
    elif not _is_whole(root, state.trial, notes):
        state.revert(record.BAD_CONTENTS)
    else:
        state.boots_left -= 1
    try:
        state.save(root)
    except OSError as fault:
        notes.append("boot record not saved: %r" % fault)
        return NONE
    return state.trial


def _confirmed(root, state, notes):
    """The active slot, or its fallback, or NONE: the first that is whole."""
    for slot in (state.active, state.fallback):
        if slot != NONE and _is_whole(root, slot, notes):
            return slot
    return NONE


def _is_whole(root, slot, notes):
    try:
        verify(root, slot)
        return True
    except BadSlot as fault:
        notes.append("slot %s: %s" % ("ab"[slot], fault))
        return False
