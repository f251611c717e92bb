"""ESP32 firmware images, after Espressif's description: whole ones for this chip pass, and no others."""

from hashlib import sha256
from io import BytesIO

from srup import esp_image
from srup.errors import UpdateFailed
from srup.status import UPDATE_FAIL_BOARD, UPDATE_FAIL_BUNDLE
from tests.unit.bundles import flipped
from tests.unit.check import raises

S3 = 9


def image(chip=S3, size=300, appended=1):
    """magic, segments, SPI mode, SPI speed and size, entry | WP pin, drive settings | chip id | revisions, reserved | appended"""
    head = b"\xe9\x02\x02\x4f" + b"\x00\x10\x37\x40" + b"\xee\0\0\0" + bytes((chip & 255, chip >> 8)) + bytes(9)
    data = head + bytes((appended,)) + bytes([n & 255 for n in range(size)])
    return data + sha256(data).digest()


def passed(data, piece, chip=S3):
    chunks = [memoryview(data)[at : at + piece] for at in range(0, len(data), piece)]
    checked = esp_image.EspImage(chip)
    for chunk in chunks:
        checked.update(chunk)
    checked.finish()
    return b"".join([bytes(chunk) for chunk in chunks])


def refused(status, data, piece=2048, chip=S3):
    assert raises(UpdateFailed, passed, data, piece, chip).status == status


def test_a_whole_image_passes_in_pieces_of_any_size():
    for size in (8, 9, 40, 300):
        data = image(size=size)
        for piece in (1, 7, 23, 24, 31, 32, 33, 64, 100, 2048):
            assert passed(data, piece) == data
            assert passed(data, piece, None) == data


def test_another_chip():
    refused(UPDATE_FAIL_BOARD, image(chip=0))
    refused(UPDATE_FAIL_BOARD, image(chip=S3 + 256))
    refused(UPDATE_FAIL_BOARD, image(), 5, 0)


def test_every_flipped_bit_and_every_truncation():
    data = image(size=60)
    for bit in range(8 * len(data)):
        wrong_chip = bit >> 3 in (12, 13)
        refused(UPDATE_FAIL_BOARD if wrong_chip else UPDATE_FAIL_BUNDLE, flipped(data, bit), 50)
    for size in range(len(data)):
        refused(UPDATE_FAIL_BUNDLE, data[:size], 50)


def test_what_is_no_image():
    for data in (b"", bytes(400), image(appended=0), b"\xe9\x00" + image()[2:], b"\xe9\x11" + image()[2:]):
        refused(UPDATE_FAIL_BUNDLE, data)


def test_which_chip_what_runs_is_for():
    assert esp_image.chip_of(BytesIO(image(chip=5))) == 5
    assert esp_image.chip_of(BytesIO(bytes(100))) is None
    assert esp_image.chip_of(BytesIO(b"")) is None
