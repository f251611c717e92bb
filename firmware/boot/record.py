"""The boot record: which slot runs, what is on trial, how the last trial ended, and how often the software has crashed.

Two copies, `boot0` and `boot1`, are written in turn, each with a sequence number and a CRC-32. A cut while one is written
leaves the other, so a save is one step: all of it has happened, or nothing has.
"""

import binascii
import struct

NONE = 255  # no slot

# outcome: what became of the latest trial
NONE_YET = 0
TRIAL = 1
CONFIRMED = 2
REVERTED = 3

# reason: why it was reverted
SELF_TEST = 1
UNPROVEN = 2  # nobody confirmed it: its boots are used up, each of them ended by the deadline or a crash
BAD_CONTENTS = 3
COMMANDED = 4

STARTS = 5  # in a row without a stable minute: then the next best is started

_MAGIC = b"SRB2"
_FORMAT = ">4sIBBBBIII16sBBBBBB"  # magic, sequence, then _FIELDS; the CRC-32 of all that follows
_FIELDS = (
    "active",
    "trial",
    "fallback",
    "boots_left",
    "trial_s",
    "counter",
    "trial_counter",
    "token",
    "outcome",
    "reason",
    "retries",
    "starts",
    "settings",
    "trial_settings",
)
_SIZE = struct.calcsize(_FORMAT) + 4


class Record:
    """The fields; a slot is 0, 1 or NONE. Methods change them in memory only, until `save`."""

    def __init__(self):
        self.sequence = 0
        self.active = NONE  # the confirmed slot
        self.trial = NONE
        self.fallback = NONE  # what was active before: started if the active slot is found bad
        self.boots_left = 0  # that may still begin: of a trial; without one 1 where the last of `starts` is yet to
        self.trial_s = 0  # seconds that each of them has
        self.counter = 0  # security counter of what was confirmed; never goes down
        self.trial_counter = 0
        self.token = bytes(16)  # of the transaction on trial, or last tried
        self.outcome = NONE_YET
        self.reason = 0
        self.retries = 0  # trials of this token after its first
        self.starts = 0  # of confirmed software, since it last was stable; from STARTS on, those of the fallback
        self.settings = NONE  # which copy of the settings holds: 0, 1, or NONE for those the board was provisioned with
        self.trial_settings = NONE

    def begin(self, slot, boots, seconds, counter, token, settings=NONE):
        """Put `slot` on trial, from the next boot on; or, where it is NONE, this copy of the settings."""
        self.retries = min(self.retries + 1, 255) if token == self.token else 0
        self.trial, self.boots_left, self.trial_s, self.trial_counter = slot, boots, seconds, counter
        self.trial_settings = settings
        self.token, self.outcome, self.reason = token, TRIAL, 0

    def on_trial(self):
        """True while something is."""
        return self.trial != NONE or self.trial_settings != NONE

    def confirm(self):
        """What is on trial becomes active, for good."""
        if self.trial != NONE:
            self.active, self.fallback = self.trial, self.active
            self.counter = max(self.counter, self.trial_counter)
        if self.trial_settings != NONE:
            self.settings = self.trial_settings
        self.starts = 0
        self._end(CONFIRMED, 0)

    def revert(self, reason):
        """The trial has failed."""
        if self.trial != NONE and self.fallback == self.trial:
            self.fallback = NONE  # a previous version, tried again: it is no refuge any more
        self._end(REVERTED, reason)

    def stable(self, slot, root="/srup-data"):
        """`slot` has run for a minute, or is ended on purpose: saved, where that is news. Raises OSError."""
        before = self.starts
        if slot == self.active != NONE:
            self.starts = 0
        elif slot == self.fallback != NONE:
            self.starts = STARTS  # the next start is not the active one's, which crashes
        if self.starts != before:
            self.save(root)

    def crashes(self, turn, here):
        """Are the starts of the active slot, turn 0, or of the fallback, turn 1, used up? here: its firmware is the one that runs"""
        return self._starts(here) >= STARTS * (turn + 1)

    def count(self, turn, here):
        """One start more, as of `crashes`. Where its firmware has to be named to the bootloader first, it is counted then, for it may
        not get as far as this, and not again when it begins: in a minute of power cuts that would be two for each."""
        self.starts = max(self._starts(here), STARTS * turn) + 1
        self.boots_left = 0 if here else 1

    def _starts(self, here):
        """Before the one that is under way."""
        begins = here and self.boots_left and not self.on_trial()
        return self.starts - (1 if begins else 0)

    def afresh(self, root="/srup-data"):
        """The board is told to start again: what crashed is given another five starts. Raises OSError."""
        if self.starts:
            self.starts = 0
            self.save(root)

    def names_slots(self):
        """False where it names one that there is not: what `save` never writes, whatever the CRC says."""
        named = self.active, self.trial, self.fallback, self.settings, self.trial_settings
        return all(slot in (0, 1, NONE) for slot in named)

    def forget(self, slot):
        """`slot` is about to be erased: name it no more.

        That is the active one only when it was found bad and the fallback runs in its place.
        """
        if self.trial == slot:
            self.revert(COMMANDED)
        if self.active == slot:
            self.active, self.starts = self.fallback, 0
        self.fallback = NONE

    def _end(self, outcome, reason):
        self.trial = self.trial_settings = NONE
        self.boots_left, self.outcome, self.reason = 0, outcome, reason

    def save(self, root="/srup-data"):
        """Write the older copy and read it back. Raises OSError; the record before this one then still holds."""
        sequence = self.sequence + 1
        data = self._pack(sequence)
        with open(_path(root, sequence & 1), "wb") as file:
            file.write(data)
        if _read(_path(root, sequence & 1)) != data:
            raise OSError(5)  # EIO
        self.sequence = sequence

    def _pack(self, sequence):
        values = [getattr(self, name) for name in _FIELDS]
        data = struct.pack(_FORMAT, _MAGIC, sequence, *values)
        return data + struct.pack(">I", binascii.crc32(data))

    def _unpack(self, data):
        _, self.sequence, *values = struct.unpack(_FORMAT, data[:-4])
        for name, value in zip(_FIELDS, values):
            setattr(self, name, value)


def load(root="/srup-data"):
    """The newest valid copy; a fresh Record, with no slot, if there is none."""
    newest = Record()
    for copy in (0, 1):
        data = _read(_path(root, copy))
        if _is_valid(data, copy):
            found = Record()
            found._unpack(data)
            if found.sequence > newest.sequence and found.names_slots():
                newest = found
    return newest


def other_copy(settings):
    """Where new settings go while these hold."""
    return 1 if settings == 0 else 0


def _path(root, copy):
    return root + "/boot%d" % copy


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read(_SIZE + 1)
    except OSError:  # not there, or not to be read: as good as torn
        return b""


def _is_valid(data, copy):
    """Whole, and in the place that `save` gives its sequence number: else the next save could hit the newest copy."""
    return (
        len(data) == _SIZE
        and data[:4] == _MAGIC
        and struct.unpack(">I", data[-4:])[0] == binascii.crc32(data[:-4])
        and data[7] & 1 == copy
    )
