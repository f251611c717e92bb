"""Reader and writer against each other: what is written is read, as it was; what is anything else is refused, and nothing more."""

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srup import bundle as device
from srup import inflate, limits, patch, records, sealed
from srup.errors import BadSignature, UpdateFailed
from srup.status import UPDATE_FAIL_BUNDLE, UPDATE_FAIL_STORAGE
from srup_host import bodies, bundle, delta, sealing, signing
from srup_host.console import Failure
from tests.unit import bundles
from tests.unit.test_records import slot_with

pytest.importorskip("detools", reason="deltas can't be built here: detools takes a C compiler")

KEY = signing.ec.derive_private_key(int.from_bytes(bundles.RELEASE, "big"), signing.ec.SECP256R1())
PARTS = st.text("ab.é-", min_size=1, max_size=3).filter(lambda part: part[0] != ".")
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
DATA = st.one_of(
    st.binary(max_size=200), st.builds(lambda unit, times: unit * times, st.binary(max_size=9), st.integers(0, 700))
)


def no_file_is_a_folder(paths):
    return not any(f"{path}/" == other[: len(path) + 1] for path in paths for other in paths)


TREES = st.dictionaries(PATHS, DATA, min_size=1, max_size=6).filter(no_file_is_a_folder)


@st.composite
def versions(draw):
    """(what runs, what is to run): much of the one is in the other, a little changed."""
    old = draw(TREES)
    new = {path: data for path, data in old.items() if draw(st.integers(0, 3))}
    for path, data in new.items():
        if draw(st.booleans()):
            at = draw(st.integers(0, len(data)))
            new[path] = data[:at] + draw(st.binary(max_size=20)) + data[at + draw(st.integers(0, 5)) :]
    new |= draw(st.dictionaries(PATHS, DATA, max_size=2))
    return (old, new) if new and no_file_is_a_folder([*new]) else (old, old)


def packed(folder, contents, name="x", **changes):
    path = Path(folder, name)
    path.write_bytes(bundle.pack(contents, KEY, name="demo", version="1", counter=0, **changes))
    return path


@settings(max_examples=60, deadline=None)
@given(versions(), st.sampled_from([0, 9, 12, 15]))
def test_what_is_written_is_read_in_full_and_as_a_change(both, window):
    old, new = both
    with tempfile.TemporaryDirectory() as folder:
        base = bundle.read(packed(folder, old, "old", window=window))
        assert base.files == old
        path = packed(folder, new, base=base, window=window)
        changed = bundle.read(path, base)
        assert changed.files == new
        assert path.read_bytes() == packed(folder, new, "again", base=base, window=window).read_bytes()
        assert sum(record.cost for record in changed.records) == changed.manifest["body_size"]
        assert sum(record.count for record in changed.records) == len(new)


@settings(max_examples=60, deadline=None)
@given(versions(), st.data())
def test_no_changed_bundle_is_good(both, data):
    old, new = both
    with tempfile.TemporaryDirectory() as folder:
        base = bundle.read(packed(folder, old, "old"))
        path = packed(folder, new, base=base)
        whole = path.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        kind = data.draw(st.sampled_from(("cut", "flip", "insert", "swap")))
        spoilt = {
            "cut": whole[:at],
            "flip": bundles.flipped(whole, 8 * at + data.draw(st.integers(0, 7))),
            "insert": whole[:at] + data.draw(st.binary(min_size=1, max_size=9)) + whole[at:],
            "swap": whole[at:] + whole[:at],
        }[kind]
        path.write_bytes(spoilt)
        try:
            bundle.read(path, base).verify(bundles.PUBLIC)
        except (Failure, BadSignature):
            return
        assert spoilt == whole


@settings(max_examples=60, deadline=None)
@given(TREES, st.randoms(use_true_random=False))
def test_records_in_another_order_are_refused(contents, random):
    order = bodies.in_order(contents)
    random.shuffle(order)
    body = bundles.body_of(order)
    file = io.BytesIO(bundles.build(bodies.in_order(contents), body))
    manifest = device.open_bundle(file).manifest
    found = records.records(records.Body(file, manifest), manifest)
    if order == bodies.in_order(contents):
        assert [head[0] for head in found if head] == [path for path, _ in order]
    else:
        with pytest.raises(UpdateFailed):
            list(found)


@settings(max_examples=60, deadline=None)
@given(TREES, st.binary(min_size=1, max_size=900), st.sampled_from([0, 9, 12]))
def test_a_set_is_read_as_it_was_written(contents, firmware, window):
    with tempfile.TemporaryDirectory() as folder:
        path = packed(folder, contents, kind="set", firmware=firmware, window=window)
        read = bundle.read(path)
        assert (read.files, read.firmware) == (contents, firmware)
        assert sum(record.cost for record in read.records) == read.manifest["body_size"]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(DATA, min_size=1, max_size=12).map(b"".join),
    st.sampled_from([9, 10, 12]),
    st.lists(st.integers(1, 2048), min_size=1, max_size=9),
)
def test_what_is_inflated_in_pieces_of_any_size_comes_out(data, window, sizes):
    served = memoryview(bodies.deflate(data, window))
    decoder, made, at, turn = inflate.Inflate(window, len(data)), b"", 0, 0
    while at < len(served):
        piece = served[at : at + sizes[turn % len(sizes)]]
        at, turn = at + len(piece), turn + 1
        made += b"".join(bytes(view) for view in decoder.push(piece, at == len(served)))
    assert made == data


RECORD = st.one_of(
    st.builds(bundles.record, PATHS, st.binary(max_size=20)),
    st.builds(bundles.keep, PATHS.filter(str.isascii), st.integers(0, 4)),
    st.builds(bundles.patch, PATHS.filter(str.isascii), st.integers(0, 30), st.binary(max_size=30)),
    st.binary(max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(RECORD, max_size=5).map(b"".join), TREES, st.sampled_from([0, 12]))
def test_whatever_is_in_a_body_ends_well_or_as_the_one_error(body, old, window):
    """Signed by a release key that is out of its mind."""
    served = bodies.deflate(body, window) if window else body
    changes = {"window": window, "expanded": len(body)}
    file = io.BytesIO(bundles.build((), served, base='"' + "0" * 16 + '"', files=3, size=30, **changes))
    with tempfile.TemporaryDirectory() as folder:
        for path in old:
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
        slot_with(folder, bodies.in_order(old))
        manifest = device.open_bundle(file).manifest
        base = records.Base(folder)
        buffer = memoryview(bytearray(limits.CHUNK))
        try:
            for found in records.records(records.Body(file, manifest), manifest, base):
                if found and found[1] < 100:
                    left = found[1]
                    while left:
                        left -= found[2].readinto(buffer[:left])
        except UpdateFailed as error:
            assert error.status in (UPDATE_FAIL_BUNDLE, UPDATE_FAIL_STORAGE)
        finally:
            base.close()


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(1, 80))
def test_whatever_is_in_a_patch_ends_well_or_as_the_one_error(data, old, size):
    body = records.Body(io.BytesIO(data), {"body_size": len(data), "expanded": len(data), "window": 0})
    source = patch.Patch(body, len(data), io.BytesIO(old), size)
    buffer = memoryview(bytearray(16))
    try:
        while size:
            size -= source.readinto(buffer[: min(size, 16)])
    except UpdateFailed as error:
        assert error.status == UPDATE_FAIL_BUNDLE


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=900), st.binary(min_size=1, max_size=900))
def test_a_patch_is_applied_as_detools_applies_it(old, new):
    made = delta.create(old, new)
    theirs = io.BytesIO()
    delta.detools.apply_patch(io.BytesIO(old), io.BytesIO(made), theirs)
    body = records.Body(io.BytesIO(made), {"body_size": len(made), "expanded": len(made), "window": 0})
    source, ours = patch.Patch(body, len(made), io.BytesIO(old), len(new)), b""
    while len(ours) < len(new):
        piece = memoryview(bytearray(min(100, len(new) - len(ours))))
        ours += bytes(piece[: source.readinto(piece)])
    assert ours == theirs.getvalue() == new
    assert body.left == 0


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=5000), st.integers(1, 3), st.data())
def test_who_has_a_key_unseals_and_nobody_who_changed_a_byte(plain, count, data):
    secrets = [bytes(31) + bytes((7 + number,)) for number in range(count)]
    public = [
        signing.public_bytes(signing.ec.derive_private_key(7 + number, signing.ec.SECP256R1()))
        for number in range(count)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path, target = f"{folder}/in", f"{folder}/out"
        made = sealing.seal(plain, public)
        Path(path).write_bytes(made)
        list(sealed.unseal(path, target, data.draw(st.sampled_from(secrets))))
        assert Path(target).read_bytes() == plain
        Path(target).unlink()
        at = data.draw(st.integers(0, len(made) - 1))
        Path(path).write_bytes(bundles.flipped(made, 8 * at + data.draw(st.integers(0, 7))))
        with pytest.raises(UpdateFailed):
            list(sealed.unseal(path, target, secrets[-1]))
        assert not Path(target).exists()
