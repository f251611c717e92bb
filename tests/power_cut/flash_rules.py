"""The rules of the flash model, one by one. MicroPython runs these (test_power_cut.py)."""

import vfs

from tests.power_cut.flash import BLOCK, ERASED, PAGE, Flash, Region, done, torn

PATTERN = bytes(range(256))


def test_programming_clears_bits_and_sets_none():
    flash = Flash([ERASED, ERASED])
    flash.writeblocks(1, b"\x0f" * PAGE, 256)
    flash.writeblocks(1, b"\x3c" * PAGE, 256)
    assert bytes(flash.image()[1][256:512]) == b"\x0c" * PAGE
    assert bytes(flash.image()[1][:256]) == b"\xff" * PAGE


def test_erasing_sets_a_block_and_no_other():
    flash = Flash([bytes(BLOCK)] * 3)
    flash.ioctl(6, 1)
    assert [set(bytes(block)) for block in flash.image()] == [{0}, {255}, {0}]


def test_an_image_outlives_what_is_done_to_its_copies():
    first = [PATTERN * 16, ERASED]
    flash = Flash(first)
    flash.writeblocks(0, bytes(PAGE), 0)
    second = flash.image()
    other = Flash(second)
    other.ioctl(6, 0)
    other.writeblocks(1, PATTERN, 0)
    assert bytes(first[0]) == PATTERN * 16 and bytes(second[0]) == bytes(256) + PATTERN * 15 and set(second[1]) == {255}


def test_a_dead_flash_does_nothing_and_says_so():
    flash = Flash([ERASED], dies_at=2)
    assert flash.writeblocks(0, bytes(PAGE), 0) == 0
    assert flash.writeblocks(0, bytes(PAGE), 256) == -5
    assert flash.ioctl(6, 0) == -5 and flash.readblocks(0, bytearray(16)) == -5
    assert flash.image()[0] == bytes(PAGE) + ERASED[PAGE:]


def test_each_page_is_an_operation_and_each_block_erased():
    seen = []
    flash = Flash([ERASED] * 2, lambda *operation: seen.append(operation[:2]))
    flash.writeblocks(0, bytes(1024), 512)
    flash.ioctl(6, 1)
    assert seen == [(0, 512), (0, 768), (0, 1024), (0, 1280), (1, 0)] and flash.operations == 5


def test_a_torn_page_is_between_what_it_was_and_what_it_was_to_be():
    block = PATTERN * 16
    data = bytes(value ^ 0xA5 for value in PATTERN)
    after = done(block, 256, data)
    remains = set()
    for seed in range(1, 9):
        found = bytes(torn(block, 256, data, seed, 7))
        remains.add(found)
        assert found[:256] == block[:256] and found[512:] == block[512:]
        for was, now, would_be in zip(block, found, after):
            assert now & would_be == would_be and now | was == was
    assert len(remains) == 8
    assert bytes(torn(block, 256, data, 3, 7)) in remains and bytes(torn(block, 256, data, 3, 8)) not in remains


def test_a_torn_erase_has_set_bits_and_cleared_none():
    block = PATTERN * 16
    remains = set()
    for seed in range(1, 9):
        found = bytes(torn(block, 0, None, seed, 7))
        remains.add(found)
        assert found != block and found != ERASED
        assert all(now | was == now for was, now in zip(block, found))
    assert len(remains) == 8


def test_read_disturb_clears_one_bit_after_so_many_reads():
    flash = Flash([ERASED, ERASED], disturb=(1, 3, 4000 * 8 + 2))
    page = bytearray(BLOCK)
    for reads in range(1, 6):
        flash.readblocks(0, page)
        flash.readblocks(1, page)
        assert bytes(page) == (ERASED if reads < 3 else ERASED[:4000] + b"\xfb" + ERASED[4001:])


def test_a_region_is_a_part_of_the_chip():
    flash = Flash([ERASED] * 4)
    region = Region(flash, 2, 2)
    assert region.ioctl(4, 0) == 2 and region.ioctl(5, 0) == BLOCK
    region.writeblocks(1, PATTERN, 0)
    page = bytearray(PAGE)
    region.readblocks(1, page)
    flash.readblocks(3, page)
    assert bytes(page) == PATTERN
    region.ioctl(6, 1)
    assert flash.image() == [ERASED] * 4


def test_littlefs_lives_on_it():
    flash = Flash([b"\x55" * BLOCK] * 32)
    vfs.VfsLfs2.mkfs(flash, progsize=PAGE)
    vfs.mount(vfs.VfsLfs2(flash, progsize=PAGE), "/rules")
    with open("/rules/file", "wb") as file:
        file.write(PATTERN * 20)
    vfs.umount("/rules")
    vfs.mount(vfs.VfsLfs2(Flash(flash.image()), progsize=PAGE), "/rules")
    with open("/rules/file", "rb") as file:
        assert file.read() == PATTERN * 20
    vfs.umount("/rules")
