"""A small table in flash that changes by whole records: `put` is all or nothing, whenever the power goes.

The file is a log. A record is

    L16 payload | payload | CRC-32 of the payload (4 bytes)        payload: (L8 key | L16 value)...

and a value length of 0xFFFF deletes the key. Reading stops at the first record that is torn. When dead records
outweigh live ones the table is written to a new file, which then takes the log's name in one rename.
"""

import os
from binascii import crc32

from srup.errors import StorageError
from srup.limits import const

_DELETED = const(0xFFFF)
_RECORD = const(4096)  # longest payload
_SLACK = const(8192)  # dead bytes that are let lie before a compaction


class Store:
    """The table {key: value}, both bytes; keys up to 255 bytes, a record's payload up to 4,096."""

    def __init__(self, path):
        self.path = path
        self._table = {}
        self._size = 0
        self._torn = False
        self._remove_leftover()
        self._load()

    def get(self, key):
        """The value, or None."""
        return self._table.get(key)

    def items(self, prefix):
        """[(key, value)] of the keys that begin with `prefix`, in the order of their keys."""
        return sorted((key, value) for key, value in self._table.items() if key.startswith(prefix))

    def put(self, changes):
        """Set (or, with None, delete) all keys of `changes` in one atomic record. Raises StorageError."""
        record = _record(changes)
        try:
            if self._torn or self._size + len(record) > _SLACK + 2 * self._live():
                self._compact()
            self._append(record)
        except OSError as error:
            self._torn = True
            raise StorageError("state log: %s" % error)
        self._apply(changes)

    def _append(self, record):
        with open(self.path, "ab") as log:
            log.write(record)
        self._size += len(record)

    def _apply(self, changes):
        for key, value in changes.items():
            if value is None:
                self._table.pop(key, None)
            else:
                self._table[key] = value

    def _live(self):
        return sum(len(key) + len(value) + 9 for key, value in self._table.items())

    def _compact(self):
        size = 0
        with open(self.path + ".new", "wb") as log:
            for key, value in self._table.items():
                size += log.write(_record({key: value}))
        os.rename(self.path + ".new", self.path)
        self._size = size
        self._torn = False

    def _remove_leftover(self):
        try:
            os.remove(self.path + ".new")
        except OSError:
            pass  # there is none: the usual case

    def _load(self):
        try:
            log = open(self.path, "rb")
        except OSError:
            return  # a new board
        with log:
            payload = _read(log)
            while payload is not None:
                self._apply(_parse(payload))
                self._size += len(payload) + 6
                payload = _read(log)
            log.seek(0, 2)
            self._torn = log.tell() != self._size


def _record(changes):
    payload = bytearray()
    for key, value in changes.items():
        payload.append(len(key))
        payload.extend(key)
        payload.extend((_DELETED if value is None else len(value)).to_bytes(2, "big"))
        payload.extend(value or b"")
    if len(payload) > _RECORD:
        raise StorageError("a record of %d bytes" % len(payload))
    return len(payload).to_bytes(2, "big") + payload + crc32(payload).to_bytes(4, "big")


def _read(log):
    """The next whole record's payload, or None at the end or where the log is torn."""
    head = log.read(2)
    size = int.from_bytes(head, "big")
    if len(head) < 2 or size > _RECORD:
        return None
    payload = log.read(size)
    check = log.read(4)
    if len(check) < 4 or int.from_bytes(check, "big") != crc32(payload):
        return None
    return payload


def _parse(payload):
    changes = {}
    at = 0
    while at < len(payload):
        key_end = at + 1 + payload[at]
        key = payload[at + 1 : key_end]
        size = int.from_bytes(payload[key_end : key_end + 2], "big")
        at = key_end + 2
        if size == _DELETED:
            changes[key] = None
        else:
            changes[key] = payload[at : at + size]
            at += size
    return changes
