"""Step 7. The two slots as pairs, on an ESP32: each a firmware and the folder with its application (srup_boot.firmware.Pairs).

A pair is staged whole: of a set both come with the bundle; with an application alone goes a copy of the firmware that runs, with a firmware
alone a copy of the application. So they are switched and go back together, whatever was sent, and a slot is one number here too.
The folder's `.manifest` is written last, and without it the pair is no slot.
"""

import io

from srup import bundle, records
from srup.errors import UpdateFailed
from srup.firmware_slots import FirmwareSlots
from srup.limits import const
from srup.slots import FileSlots
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_STORAGE
from srup_boot.region import image_of
from srup_boot.slot import BadSlot, slot_path

_PIECE = const(1024)


class PairSlots(FirmwareSlots):
    """As FirmwareSlots. contents: srup_boot.firmware.Pairs"""

    kinds = ("app", "firmware", "set")

    def __init__(self, root, choice, contents):
        super().__init__(root, choice, contents)
        self._files = FileSlots(root, choice)

    def manifest(self, slot):
        """Of the application, as of Backing; with the higher of its own security counter and the firmware's."""
        found, firmware = self._files.manifest(slot), self.described(slot)
        if found and firmware:
            found["counter"] = max(found["counter"], firmware["counter"])
        return found

    def check(self, manifest, board, mpy):
        """As of Backing. A firmware alone is not for an application that came with its own."""
        super().check(manifest, board, mpy)
        if manifest["kind"] == "firmware":
            running = self._files.manifest(self.running)
            if running is None or running["kind"] == "set":
                raise UpdateFailed(UPDATE_FAIL_BOARD, "a firmware without the application that goes with it")

    def sweep(self):
        """As of Backing."""
        yield from super().sweep()
        yield from self._files.sweep_slot(self.other())

    def _base(self, kind):
        return self._files._base(kind) if kind == "app" else super()._base(kind)

    def _clear(self, slot):
        self._files._clear(slot)
        super()._clear(slot)

    def _fill(self, unpacker, file, opened, slot):
        if opened.manifest["kind"] != "app":
            yield from super()._fill(unpacker, file, opened, slot)
        else:
            yield from self._copy_firmware(slot)
            yield from self._files._fill(unpacker, file, opened, slot)

    def _complete(self, unpacker, opened, slot):
        yield from super()._complete(unpacker, opened, slot)
        if opened.manifest["kind"] == "set":
            rest = opened.manifest["expanded"] - opened.manifest["image_size"]
            with open(self.incoming + ".files", "rb") as file:
                yield from self._files.take(unpacker, file, 0, _plain(opened.manifest, "", rest), opened, slot)
        else:
            yield from self._copy_files(unpacker, slot)

    def _copy_files(self, unpacker, slot):
        """Generator: the application that runs, in the other folder: a delta that keeps everything."""
        folder = slot_path(self.root, self.running)
        with open(folder + "/.signature", "rb") as file:
            signature = file.read()
        with open(folder + "/.manifest", "rb") as file:
            opened = bundle.Bundle(file.read(), signature, 0)
        base = records.Base(folder)
        path = base.next()[0].encode()
        base.close()
        body = bytes((records.KEEP, 0, len(path))) + path + opened.manifest["files"].to_bytes(2, "big")
        described = _plain(opened.manifest, self._files._base("app"), len(body))
        yield from self._files.take(unpacker, io.BytesIO(body), 0, described, opened, slot)

    def _copy_firmware(self, slot):
        """Generator: the firmware that runs, in the other partition; where it is there already nothing is written."""
        source, target = self._contents.regions[self._contents.running], self._contents.regions[slot]
        described = self.described(self._contents.running)
        size = image_of(described)[0] if described else source.room
        pieces = memoryview(bytearray(_PIECE)), memoryview(bytearray(_PIECE))
        for at in range(0, size, source.block):
            if not _is_same(source, target, at, pieces):
                target.erase(at)
                for piece in range(at, at + source.block, _PIECE):
                    _read(source, piece, pieces[0])
                    target.program(piece, pieces[0])
                if not _is_same(source, target, at, pieces):
                    raise UpdateFailed(UPDATE_FAIL_STORAGE, "flash reads back differently")
            yield
        try:
            manifest, signature = source.header()
        except BadSlot:
            return  # it came by cable
        self._write_header(target, bundle.Bundle(manifest, signature, 0))


def _plain(manifest, base, size):
    """The manifest of files whose records are there as they are, in so many bytes."""
    described = dict(manifest)
    described.update({"base": base, "window": 0, "body_size": size, "expanded": size})
    return described


def _is_same(source, target, at, pieces):
    for piece in range(at, at + source.block, _PIECE):
        for region, view in zip((source, target), pieces):
            _read(region, piece, view)
        if pieces[0] != pieces[1]:
            return False
    return True


def _read(region, at, view):
    region.seek(at)
    region.readinto(view)
