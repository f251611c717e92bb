"""The records of a body: put, keep and patch, and everything that is none of them. Whatever is wrong is refused."""

import struct
from io import BytesIO

from srup import bundle, records
from srup.errors import UpdateFailed
from srup.status import UPDATE_FAIL_BUNDLE, UPDATE_FAIL_STORAGE
from tests.unit.bundles import FILES, body_of, build, flipped, index_of, keep, patch, record
from tests.unit.check import raises
from tests.unit.scratch import Scratch, write

BASE = (("a", b"the first"), ("b", b"second"), ("c", b"3"), ("d", b"the fourth of them"))
# As detools makes it of "second" and "second more"
APPEND = b"\x00\x0b\x00" + b"\x06" + bytes(6) + b"\x05 more" + b"\x45"


def read(data, folder=None):
    """All that a reader gets out of a bundle: [(path, data)]."""
    file = BytesIO(data)
    manifest = bundle.open_bundle(file).manifest
    base = records.Base(folder) if folder else None
    found = records.records(records.Body(file, manifest), manifest, base)
    return [(path, all_of(source, size)) for path, size, source in found]


def all_of(source, size):
    data = b""
    while len(data) < size:
        chunk = memoryview(bytearray(min(50, size - len(data))))
        count = source.readinto(chunk)
        assert count
        data += bytes(chunk[:count])
    return data


def heads(data, folder=None):
    """The same with nothing taken from the sources: [(path, size)]."""
    file = BytesIO(data)
    manifest = bundle.open_bundle(file).manifest
    base = records.Base(folder) if folder else None
    return [head[:2] for head in records.records(records.Body(file, manifest), manifest, base) if head]


def slot_with(root, files=BASE):
    for path, data in files:
        write(root + "/" + path, data)
    write(root + "/.index", index_of(files))
    return root


def delta(files, body, **changes):
    return build(files, body, base='"%s"' % ("0" * 16), **changes)


def refused(function, *arguments):
    assert raises(UpdateFailed, function, *arguments).status == UPDATE_FAIL_BUNDLE


def test_what_was_put_in_comes_out():
    assert read(build()) == list(FILES)


def test_a_reader_may_pass_files_over():
    assert heads(build()) == [(path, len(data)) for path, data in FILES]


def test_every_truncation_is_refused():
    data = build((("a", b"12345"), ("b/c", b"6")))
    for size in range(len(data)):
        refused(read, data[:size])
        refused(heads, data[:size])
    refused(read, data + b"\0")


def test_records_in_every_other_order_are_refused():
    """Signed by a release key in that order."""
    files = (("a", b"12345"), ("b/c", b"6"), ("d", b""))
    for order in ((0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)):
        refused(read, build(files, body_of([files[place] for place in order])))


def test_flipped_bits_are_refused_or_show():
    data = build((("a", b"12345"), ("b/c", b"6")))
    whole = read(data)
    for bit in range(len(data) * 8):
        if bit >> 3 < len(data) - len(body_of((("a", b"12345"), ("b/c", b"6")))) and bit >> 3 >= 7:
            continue  # the signature, and the manifest that it is over
        try:
            assert read(flipped(data, bit)) != whole
        except UpdateFailed as error:
            assert error.status == UPDATE_FAIL_BUNDLE


def test_a_body_that_is_not_as_its_manifest_says():
    files = (("a", b"1"), ("b", b"2"))
    good = body_of(files)
    for body in (
        b"",
        b"\x02" + good[1:],
        b"\x04" + good[1:],
        body_of((("b", b"2"), ("a", b"1"))),
        body_of((("a", b"1"), ("a", b"2"))),
        body_of((("a", b"1"), ("../b", b"2"))),
        body_of((("a", b"1"),)),
        body_of(files + (("c", b""),)),
        body_of((("a", b"12"), ("b", b"2"))),
        record("a", b"1") + record(b"b\xff", b"2"),
        record("a", b"1") + record("b" * 97, b"2"),
        good[:-5] + b"\x00\x00\x00\x02" + b"2",
        good[:-5] + b"\xff\xff\xff\xff" + b"2",
        good + b"\x01",
        good + b"\x01\x00\x01c",
        record("a", b"1") + keep("b"),  # there is no base
        record("a", b"1") + patch("b", 11, APPEND),
    ):
        refused(read, build(files, body))
    refused(read, build(files, good[:-5] + b"\x00\x00\x00\x02" + b"2", size=3))
    for key, value in (("files", 1), ("files", 3), ("size", 1), ("size", 3)):
        refused(read, build(files, **{key: value}))
    for size in (0, len(good) - 1, len(good) + 1):
        refused(read, build(files, body_size=size, expanded=size))


# A delta


def test_a_delta_keeps_patches_puts_and_leaves_out():
    new = (("a", b"the first"), ("b", b"second more"), ("bb", b"new"), ("d", b"the fourth of them"))
    body = keep("a") + patch("b", 11, APPEND) + record("bb", b"new") + keep("d")
    with Scratch() as root:
        slot_with(root)
        assert read(delta(new, body), root) == list(new)
        assert heads(delta(new, body), root) == [(path, len(data)) for path, data in new]


def test_a_run_of_files_is_kept_with_one_record():
    with Scratch() as root:
        slot_with(root)
        assert read(delta(BASE, keep("a", 4)), root) == list(BASE)
        assert read(delta(BASE[1:3], keep("b", 2)), root) == list(BASE[1:3])


def test_a_delta_that_does_not_fit_its_base():
    more = (("a", b"second more"), ("b", b"second more"))
    with Scratch() as root:
        slot_with(root)
        for files, body in (
            (BASE, keep("a", 5)),
            (BASE[:1], keep("a", 0)),
            (BASE, keep("a", 3) + keep("c")),
            (BASE, keep("b", 3) + keep("a")),
            (BASE[:2], keep("a") + keep("bb")),
            (BASE[:2], keep("a") + keep("e")),
            (BASE[:2], keep("a") + keep("../b")),
            (more[:1], keep("a") + patch("a", 11, APPEND)),
            (more[:1], patch("aa", 11, APPEND)),
            (more, keep("b") + patch("b", 11, APPEND)),
            (BASE, record("a", b"the first") + keep("a", 4)),
        ):
            refused(read, delta(files, body), root)


def test_a_base_whose_index_is_damaged():
    with Scratch() as root:
        slot_with(root)
        for index in (b"no index", b"a b\n", b"a b c\n", b"\xff 1 a\n"):
            write(root + "/.index", index)
            assert raises(UpdateFailed, read, delta(BASE, keep("a", 4)), root).status == UPDATE_FAIL_STORAGE


# Patches


def patched(data, size=11, old=b"second"):
    """What a patch makes of a file."""
    with Scratch() as root:
        slot_with(root, (("b", old),))
        return read(delta((("b", bytes(size)),), patch("b", size, data)), root)[0][1]


def test_parts_are_added_to_the_old_file_and_set_between_from_anywhere_in_it():
    assert patched(APPEND) == b"second more"
    moved = b"\x00\x06\x00" + b"\x03" + b"\x01\x00\xff" + b"\x00" + b"\x46" + b"\x03\x00\x00\x00\x00" + b"\x00"
    raises(UpdateFailed, patched, moved, 6)  # 3 - 6 is before the old file
    back = moved.replace(b"\x46", b"\x43")
    assert patched(back, 6) == b"tebsec"
    assert patched(back.replace(b"\x43\x03", b"\x00\x03"), 6) == b"tebond"


def test_a_patch_of_a_large_file():
    old = bytes(range(251)) * 7
    head = b"\x00" + number(1920) + b"\x00"
    body = number(1600) + bytes(900) + b"\x01" * 700 + number(300) + b"x" * 300 + b"\x00" + number(20) + bytes(20)
    wanted = old[:900] + bytes([byte + 1 for byte in old[900:1600]]) + b"x" * 300 + old[1600:1620]
    assert patched(head + body + b"\x00\x00", 1920, old) == wanted


def number(value):
    digits = [value & 0x3F]
    value >>= 6
    while value:
        digits.append(value & 0x7F)
        value >>= 7
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


def test_what_is_no_patch_to_this_file():
    for data in (
        b"",
        b"\x00",
        b"\x02" + APPEND[1:],  # another compression
        b"\x10" + APPEND[1:],  # another kind
        b"\x00\x0a" + APPEND[2:],  # of another size
        APPEND[:2] + b"\x01" + APPEND[3:],  # of a data format
        APPEND[:3] + b"\x07" + bytes(7) + APPEND[10:],  # beyond the old file
        APPEND[:3] + b"\x0c" + APPEND[4:],  # a part larger than the file
        APPEND[:3] + b"\x46" + APPEND[4:],  # a part of less than nothing
        APPEND[:10] + b"\x06 more!\x00",
        APPEND[:10] + b"\x04 mor\x00",
        APPEND + b"\x00",
        APPEND[:-1],
        b"\x00\xcb\xff\xff\xff\xff\x7f" + APPEND[2:],
        APPEND[:3] + b"\x00\x00\x00" * 100,
    ):
        refused(patched, data)
    for size in range(len(APPEND)):
        refused(patched, APPEND[:size])


def test_every_flipped_bit_of_a_patch_shows():
    for bit in range(8 * len(APPEND)):
        try:
            result = patched(flipped(APPEND, bit))
        except UpdateFailed as error:
            assert error.status == UPDATE_FAIL_BUNDLE
        else:
            minus_zero = APPEND[bit >> 3] == 0 and bit & 7 == 6
            assert result != b"second more" or minus_zero or bit >> 3 == len(APPEND) - 1  # where to after its end


def test_the_length_of_a_patch_is_not_what_is_allocated():
    body = patch("b", 11, APPEND)
    huge = body.replace(struct.pack(">I", len(APPEND)), b"\x7f\xff\xff\xff", 1)
    with Scratch() as root:
        slot_with(root)
        refused(read, delta((("b", bytes(11)),), huge), root)
        refused(read, delta((("b", bytes(11)),), body.replace(struct.pack(">I", 11), b"\x7f\xff\xff\xff", 1)), root)
