"""A small table in flash that changes by whole records: `put` is all or nothing, whenever the power goes.

It is a log, in two copies that are the same to the byte: `path`, and `copy/` beside it (in a folder of its own, so that littlefs
keeps the two apart). A record is

    L16 payload | sequence (4 bytes) | payload | CRC-32 of sequence and payload (4 bytes)    payload: (L8 key | L16 value)...

and a value length of 0xFFFF deletes the key. A copy is whole if its records follow on each other without a gap up to its end.
A new record is a file of its own beside the log, `path.<number>`: littlefs keeps a small file inside its folder's block, where it
costs an erase now and then, while an append copies the last block of a file each time. Eight of them go to the log together.

Every record goes to the first copy, then to the second; the table is that of the copy with the highest number, from which the
other is made good. So neither a power cut, nor a flipped bit, nor a folder that the file system has taken back to what it was,
loses a record that was put. When dead records outweigh live ones the table is written to a new file, which then takes the
log's name in one rename.

Where that copy is not whole, and the other no better, the table is what can be read of it, and `damaged` says that there was more.
"""

import os
from binascii import crc32

from srup.errors import StorageError
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
        self._table = {}
        self._size = self._sequence = 0
        self._loose = []  # the records that are not in the log, the last of them number `_sequence`
        self._heal = False  # the copies are to be written anew before the next record
        self.damaged = False  # records are lost: their changes are not in the table
        for leftover in self._paths:
            _remove(leftover + ".new")
        self._load()

    def get(self, key):
        """The value, or None."""
        return self._table.get(key)

    def items(self, prefix):
        """[(key, value)] of the keys that begin with `prefix`, in the order of their keys."""
        return sorted((key, value) for key, value in self._table.items() if key.startswith(prefix))

    def put(self, changes):
        """Set (or, with None, delete) all keys of `changes` in one atomic record. Raises StorageError."""
        payload = _payload(changes)
        try:
            if self._heal or self._size + len(payload) > _SLACK + 2 * self._live():
                self._compact()
            self._append(_record(self._sequence + 1, payload))
        except OSError as error:
            self._heal = True
            raise StorageError("state log: %s" % error)
        _apply(self._table, payload)

    def _append(self, record):
        number = self._sequence + 1
        to_log = self._loose if len(self._loose) >= _LOOSE else []
        for path in self._paths:
            if to_log:
                _write(path, "ab", b"".join(to_log))  # a cut after this leaves them twice: they have their numbers
                for gone in range(number - len(to_log), number):
                    os.remove("%s.%d" % (path, gone))
            _write("%s.%d" % (path, number), "wb", record)
        self._loose = [record] if to_log else self._loose + [record]
        self._size += len(record)
        self._sequence = number

    def _live(self):
        return sum(len(key) + len(value) + _FRAME + 3 for key, value in self._table.items())

    def _compact(self):
        """Write both copies anew, one after the other: one of them is whole at any time."""
        _make_folder(self._paths[1])
        size = sequence = 0
        for path in self._paths:
            size, sequence = 0, self._sequence
            with open(path + ".new", "wb") as log:
                for key, value in self._table.items():
                    sequence += 1
                    size += log.write(_record(sequence, _payload({key: value})))
            os.rename(path + ".new", path)
            for _, loose in _loose_files(path):
                os.remove(loose)
        self._size, self._sequence, self._loose = size, sequence, []
        self._heal = self.damaged = False

    def _load(self):
        first = _Copy(self._paths[0])
        if not (first.is_whole and _same_copies(*self._paths)):
            first = self._better(first)
        self._table, self._size, self._sequence = first.table, first.size, first.sequence
        self._loose = first.loose
        self._heal = self._heal or first.is_untidy
        self.damaged = not first.is_whole

    def _better(self, first):
        """The copies differ, or are both damaged: the one to go by. Its number comes first: a whole one that is older has gone
        back, and is not to pass for all that there was."""
        self._heal = True
        second = _Copy(self._paths[1])
        ahead = first.sequence - second.sequence
        return first if ahead > 0 or (ahead == 0 and first.is_whole) else second


class _Copy:
    """One of the two, read: its table, and whether that is all of it."""

    def __init__(self, path):
        self.table = {}
        self.size = self.sequence = 0
        self.is_whole = True
        self._read(path)
        in_log = self.sequence
        found = _loose_files(path)
        for _, loose in found:
            self._read(loose)
        numbers = [number for number, _ in found]
        expected = list(range(self.sequence - len(found) + 1, self.sequence + 1))
        # A cut leaves files that have gone to the log, and an empty one: their number is not the record's.
        self.is_untidy = numbers != expected or bool(numbers) and numbers[0] <= in_log
        self.loose = [_contents(loose) for _, loose in found]

    def _read(self, path):
        try:
            log = open(path, "rb")
        except OSError:
            return  # a new board, or a new copy
        with log:
            at, end = 0, log.seek(0, 2)
            while at < end:
                log.seek(at)
                at += self._take(log)

    def _take(self, log):
        """The record that the file stands at; returns how many bytes to go on by. Behind a flipped bit there are more, some
        bytes further; what is torn ends there."""
        sequence, payload = _read(log)
        if payload is None:
            self.is_whole = False
            return 1
        size = _FRAME + len(payload)
        if sequence > self.sequence:  # else it is one that has gone to the log
            self.is_whole = self.is_whole and self.sequence in (0, sequence - 1)
            self.sequence = sequence
            self.size += size
            _apply(self.table, payload)
        return size


def _apply(table, payload):
    at = 0
    while at < len(payload):
        key_end = at + 1 + payload[at]
        key = bytes(payload[at + 1 : key_end])
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
    if len(payload) > _RECORD:
        raise StorageError("a record of %d bytes" % len(payload))
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


def _loose_files(path):
    """[(number, path)] of the records in files of their own, in the order of their numbers."""
    folder, _, name = path.rpartition("/")
    try:
        names = [found for found in os.listdir(folder) if found.startswith(name + ".")]
    except OSError:
        return []  # a new copy
    numbers = [found[len(name) + 1 :] for found in names]
    return [(number, "%s.%d" % (path, number)) for number in sorted([int(each) for each in numbers if each.isdigit()])]


def _same_copies(path, other):
    numbers = [number for number, _ in _loose_files(path)]
    return (
        numbers == [number for number, _ in _loose_files(other)]
        and _same(path, other)
        and all(_same("%s.%d" % (path, number), "%s.%d" % (other, number)) for number in numbers)
    )


def _write(path, mode, data):
    with open(path, mode) as file:
        file.write(data)


def _contents(path):
    with open(path, "rb") as file:
        return file.read()


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
        return False


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
