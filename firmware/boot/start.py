"""Which slot runs: decided at every boot, before anything of a slot is imported.

    the boot record says   contents     then
    trial, no boots left   not read     record REVERTED, unproven; go on with the active slot
    trial, boots left      bad          record REVERTED, bad contents; go on with the active slot
    trial, boots left      whole        record one boot less; set the deadline; start the trial
    active                 whole        record one start more; start it
    active                 bad          start the fallback, the version confirmed before it, if that is whole
    active, STARTS starts  not read     the same: it crashes. (The agent sets the count back after a stable minute.)
    fallback, as many      not read     recovery
    none of them whole                  recovery: no slot; the base agent alone, on the network

New settings go on trial in the same way: counted, with a deadline, under the active slot.

Three rules make it safe to cut the power anywhere:

* What is decided about a trial is in flash before it is acted on. A trial boot that can't be counted does not begin:
  it could crash for ever.
* Only a trial and what was confirmed once is started. A slot that was staged and never activated, or that failed its
  trial, may be whole and still never reach the network: recovery is better.
* Whatever is started has a deadline in the machine from here on: a trial's is for good, any other's is put off by the agent.
"""

import os
from collections import namedtuple

from srup_boot import hw, record
from srup_boot.record import NONE
from srup_boot.slot import BadSlot, contents

# slot: 0, 1 or NONE for recovery; trial: something is to be confirmed; version: that is what runs, and not the settings; note: what
# was wrong, or ""; settings: which copy of them to use, NONE for those of provisioning
Choice = namedtuple("Choice", ("slot", "trial", "version", "note", "settings"))

chosen = Choice(NONE, False, False, "no choice was made", NONE)


def choose(root="/srup-data"):
    """Choose the slot, set its deadline, have imports look there first; the Choice is kept in `chosen`."""
    global chosen
    _heed_ends(root)
    state = record.load(root)
    slots, notes = contents(root), []
    trial = _trial(root, state, slots, notes)
    settings = state.trial_settings if trial and state.trial_settings != NONE else state.settings
    slot = NONE
    if trial:
        hw.arm(state.trial_s)
        if state.trial != NONE:
            slot = _entered(slots, state.trial, trial, notes)
            trial = slot != NONE or _is_over(root, state, notes)
    if slot == NONE:
        slot = _confirmed(root, state, slots, notes, trial)
    chosen = Choice(slot, trial, trial and state.trial != NONE, "; ".join(notes), settings)
    return chosen


def _heed_ends(root):
    """TURN_OFF and SELF_DESTRUCT, see `ends`: hardly ever ordered, and so hardly ever imported."""
    for marker in ("/off", ".end"):
        try:
            os.stat(root + marker)
        except OSError:
            continue
        from srup_boot import ends

        ends.obey(root)


def _entered(slots, slot, trial, notes):
    """The slot; NONE where that fails, whatever its hash says. This start is counted: it is not tried for ever."""
    try:
        slots.enter(slot, trial)
        return slot
    except (OSError, BadSlot, ValueError, MemoryError) as fault:
        notes.append("slot %s: %r" % ("ab"[slot], fault))
        return NONE


def _is_over(root, state, notes):
    """The slot on trial can't even be entered. Returns False: no trial."""
    state.revert(record.BAD_CONTENTS)
    _saved(root, state, notes)
    return False


def _trial(root, state, slots, notes):
    """Is there a trial, and this boot of it counted in flash?"""
    if not state.on_trial():
        return False
    if not state.boots_left:
        state.revert(record.UNPROVEN)
    elif state.trial != NONE and not _is_whole(slots, state.trial, notes):
        state.revert(record.BAD_CONTENTS)
    else:
        state.boots_left -= 1
    return _saved(root, state, notes) and state.on_trial()


def _confirmed(root, state, slots, notes, trial):
    """Start the active slot, or its fallback, or nothing: the first that does not crash and is whole. Returns which.

    Its start is counted, and has a watchdog; on trial, of settings, it has a count and a deadline already.
    """
    for turn, slot in enumerate((state.active, state.fallback)):
        if slot == NONE:
            continue
        here = slots.is_here(slot)
        if state.crashes(turn, here):
            notes.append("slot %s: crashes" % "ab"[slot])
        elif _is_whole(slots, slot, notes):
            if not trial:
                state.count(turn, here)
                _saved(root, state, notes)  # if not, it is started all the same: it did work once
                hw.watch()
            return _entered(slots, slot, trial, notes)
    return NONE


def _saved(root, state, notes):
    try:
        state.save(root)
        return True
    except OSError as fault:
        notes.append("boot record not saved: %r" % fault)
        return False


def _is_whole(slots, slot, notes):
    try:
        slots.verify(slot)
        return True
    except BadSlot as fault:
        notes.append("slot %s: %s" % ("ab"[slot], fault))
        return False
