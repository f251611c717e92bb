"""Images: a ROMFS made with mpremote's own writer, and an ESP32 firmware that is looked at before it is signed."""

from collections.abc import Mapping
from itertools import groupby

from mpremote.romfs import VfsRomWriter

from srup import esp_image
from srup.errors import UpdateFailed
from srup_host.console import Failure

_PIECE = 4096

# Chip id (esp_chip_id_t of ESP-IDF's bootloader_support) -> MicroPython's board for any module with that chip
_GENERIC = {
    0: "ESP32_GENERIC",
    2: "ESP32_GENERIC_S2",
    5: "ESP32_GENERIC_C3",
    9: "ESP32_GENERIC_S3",
    12: "ESP32_GENERIC_C2",
    13: "ESP32_GENERIC_C6",
    16: "ESP32_GENERIC_H2",
    18: "ESP32_GENERIC_P4",
}


def romfs(contents: Mapping[str, bytes]) -> bytes:
    """The image of a ROMFS with these files, which are compiled already. The same files give the same bytes."""
    writer = VfsRomWriter()
    try:
        _write(writer, contents)
    except UnicodeEncodeError as error:
        raise Failure(f"{error.object} can't go into a ROMFS", "its names are ASCII") from None
    return bytes(writer.finalise())


def _write(writer: VfsRomWriter, contents: Mapping[str, bytes]) -> None:
    for name, group in groupby(sorted(contents), key=lambda path: path.split("/")[0]):
        paths = list(group)
        if paths == [name]:
            writer.mkfile(name, contents[name])
        else:
            writer.opendir(name)
            _write(writer, {path[len(name) + 1 :]: contents[path] for path in paths})
            writer.closedir()


def check_firmware(name: str, image: bytes, boards: list[str]) -> None:
    """Raise Failure unless it is a whole ESP32 firmware, and for the boards that are named."""
    checked = esp_image.EspImage()
    try:
        for at in range(0, len(image), _PIECE):
            checked.update(memoryview(image)[at : at + _PIECE])
        checked.finish()
    except UpdateFailed as error:
        hint = "give the application's image, micropython.bin, not the firmware.bin that has the bootloader too"
        raise Failure(f"{name} is no ESP32 firmware: {error.why}", hint) from None
    if not boards:
        raise Failure("a firmware is for certain boards", "name them: --board ESP32_GENERIC_S3")
    for board in boards:
        if board in _GENERIC.values() and board != _GENERIC.get(checked.chip or 0):
            raise Failure(f"{name} is for another chip than that of {board}: its id is {checked.chip}")
