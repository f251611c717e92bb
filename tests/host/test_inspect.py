"""srup inspect: what a frame says, from wherever it comes, good or not."""

import json
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srup import p256, status, tokens, wire
from srup_host import console, inspector, keyfiles, signing
from tests.host.shell import failed, run, srup

KEY = keyfiles.generate()
PUBLIC = signing.public_bytes(KEY)
TARGET = uuid.UUID("823095bb-a266-4edf-862a-8b0d71ddab8c").bytes
TOKEN = bytes.fromhex("01a204e528fc7000a01639615e4cb057")
INITIATE = signing.sign_frame(
    KEY, wire.INITIATE, {"target": TARGET, "token": TOKEN, "url": b"https://h/x", "digest": b"\xcd" * 32}
)
RESPONSE = signing.sign_frame(KEY, wire.RESPONSE, {"token": TOKEN, "status": 0})


def sealed(kind, signature=bytes(64), **elements):
    return wire.seal(wire.preimage(kind, elements), signature)


def shown(frame, *arguments):
    return srup("inspect", frame.hex(), "--json", *arguments).json


# --json


def test_initiate_to_the_letter():
    signature = INITIATE[4:68].hex()
    assert srup("inspect", INITIATE.hex(), "--json").text == (
        '{"version":1,"type":"INITIATE","signature":"' + signature + '",'
        '"target":"823095bba2664edf862a8b0d71ddab8c","token":"01a204e528fc7000a01639615e4cb057",'
        '"url":"https://h/x","digest":"' + "cd" * 32 + '"}\n'
    )


def test_response_to_the_letter():
    signature = RESPONSE[4:68].hex()
    assert srup("inspect", RESPONSE.hex(), "--json").text == (
        '{"version":1,"type":"RESPONSE","signature":"' + signature + '",'
        '"token":"01a204e528fc7000a01639615e4cb057","status":0,"status_name":"UPDATE_SUCCESS"}\n'
    )


def test_every_type():
    elements = dict.fromkeys(wire.SIZES, b"\x01\x02") | {
        "status": 0xFE,
        "action": 7,
        "name": b"app.x",
        "url": b"https://h",
    }
    for kind, (name, names) in wire.TYPES.items():
        found = shown(sealed(kind, **{element: elements[element] for element in names}))
        assert list(found)[:3] == ["version", "type", "signature"] and found["type"] == name
        assert list(found)[3 : 3 + len(names)] == list(names)
        for element in names:
            value = elements[element]
            text = {"status": 0xFE, "action": 7, "name": "app.x", "url": "https://h"}
            assert found[element] == text.get(element, "0102" if isinstance(value, bytes) else value)


def test_every_status_has_its_name():
    for value in range(256):
        found = shown(sealed(wire.RESPONSE, token=b"", status=value))
        assert (found["status"], found["status_name"]) == (value, status.name(value))
    assert shown(sealed(wire.RESPONSE, token=b"", status=0x77))["status_name"] == "0x77"


def test_any_length_and_any_byte_is_shown():
    frame = sealed(wire.INITIATE, b"", target=b"TARGET", token=b"", url=b'\xff\x1b[31m"\xc3\xbc', digest=bytes(40_000))
    result = srup("inspect", "-", "--json", stdin=frame)
    assert result.json["url"] == '\\xff\x1b[31m"ü'
    assert result.json["signature"] == "" and result.json["target"] == b"TARGET".hex()
    assert len(result.json["digest"]) == 80_000
    assert result.out.isascii() and b"\x1b" not in result.out


def test_the_frames_of_the_authors_library():
    text = Path(__file__).parents[1].joinpath("vectors", "paper.txt").read_text()
    vectors = dict(line.split() for line in text.splitlines() if line and not line.startswith("#"))
    found = srup("inspect", "-", "--json", stdin=vectors["INITIATE"].encode()).json
    assert bytes.fromhex(found["target"]) == b"TARGET" and found["url"] == "http://www.google.com"
    found = srup("inspect", "-", "--json", stdin=vectors["RESPONSE"].encode()).json
    assert found["status_name"] == "UPDATE_FAIL_DIGEST"


# Where it comes from


def test_sources(tmp_path):
    wanted = srup("inspect", INITIATE.hex(), "--json").out
    (tmp_path / "binary").write_bytes(INITIATE)
    (tmp_path / "hex").write_text(" 0x" + INITIATE.hex("\n", 16).upper() + "\r\n")
    for source, stdin in (
        (tmp_path / "binary", b""),
        (tmp_path / "hex", b""),
        ("0x" + INITIATE.hex(" ", 4), b""),
        ("-", INITIATE),
        ("-", INITIATE.hex().encode() + b"\n"),
    ):
        assert srup("inspect", source, "--json", stdin=stdin).out == wanted
    assert srup("inspect", "--json", stdin=INITIATE).out == wanted


# What is no frame


@pytest.mark.parametrize(
    "frame, says",
    [
        (b"", "shorter than a header"),
        (INITIATE[:-1], "ends in digest"),
        (INITIATE + b"\x00", "1 trailing bytes"),
        (b"\x02" + INITIATE[1:], "unknown version 0x02"),
        (b"\x01\x0f" + INITIATE[2:], "unknown type 0x0f"),
    ],
)
def test_malformed(frame, says):
    for stdin in (frame, frame.hex().encode()):
        assert says in failed("inspect", stdin=stdin, code=1)
    if frame:
        assert says in failed("inspect", frame.hex(), code=1)


def test_half_a_byte_and_what_is_not_hex(tmp_path):
    assert "half a byte" in failed("inspect", "010", code=1)
    assert "neither hex nor a file" in failed("inspect", str(tmp_path / "none"))
    assert "neither hex nor a file" in failed("inspect", "x" * 5000)
    assert "unknown version 0x68" in failed("inspect", stdin=b"hello", code=1)


@given(st.binary(max_size=120))
def test_whatever_comes_in_it_is_shown_or_malformed(frame):
    result = run("inspect", "-", stdin=frame)
    assert result.code in (0, 1)
    assert (result.code == 0) == bool(result.out) and "\x1b" not in result.text + result.err


# --key


def test_whether_a_key_made_the_signature(tmp_path):
    (tmp_path / "private.pem").write_bytes(keyfiles.private_pem(KEY))
    (tmp_path / "public.pem").write_bytes(keyfiles.public_pem(KEY))
    (tmp_path / "public.hex").write_text(PUBLIC.hex() + "\n")
    plain = srup("inspect", INITIATE.hex(), "--json").text
    for key in (tmp_path / "private.pem", tmp_path / "public.pem", tmp_path / "public.hex", PUBLIC.hex()):
        assert srup("inspect", INITIATE.hex(), "--json", "--key", key).text == plain[:-2] + ',"signature_valid":true}\n'
    other = signing.public_bytes(keyfiles.generate()).hex()
    result = srup("inspect", INITIATE.hex(), "--json", "--key", other)
    assert result.text == plain[:-2] + ',"signature_valid":false}\n'
    assert "does not hold" in srup("inspect", INITIATE.hex(), "--key", other).text


def test_signatures_that_do_not_hold():
    high = (p256.N - int.from_bytes(INITIATE[36:68], "big")).to_bytes(32, "big")
    for frame in (
        INITIATE[:36] + high + INITIATE[68:],  # the twin that a device refuses
        INITIATE[:-1] + b"\xcc",
        sealed(wire.ACTIVATE, b"", token=TOKEN),
        sealed(wire.ACTIVATE, bytes(64), token=TOKEN),
    ):
        assert shown(frame, "--key", PUBLIC.hex())["signature_valid"] is False


def test_what_is_no_key(tmp_path):
    (tmp_path / "key").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    for key in (tmp_path / "key", "00", "x", "04" + "00" * 64):
        assert "no public key" in failed("inspect", INITIATE.hex(), "--key", key)


# For people


def test_a_frame_in_words():
    text = srup("inspect", INITIATE.hex()).text
    for part in (
        "INITIATE, 151 bytes",
        "823095bb-a266-4edf-862a-8b0d71ddab8c",
        "2026-11-22 20:14:16.828 UTC",
        "https://h/x",
        "cd" * 32,
    ):
        assert part in text
    assert "note" not in text
    assert "0x00 UPDATE_SUCCESS" in srup("inspect", RESPONSE.hex()).text


def test_long_values_are_whole_however_narrow_it_is(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    assert INITIATE[4:68].hex() in srup("inspect", INITIATE.hex()).text


def test_what_comes_from_elsewhere_does_nothing_to_the_terminal():
    text = srup(
        "inspect", sealed(wire.INITIATE, target=TARGET, token=TOKEN, url=b"\x1b[2J\r\n[red]", digest=b"").hex()
    ).text
    assert "\x1b" not in text and "\\x1b[2J\\r\\n[red]" in text


@pytest.mark.parametrize(
    "frame, says",
    [
        (sealed(wire.ACTIVATE, bytes(63), token=TOKEN), "signature of 63 bytes"),
        (sealed(wire.ACTIVATE, b"\xff" * 64, token=TOKEN), "high-S"),
        (sealed(wire.ACTIVATE, token=bytes(16)), "not a UUIDv7"),
        (sealed(wire.ACTIVATE, token=b"TOKEN"), "token of 5 bytes"),
        (sealed(wire.ID_REQUEST, token=TOKEN, target=bytes(16)), "neither a device"),
        (sealed(wire.INITIATE, token=TOKEN, target=TARGET, url=b"http://h/x", digest=bytes(32)), "https://"),
        (sealed(wire.RESPONSE, token=TOKEN, status=0x77), "not in the table"),
        (sealed(wire.DATA, token=TOKEN, target=TARGET, name=b"x", value=bytes(1024)), "malformed: frame of"),
    ],
)
def test_oddities_are_noted(frame, says):
    notes = [line for line in srup("inspect", frame.hex()).text.splitlines() if line.startswith("note: ")]
    assert any(says in note for note in notes), notes


def test_groups_and_actions_in_words():
    group = uuid.uuid5(uuid.NAMESPACE_DNS, "upstairs")
    text = srup("inspect", sealed(wire.ACTION, target=group.bytes, token=TOKEN, action=1, parameters=b"").hex()).text
    assert f"{group} (a group)" in text and "0x01 REBOOT" in text


def test_times_at_the_end_of_time():
    for milliseconds in (0, 253402300799999, 253402300800000, 2**48 - 1):
        text = srup("inspect", sealed(wire.ACTIVATE, token=tokens.first_at(milliseconds)).hex()).text
        assert "after the year 9999" in text or "UTC" in text


def test_printable():
    assert console.printable("a ü\x00\x1b\x9b\u202e\n") == "a ü\\x00\\x1b\\x9b\\u202e\\n"
    assert json.dumps(inspector.describe(wire.decode(RESPONSE)))
