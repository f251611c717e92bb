from srup import limits, wire
from srup.errors import Malformed
from tests.unit.check import raises


def vectors():
    """{name: value} of tests/vectors/paper.txt, which says where they come from."""
    with open(__file__.rpartition("unit/")[0] + "vectors/paper.txt") as file:
        lines = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {name: value for name, value in lines}


# What the paper's frames are signed over, written out by hand from Tables I, IV and VI
PREIMAGES = {
    "INITIATE": (
        "0101"
        "0006544152474554"  # TARGET
        "0005544f4b454e"  # TOKEN
        "0015687474703a2f2f7777772e676f6f676c652e636f6d"  # http://www.google.com
        "0006444947455354"  # DIGEST
    ),
    "RESPONSE": "01020005544f4b454eff",
    "ACTIVATE": "01030005544f4b454e",
}

# An element of each name, of a size that devices accept
SAMPLES = {
    "target": bytes(range(16)),
    "token": bytes(range(16, 32)),
    "url": b"https://c2.example/app.srup",
    "digest": bytes(range(32, 64)),
    "status": 0xFD,
    "action": 0x80,
    "parameters": b"",
    "name": b"app.colour",
    "value": b"\x00\xff",
    "public_key": bytes(range(65)),
    "description": "Küche".encode(),
    "settings": b"{}",
    "second_signature": bytes(80),
}
SIGNATURE = bytes(range(128, 192))


def elements_of(kind):
    return {name: SAMPLES[name] for name in wire.TYPES[kind][1]}


def frame_of(kind):
    return wire.seal(wire.preimage(kind, elements_of(kind)), SIGNATURE)


def joined(unverified):
    return b"".join([bytes(part) for part in unverified.signed_parts()])


def test_frames_of_the_authors_library_byte_for_byte_both_ways():
    paper = vectors()
    for kind in (wire.INITIATE, wire.RESPONSE, wire.ACTIVATE):
        name, names = wire.TYPES[kind]
        elements = {element: paper[element].encode() for element in names if element != "status"}
        if "status" in names:
            elements["status"] = int(paper["status"], 16)
        frame = bytes.fromhex(paper[name])
        unverified = wire.decode(frame)
        assert unverified.type == kind
        assert unverified.elements == elements, name
        assert len(unverified.signature) == 256  # theirs is RSA
        assert wire.seal(wire.preimage(kind, elements), unverified.signature) == frame, name
        assert joined(unverified).hex() == PREIMAGES[name], name


def test_preimages_are_those_written_by_hand():
    initiate = {"target": b"TARGET", "token": b"TOKEN", "url": b"http://www.google.com", "digest": b"DIGEST"}
    assert wire.preimage(wire.INITIATE, initiate).hex() == PREIMAGES["INITIATE"]
    assert wire.preimage(wire.RESPONSE, {"token": b"TOKEN", "status": 0xFF}).hex() == PREIMAGES["RESPONSE"]
    assert wire.preimage(wire.ACTIVATE, {"token": b"TOKEN"}).hex() == PREIMAGES["ACTIVATE"]


def test_a_frame_written_by_hand():
    frame = bytes.fromhex("01020003abcdef0005544f4b454efd")
    unverified = wire.decode(frame)
    assert unverified.signature == b"\xab\xcd\xef"
    assert unverified.elements == {"token": b"TOKEN", "status": 0xFD}
    assert wire.seal(bytes.fromhex("01020005544f4b454efd"), b"\xab\xcd\xef") == frame


def test_every_type_comes_back_as_it_went():
    for kind in wire.TYPES:
        frame = frame_of(kind)
        unverified = wire.decode(frame)
        assert (unverified.frame, unverified.type, unverified.signature) == (frame, kind, SIGNATURE)
        assert unverified.elements == elements_of(kind), kind
        assert joined(unverified) == wire.preimage(kind, elements_of(kind))
        wire.check_sizes(unverified)


def test_lengths_are_big_endian_and_two_bytes():
    for length, octets in ((0, b"\x00\x00"), (1, b"\x00\x01"), (256, b"\x01\x00"), (0xFFFF, b"\xff\xff")):
        frame = wire.seal(wire.preimage(wire.ACTIVATE, {"token": bytes(length)}), b"")
        assert frame[:6] == b"\x01\x03\x00\x00" + octets
        assert len(wire.decode(frame).elements["token"]) == length
    raises(Malformed, wire.preimage, wire.ACTIVATE, {"token": bytes(0x10000)})
    raises(Malformed, wire.seal, b"\x01\x03", bytes(0x10000))


def test_a_frame_cut_anywhere_is_malformed():
    for kind in wire.TYPES:
        frame = frame_of(kind)
        for end in range(len(frame)):
            raises(Malformed, wire.decode, frame[:end])


def test_a_byte_too_many_is_malformed():
    for kind in wire.TYPES:
        raises(Malformed, wire.decode, frame_of(kind) + b"\x00")


def test_every_other_version_and_type_is_malformed():
    frame = frame_of(wire.ACTIVATE)
    for octet in range(256):
        if octet != wire.VERSION:
            raises(Malformed, wire.decode, bytes((octet,)) + frame[1:])
        if octet not in wire.TYPES:
            raises(Malformed, wire.decode, frame[:1] + bytes((octet,)) + frame[2:])
            raises(Malformed, wire.preimage, octet, {"token": b""})


def test_preimage_takes_the_elements_of_the_type_and_no_others():
    for kind in wire.TYPES:
        for name in wire.TYPES[kind][1]:
            fewer = elements_of(kind)
            del fewer[name]
            raises(Malformed, wire.preimage, kind, fewer)
            fewer["other"] = b""
            raises(Malformed, wire.preimage, kind, fewer)
        more = elements_of(kind)
        more["other"] = b""
        raises(Malformed, wire.preimage, kind, more)


def test_preimage_takes_one_byte_where_there_is_one():
    for status in (-1, 256):
        raises(Malformed, wire.preimage, wire.RESPONSE, {"token": b"", "status": status})


def test_sizes_at_their_limits_pass_and_beyond_them_do_not():
    limits_of = {
        "target": (16, 16),
        "token": (16, 16),
        "url": (1, 512),
        "digest": (32, 32),
        "parameters": (0, 192),
        "name": (1, 32),
        "value": (0, 700),
        "public_key": (65, 65),
        "description": (0, 128),
        "settings": (0, 700),
    }
    for kind in wire.TYPES:
        for name in wire.TYPES[kind][1]:
            if name in limits_of:
                least, most = limits_of[name]
                for size in (least, most):
                    wire.check_sizes(resized(kind, name, size))
                for size in (least - 1, most + 1):
                    if size >= 0:
                        error = raises(Malformed, wire.check_sizes, resized(kind, name, size))
                        assert name in str(error), (kind, name, size)


def resized(kind, name, size):
    elements = elements_of(kind)
    elements[name] = bytes(size)
    return wire.decode(wire.seal(wire.preimage(kind, elements), SIGNATURE))


def test_only_signatures_of_64_bytes_pass():
    for size in (0, 63, 65, 256):
        frame = wire.seal(wire.preimage(wire.ACTIVATE, elements_of(wire.ACTIVATE)), bytes(size))
        raises(Malformed, wire.check_sizes, wire.decode(frame))


def test_no_frame_longer_than_a_device_takes_passes():
    for size in (limits.FRAME - 70, limits.FRAME - 69):  # the first one makes the frame just as long as it may be
        elements = elements_of(wire.ACTIVATE)
        elements["token"] = bytes(size)
        unverified = wire.decode(wire.seal(wire.preimage(wire.ACTIVATE, elements), SIGNATURE))
        error = str(raises(Malformed, wire.check_sizes, unverified))
        assert error.startswith("frame of") == (len(unverified.frame) > limits.FRAME), error


def test_decoding_keeps_no_part_of_the_callers_buffer():
    buffer = bytearray(frame_of(wire.ACTION))
    unverified = wire.decode(buffer)
    for at in range(len(buffer)):
        buffer[at] = 0
    assert unverified.frame == frame_of(wire.ACTION)
    assert unverified.elements == elements_of(wire.ACTION)
