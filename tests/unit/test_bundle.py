from io import BytesIO

from srup import bundle, limits
from srup.errors import UpdateFailed
from srup.status import UPDATE_FAIL_BUNDLE
from tests.unit.bundles import FILES, body_of, build, flipped, manifest, record, sha256_hex
from tests.unit.check import raises


def read(data):
    """All that a reader gets out of a bundle: the manifest and [(path, data)]."""
    file = BytesIO(data)
    opened = bundle.open_bundle(file)
    return opened.manifest, [(path, data.read(size)) for path, size, data in bundle.records(file, opened.manifest)]


def refused(function, *arguments):
    assert raises(UpdateFailed, function, *arguments).status == UPDATE_FAIL_BUNDLE


def manifest_bytes(**changes):
    return manifest(FILES, body_of(FILES), changes)


def test_what_was_put_in_comes_out():
    found, files = read(build())
    assert files == list(FILES)
    assert found["version"] == "1.0.0+a_b" and found["boards"] == ["UNIX"] and found["counter"] == 5
    assert found["size"] == sum([len(data) for _, data in FILES]) and found["body"] == sha256_hex(body_of(FILES))


def test_parts_of_a_bundle():
    data = build()
    opened = bundle.open_bundle(BytesIO(data))
    assert opened.signature == data[7:71]
    assert opened.signed() == data[:5] + data[71 : opened.body_at]
    assert data[opened.body_at :] == body_of(FILES)
    assert opened.manifest_bytes == manifest_bytes()


def test_a_reader_may_skip_data():
    file = BytesIO(build())
    opened = bundle.open_bundle(file)
    found = [(path, size) for path, size, _ in bundle.records(file, opened.manifest)]
    assert found == [(path, len(data)) for path, data in FILES]


def test_every_truncation_is_refused():
    data = build((("a", b"12345"), ("b/c", b"6")))
    for size in range(len(data)):
        file = BytesIO(data[:size])
        try:
            opened = bundle.open_bundle(file)
            found = list(bundle.records(file, opened.manifest))
        except UpdateFailed as error:
            assert error.status == UPDATE_FAIL_BUNDLE
        else:  # the data of the last file may be missing: its hash tells, and it is the only one
            assert size == len(data) - 1, (size, found)


def test_flipped_bits_are_refused_or_show():
    data = build((("a", b"12345"), ("b/c", b"6")))
    whole = read(data)
    for bit in range(len(data) * 8):
        if 7 <= bit >> 3 < 71:
            continue  # the signature, which is not read here
        try:
            assert read(flipped(data, bit)) != whole
        except UpdateFailed as error:
            assert error.status == UPDATE_FAIL_BUNDLE


def test_no_bundle():
    good = build()
    for head in (b"", b"SRUP", b"SRUP\x02" + good[5:], b"PURS" + good[4:], b"SRUP\x01\x00\x3f" + good[7:]):
        refused(bundle.open_bundle, BytesIO(head))


def test_a_manifest_is_not_read_beyond_its_limit():
    head = build()[:71]
    refused(bundle.open_bundle, BytesIO(head + b"\x00\x00\x08\x01" + bytes(limits.MANIFEST + 1)))
    refused(bundle.open_bundle, BytesIO(head + b"\xff\xff\xff\xff" + bytes(100)))


def test_manifest_has_one_form():
    good = manifest_bytes()
    assert bundle.encode_manifest(bundle.check_manifest(good)) == good
    for bad in (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[" * 2048,
        b'{"a":' * 340,
        b"\xff" + good,
        good + b" ",
        good + good,
        good[:-1],
        good.replace(b":", b": ", 1),
        good.replace(b'"UNIX"', b'"\\u0055NIX"'),
        good.replace(b'"app"', b'"app","kind":"app"'),
        good.replace(b'"kind"', b'"kinds"'),
        good.replace(b'"counter":5,', b""),
        good.replace(b'"counter":5', b'"counter":05'),
        good.replace(b'"counter":5', b'"counter":5.0'),
        good[:-1] + b',"zzz":1}',
    ):
        refused(bundle.check_manifest, bad)


def test_values_of_a_manifest():
    for key, good, bad in (
        (
            "boards",
            ("[]", '["A"]', '["A","RPI_PICO_W"]'),
            ("{}", '"UNIX"', "[1]", '["a b"]', "null", '[["A"]]', '[""]'),
        ),
        ("body", ('"%s"' % ("0f" * 32),), ('""', '"%s"' % ("0F" * 32), '"%s"' % ("0f" * 31), "1")),
        ("body_size", ("0", "2147483647"), ("-1", "2147483648", "true", '"1"', "1e3", "null", "9" * 400)),
        ("counter", ("0", "2147483647"), ("-1", "2147483648", "false", '"1"', "[1]")),
        ("files", ("0",), ("-1", "0.5")),
        ("kind", (), ('"firmware"', '""', "0")),
        ("mpy", ('""', '"6.3"', '"10.12"'), ('"6"', '"6.3.1"', '"6,3"', "6.3", "null")),
        ("name", ('"A-b.c_9"', '"%s"' % ("n" * 32)), ('""', '"%s"' % ("n" * 33), '"a b"', '"a+b"', '"\\""', "1")),
        ("size", ("0",), ("-1", "true")),
        ("tree", ('"%s"' % ("a1" * 32),), ('"g"', '"%s"' % ("g1" * 32))),
        ("version", ('"1"', '"2.0-rc.1+b_7"'), ('""', '"%s"' % ("1" * 33), '"1/2"', '"\xe9"', "2")),
    ):
        for value in good:
            assert key in bundle.check_manifest(manifest_bytes(**{key: value}))
        for value in bad:
            refused(bundle.check_manifest, manifest_bytes(**{key: value}))


def test_paths():
    for path in ("a", "a/b/c/d/e/f", "x" * 96, "caf\xe9/na\xefve.py", "a b.txt", "boot.mpy", "lib/boot.py", "a..b"):
        bundle.check_path(path)
    for path in (
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        ".manifest",
        "a/.hidden",
        "a\\b",
        "c:",
        "a\nb",
        "a\0",
        "a\x7f",
        "a/b/c/d/e/f/g",
        "x" * 97,
        "\xe9" * 49,
        "boot.py",
        "srup_boot",
        "srup_boot/hw.py",
        "srup_boot.py",
    ):
        refused(bundle.check_path, path)


def test_a_body_that_is_not_as_its_manifest_says():
    files = (("a", b"1"), ("b", b"2"))
    good = body_of(files)
    for body in (
        b"",
        b"\x02" + good[1:],
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
    ):
        refused(read, build(files, body))
    refused(read, build(files) + b"\0")
    refused(read, build(files, good[:-5] + b"\x00\x00\x00\x02" + b"2", size=3))
    for key, value in (("files", 1), ("files", 3), ("size", 1), ("size", 3), ("body_size", len(good) + 1)):
        refused(read, build(files, **{key: value}))


def test_no_more_files_than_the_limits():
    many = [(f"{number:03d}", b"") for number in range(limits.INDEX // 71 + 1)]
    refused(read, build(many))
    assert len(read(build(many[: limits.INDEX // 71]))[1]) == limits.INDEX // 71


def test_index():
    line = bundle.index_line(sha256_hex(b"abc"), 3, "a b/caf\xe9.py")
    assert line == sha256_hex(b"abc").encode() + b" 3 a b/caf\xc3\xa9.py\n"
