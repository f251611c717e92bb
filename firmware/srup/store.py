"""A small table in flash that changes by whole records: `put` is all or nothing, whenever the power goes.

It is a log, in two copies that are the same to the byte: `path`, and `copy/` beside it (in a folder of its own, so that littlefs
keeps the two apart). A record is

    L16 payload | sequence (4 bytes) | payload | CRC-32 of sequence and payload (4 bytes)    payload: (L8 key | L16 value)...

and a value length of 0xFFFF deletes the key. A new record goes into one of eight files beside the log, `path.0` ... `path.7`, in
turn: littlefs keeps a small file inside its folder's block, where writing it anew costs an erase now and then, while an append
copies the last block of a file each time. Before the ninth takes the place of the first, what the eight have changed goes to the
log as one record, with the number of the last of them. So the log's records are numbered 8, 16, 24, ..., and a copy is whole if
no number is missing in it.

Every record goes to the first copy, then to the second; the table is that of the copy with the highest number, from which the
other is made good. So neither a power cut, nor a flipped bit, nor a folder that the file system has taken back to what it was,
loses a record that was put. When dead records outweigh live ones the table is written to a new file, which then takes the
log's name in one rename.

Where that copy is not whole, and the other no better, the table is what can be read of it, and `damaged` says that there was more.
"""

import os
from binascii import crc32

from srup.errors import NO_ROOM, StorageError
from srup.limits import const

_DELETED = const(0xFFFF)
_RECORD = const(4096)  # longest payload
_FRAME = const(10)  # of a record, besides its payload
_SLACK = const(8192)  # dead bytes that are let lie before a compaction
_LOOSE = const(8)  # records in files of their own
_CHUNK = const(256)


class Store:
    """The table {key: value}, both bytes; keys up to 255 bytes, a record's payload up to 4,096."""

    def __init__(self, path):
        self._paths = (path, "%s/copy/%s" % tuple(path.rsplit("/", 1)))
        for leftover in self._paths:
            _remove(leftover + ".new")
        copy, same = self._read()
        self._table, self._size, self._sequence = copy.table, copy.size, copy.sequence
        self._changed = copy.changed  # keys in the records that are not in the log yet
        self._heal = not same or not self._sequence  # the copies are to be written anew before the next record
        self.damaged = not copy.is_whole  # records are lost: their changes are not in the table

    def get(self, key):
        """The value, or None."""
        return self._table.get(key)

    def items(self, prefix):
        """[(key, value)] of the keys that begin with `prefix`, in the order of their keys."""
        return sorted((key, value) for key, value in self._table.items() if key.startswith(prefix))

    def put(self, changes):
        """Set (or, with None, delete) all keys of `changes` in one atomic record. Raises StorageError, MemoryError: the table
        is then what it was."""
        payload = _payload(changes)
        if len(payload) > _RECORD:
            raise StorageError("a record of %d bytes" % len(payload))
        table, changed = self._table.copy(), set()  # before it is written: afterwards there may be no memory for it
        _apply(table, payload, changed)
        try:
            if self._heal or (self._sequence % _LOOSE == 0 and self._changed and not self._to_log()):
                self._compact()
            self._changed.update(changed)
            for path in self._paths:
                _write(_loose(path, self._sequence + 1), "wb", _record(self._sequence + 1, payload))
        except OSError as error:
            self._heal = True
            raise StorageError("state log: %s" % error)
        except NO_ROOM:
            self._heal = True
            raise
        self._sequence += 1
        self._table = table

    def _to_log(self):
        """The eight files are full. False where the log is long enough, or that would be too long for a record."""
        payload = _payload({key: self._table.get(key) for key in self._changed})
        if len(payload) > _RECORD or self._size + len(payload) > _SLACK + 2 * self._live():
            return False
        for path in self._paths:
            _write(path, "ab", _record(self._sequence, payload))
        self._size += _FRAME + len(payload)
        self._changed = set()
        return True

    def _live(self):
        return sum(len(key) + len(value) + _FRAME + 3 for key, value in self._table.items())

    def _compact(self):
        """Write both copies anew, one after the other: one of them is whole at any time."""
        _make_folder(self._paths[1])
        size = sequence = 0
        for path in self._paths:
            if self._heal:
                _clear(path, unreadable=True)  # now: behind the new log they would pass for a record lost
            size, sequence = 0, self._sequence // _LOOSE * _LOOSE
            with open(path + ".new", "wb") as log:
                for changes in [{key: value} for key, value in self._table.items()] or [{}]:
                    sequence += _LOOSE
                    size += log.write(_record(sequence, _payload(changes)))
            os.rename(path + ".new", path)
            if self._heal:
                _clear(path)
        self._size, self._sequence, self._changed = size, sequence, set()
        self._heal = self.damaged = False

    def _read(self):
        """(the copy to go by, are they the same?)

        Where they differ, or are both damaged, its number comes first: a whole one that is older has gone back, and is not to
        pass for all that there was."""
        first = _Copy(self._paths[0])
        if first.is_whole and _same_copies(*self._paths):
            return first, True
        second = _Copy(self._paths[1])
        ahead = first.sequence - second.sequence
        return first if ahead > 0 or (ahead == 0 and first.is_whole) else second, False


class _Copy:
    """One of the two, read: its table, and whether that is all of it."""

    def __init__(self, path):
        self.table = {}
        self.size = self.sequence = 0
        self.is_whole = True
        self.changed = set()
        try:
            with open(path, "rb") as log:
                at, end = 0, log.seek(0, 2)
                while at < end:
                    log.seek(at)
                    at += self._take(log)
        except OSError:
            pass  # a new board, or a new copy
        self._take_loose(path)

    def _take(self, log):
        """The record that the file stands at; returns how many bytes to go on by. Behind a flipped bit there are more, some
        bytes further; what is torn ends there."""
        sequence, payload = _read(log)
        if payload is None:
            self.is_whole = False
            return 1
        self.is_whole = self.is_whole and self.sequence in (0, sequence - _LOOSE)
        self.sequence = sequence
        self.size += _FRAME + len(payload)
        _apply(self.table, payload, set())
        return _FRAME + len(payload)

    def _take_loose(self, path):
        """Those that are not in the log. The others have gone there, and wait for their files to be used again."""
        found = [_in_file(_loose(path, place)) for place in range(_LOOSE)]
        for sequence, payload in sorted(found):
            if sequence > self.sequence:
                self.is_whole = self.is_whole and sequence == self.sequence + 1
                self.sequence = sequence
                _apply(self.table, payload, self.changed)
        if found[(self.sequence + 1) % _LOOSE][0] < 0:  # what can't be read there may have been the next
            self.is_whole = False


def _apply(table, payload, changed):
    """Make the changes of a record; its keys are added to `changed`."""
    at = 0
    while at < len(payload):
        key_end = at + 1 + payload[at]
        key = bytes(payload[at + 1 : key_end])
        changed.add(key)
        size = int.from_bytes(payload[key_end : key_end + 2], "big")
        at = key_end + 2
        if size == _DELETED:
            table.pop(key, None)
        else:
            table[key] = bytes(payload[at : at + size])
            at += size


def _payload(changes):
    payload = bytearray()
    for key, value in changes.items():
        payload.append(len(key))
        payload.extend(key)
        payload.extend((_DELETED if value is None else len(value)).to_bytes(2, "big"))
        payload.extend(value or b"")
    return payload


def _record(sequence, payload):
    numbered = sequence.to_bytes(4, "big") + payload
    return len(payload).to_bytes(2, "big") + numbered + crc32(numbered).to_bytes(4, "big")


def _read(log):
    """(sequence, payload) of the record that the file stands at; (0, None) where there is none."""
    head = log.read(2)
    size = int.from_bytes(head, "big")
    if len(head) < 2 or size > _RECORD:
        return 0, None
    numbered = log.read(4 + size)
    check = log.read(4)
    if len(check) < 4 or int.from_bytes(check, "big") != crc32(numbered):
        return 0, None
    return int.from_bytes(numbered[:4], "big"), memoryview(numbered)[4:]


def _loose(path, number):
    """The file that the record of this number goes into at first."""
    return "%s.%d" % (path, number % _LOOSE)


def _in_file(path):
    """(sequence, payload) of a file of its own; (0, None) where it is empty or not there, (-1, None) where it is no record."""
    try:
        with open(path, "rb") as file:
            sequence, payload = _read(file)
            broken = payload is None and file.seek(0, 2)
            return (-1, None) if broken else (sequence, payload)
    except OSError:
        return 0, None


def _clear(path, unreadable=False):
    """Remove the records' own files; or only those that are none."""
    for place in range(_LOOSE):
        if not unreadable or _in_file(_loose(path, place))[0] < 0:
            _remove(_loose(path, place))


def _same_copies(path, other):
    return _same(path, other) and all(_same(_loose(path, each), _loose(other, each)) for each in range(_LOOSE))


def _write(path, mode, data):
    with open(path, mode) as file:
        file.write(data)


def _same(path, other):
    """Do two files hold the same bytes? (Neither being there is no difference.)"""
    try:
        with open(path, "rb") as first, open(other, "rb") as second:
            while True:
                chunk = first.read(_CHUNK)
                if chunk != second.read(_CHUNK):
                    return False
                if not chunk:
                    return True
    except OSError:
        return _is_missing(path) and _is_missing(other)


def _is_missing(path):
    try:
        os.stat(path)
        return False
    except OSError:
        return True


def _remove(path):
    try:
        os.remove(path)
    except OSError:
        pass  # there is none: the usual case


def _make_folder(path):
    """The folder that `path` is to be in."""
    try:
        os.mkdir(path.rsplit("/", 1)[0])
    except OSError:
        pass  # it is there; or opening the file will tell
