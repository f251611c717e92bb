"""The codec against whatever hypothesis comes up with, and against the paper's authors' own signatures."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from hypothesis import example, given
from hypothesis import strategies as st

from srup import wire, wire_json
from srup.errors import Malformed

VECTORS = Path(__file__).parents[1] / "vectors" / "paper.txt"


@st.composite
def frames(draw):
    kind = draw(st.sampled_from(sorted(wire.TYPES)))
    octet, octets = st.integers(0, 255), st.binary(max_size=300)
    elements = {name: draw(octet if name in wire.BYTES else octets) for name in wire.TYPES[kind][1]}
    return kind, elements, draw(octets)


@given(frames())
def test_what_goes_in_comes_out(frame):
    kind, elements, signature = frame
    signed = wire.preimage(kind, elements)
    found = wire.decode(wire.seal(signed, signature))
    assert (found.type, found.elements, found.signature) == (kind, elements, signature)
    assert b"".join(found.signed_parts()) == signed


@given(
    st.binary(max_size=400)
    | st.tuples(st.sampled_from(sorted(wire.TYPES)), st.binary(max_size=60)).map(
        lambda parts: bytes((1, parts[0])) + parts[1]
    )
)
@example(b"\x01\x03\x00\x00\x00\x00")
def test_what_decodes_is_the_one_encoding_of_it(octets):
    try:
        found = wire.decode(octets)
    except Malformed:
        return
    assert wire.seal(wire.preimage(found.type, found.elements), found.signature) == octets


@given(frames(), st.data())
def test_no_part_of_a_frame_is_a_frame(frame, data):
    kind, elements, signature = frame
    whole = wire.seal(wire.preimage(kind, elements), signature)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Malformed):
        wire.decode(whole[:end])


@pytest.mark.parametrize("name", ["INITIATE", "RESPONSE", "ACTIVATE"])
def test_the_authors_library_signs_the_bytes_that_we_say_are_signed(name):
    """Their signature is RSA; what it is over is the point."""
    vectors = dict(line.split() for line in VECTORS.read_text().splitlines() if line and not line.startswith("#"))
    key = load_der_public_key(bytes.fromhex(vectors["public_key"]))
    assert isinstance(key, rsa.RSAPublicKey)
    found = wire.decode(bytes.fromhex(vectors[name]))
    key.verify(found.signature, b"".join(found.signed_parts()), padding.PKCS1v15(), hashes.SHA256())


def as_json(kind, elements, signature):
    """By Python's own json and base64."""
    fields = {"version": 1, "type": kind, "signature": signature, **elements}
    for name, value in fields.items():
        if isinstance(value, bytes):
            text = value.decode() if name == "url" else base64.urlsafe_b64encode(value).rstrip(b"=").decode()
            fields[name] = text
    return fields


@given(frames(), st.text(max_size=60), st.sampled_from([None, 1, 4]), st.booleans())
def test_json_by_another_writer_is_the_same_frame(frame, url, indent, ascii_only):
    kind, elements, signature = frame
    if "url" in elements:
        elements["url"] = url.encode()
    frame = wire.seal(wire.preimage(kind, elements), signature)
    fields = as_json(kind, elements, signature)
    assert json.loads(wire_json.encode(frame)) == fields
    if all(ord(sign) < 0x10000 for sign in url) or not ascii_only:
        assert wire_json.decode(json.dumps(fields, indent=indent, ensure_ascii=ascii_only).encode()) == frame


@given(frames(), st.data())
def test_json_with_a_byte_changed_is_another_frame_or_none(frame, data):
    kind, elements, signature = frame
    if "url" in elements:
        elements["url"] = b"https://c2.example/app.srup"
    frame = wire.seal(wire.preimage(kind, elements), signature)
    text = bytearray(wire_json.encode(frame).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[at]))
    try:
        assert wire_json.decode(text) != frame
    except Malformed:
        pass
