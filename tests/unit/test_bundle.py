from io import BytesIO

from srup import bundle, limits, records
from srup.errors import UpdateFailed
from srup.status import UPDATE_FAIL_BUNDLE
from tests.unit.bundles import FILES, body_of, build, manifest, sha256_hex
from tests.unit.check import raises


def refused(function, *arguments):
    assert raises(UpdateFailed, function, *arguments).status == UPDATE_FAIL_BUNDLE


def manifest_bytes(**changes):
    return manifest(FILES, body_of(FILES), changes)


def test_parts_of_a_bundle():
    data = build()
    opened = bundle.open_bundle(BytesIO(data))
    assert opened.signature == data[7:71]
    assert opened.signed() == data[:5] + data[71 : opened.body_at]
    assert data[opened.body_at :] == body_of(FILES)
    assert opened.manifest_bytes == manifest_bytes()


def test_no_bundle():
    good = build()
    for head in (b"", b"SRUP", b"SRUP\x01" + good[5:], b"PURS" + good[4:], b"SRUP\x02\x00\x3f" + good[7:]):
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
        good.replace(b'"demo"', b'"demo","name":"demo"'),
        good.replace(b'"files":', b'"filez":'),
        good.replace(b'"name":"demo",', b""),
        good.replace(b'"counter":5', b'"counter":0'),
        good.replace(b'"boards":["UNIX"]', b'"boards":[]'),
        good.replace(b',"files"', b',"expanded":%d,"files"' % len(body_of(FILES))),
        good.replace(b'"name"', b'"kind":"app","name"'),
        good.replace(b'"counter":5', b'"counter":05'),
        good.replace(b'"counter":5', b'"counter":5.0'),
        good[:-1] + b',"zzz":1}',
    ):
        assert bad != good
        refused(bundle.check_manifest, bad)


def test_values_of_a_manifest():
    for key, good, bad in (
        (
            "boards",
            ("[]", '["A"]', '["A","RPI_PICO_W"]'),
            ("{}", '"UNIX"', "[1]", '["a b"]', "null", '[["A"]]', '[""]'),
        ),
        ("body", ('"%s"' % ("0f" * 32),), ('""', '"%s"' % ("0F" * 32), '"%s"' % ("0f" * 31), "1")),
        ("agent", ('""', '"0.1.0"', '"12"'), ('"."', '"1."', '"1..2"', '"1.a"', '"%s"' % ("1" * 17), "1", "null")),
        ("base", ('""', '"%s"' % ("0f" * 8)), ('"0f"', "null", '"%s"' % ("0F" * 8), '"%s"' % ("0f" * 32))),
        ("body_size", ("0", "2147483647"), ("-1", "2147483648", "true", '"1"', "1e3", "null", "9" * 400)),
        ("counter", ("0", "2147483647"), ("-1", "2147483648", "false", '"1"', "[1]")),
        ("expanded", (), ("0", "-1", "null")),  # the size of a body that is not encoded
        ("files", ("0",), ("-1", "0.5")),
        ("image", (), ('"0f"', "null", '"%s"' % ("0f" * 32))),  # a set has one, and nothing else
        ("image_size", (), ("1", "-1", "null")),
        ("kind", ('"data"',), ('"firmware"', '"romfs"', '"set"', '"image"', '""', "0")),  # an image is one file
        ("micropython", ('""', '"1.25"', '"1.25.0"'), ('"1.25-preview"', '"v1"', "1.25", "null")),
        ("mpy", ('""', '"6.3"', '"10.12"'), ('"6"', '"6.3.1"', '"6,3"', "6.3", "null")),
        ("name", ('"A-b.c_9"', '"%s"' % ("n" * 32)), ('""', '"%s"' % ("n" * 33), '"a b"', '"a+b"', '"\\""', "1")),
        ("size", ("0",), ("-1", "true")),
        ("tree", ('"%s"' % ("a1" * 32),), ('"g"', '"%s"' % ("g1" * 32))),
        ("version", ('"1"', '"2.0-rc.1+b_7"'), ('""', '"%s"' % ("1" * 33), '"1/2"', '"\xe9"', "2")),
        ("window", ("9",), ("8", "16", "-1", "true", "null")),
    ):
        for value in good:
            assert key in bundle.check_manifest(manifest_bytes(**{key: value}))
        for value in bad:
            refused(bundle.check_manifest, manifest_bytes(**{key: value}))


def test_a_window_belongs_to_deflate_and_is_one_that_there_is():
    for window in (9, 12, 15):
        bundle.check_manifest(manifest_bytes(window=window, expanded=1))
    for window in (8, 16):
        refused(bundle.check_manifest, manifest_bytes(window=window, expanded=1))
    refused(bundle.check_manifest, manifest_bytes(expanded=1))


def test_an_image_is_one_file():
    for kind in ('"firmware"', '"romfs"'):
        assert bundle.check_manifest(manifest_bytes(kind=kind, files=1))["files"] == 1


def test_a_set_has_an_image_that_its_body_can_hold_and_is_no_delta():
    described = {"kind": '"set"', "image": '"%s"' % ("0f" * 32), "image_size": len(body_of(FILES))}
    assert bundle.check_manifest(manifest_bytes(**described))["image"] == "0f" * 32
    for key, value in (
        ("image", '""'),
        ("image_size", 0),
        ("image_size", len(body_of(FILES)) + 1),
        ("base", '"%s"' % ("0f" * 8)),
    ):
        refused(bundle.check_manifest, manifest_bytes(**dict(list(described.items()) + [(key, value)])))


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


def test_no_more_files_than_the_limits():
    most = limits.INDEX // 71
    for count in (most, most + 1):
        file = BytesIO(build([(f"{number:03d}", b"") for number in range(count)]))
        found = bundle.open_bundle(file).manifest
        heads = records.records(records.Body(file, found), found)
        if count > most:
            refused(list, heads)
        else:
            assert len(list(heads)) == most


def test_index():
    line = bundle.index_line(sha256_hex(b"abc"), 3, "a b/caf\xe9.py")
    assert line == sha256_hex(b"abc").encode() + b" 3 a b/caf\xc3\xa9.py\n"
