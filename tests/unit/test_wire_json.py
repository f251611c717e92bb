import gc

from srup import wire, wire_json
from srup.errors import Malformed
from tests.unit.check import raises
from tests.unit.scratch import MICROPYTHON
from tests.unit.test_wire import frame_of

# By Python's own json and base64, from the frame that test_wire makes
SIGNATURE = "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp-goaKjpKWmp6ipqqusra6vsLGys7S1tre4ubq7vL2-vw"
INITIATE = (
    '{"version":1,"type":1,"signature":"' + SIGNATURE + '","target":"AAECAwQFBgcICQoLDA0ODw",'
    '"token":"EBESExQVFhcYGRobHB0eHw","url":"https://c2.example/app.srup",'
    '"digest":"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"}'
)
RESPONSE = '{"version":1,"type":2,"signature":"' + SIGNATURE + '","token":"EBESExQVFhcYGRobHB0eHw","status":253}'


def refused(text):
    return str(raises(Malformed, wire_json.decode, text if isinstance(text, bytes) else text.encode()))


def test_the_frame_is_the_same_on_both_roads():
    for kind, text in ((wire.INITIATE, INITIATE), (wire.RESPONSE, RESPONSE)):
        assert wire_json.encode(frame_of(kind)) == text
        assert wire_json.decode(text.encode()) == frame_of(kind)
    for kind in wire.TYPES:
        assert wire_json.decode(wire_json.encode(frame_of(kind)).encode()) == frame_of(kind)


def test_order_and_blanks_are_the_writers_affair():
    fields = RESPONSE[1:-1].split(",")
    text = "\r\n{ " + " ,\t".join(field.replace(":", " : ") for field in reversed(fields)) + "\n}\n"
    assert wire_json.decode(text.encode()) == frame_of(wire.RESPONSE)


def test_what_json_escapes_is_the_character_it_stands_for():
    text = INITIATE.replace("https://c2", "https:\\/\\/\\u00632")
    assert wire_json.decode(text.encode()) == frame_of(wire.INITIATE)


def test_a_field_that_is_missing_unknown_or_there_twice():
    assert "not the fields" in refused(RESPONSE.replace(',"status":253', ""))
    assert "not the fields" in refused(RESPONSE.replace("}", ',"note":1}'))
    assert "not the fields" in refused(RESPONSE.replace("}", ',"target":"AAECAwQFBgcICQoLDA0ODw"}'))
    assert "twice" in refused(RESPONSE.replace("}", ',"status":253}'))
    assert "twice" in refused(RESPONSE.replace('"type":2,', '"type":2,"ty\\u0070e":2,'))


def test_a_value_of_another_type():
    for number in ("253.0", "-3", "0253", "2530", "25e1", "true", "null", "[253]", '{"a":1}', '"253"', ""):
        refused(RESPONSE.replace("253", number))
    assert "another type" in refused(RESPONSE.replace('"EBESExQVFhcYGRobHB0eHw"', "16"))
    refused(RESPONSE.replace("253", "256"))
    for kind in ('"2"', "3", "7", "999"):
        refused(RESPONSE.replace('"type":2', '"type":' + kind))
    assert "version" in refused(RESPONSE.replace('"version":1', '"version":2'))


def test_base64_has_one_spelling():
    for spelling in (
        "EBESExQVFhcYGRobHB0eHx",
        "EBESExQVFhcYGRobHB0eHw==",
        "EBESExQVFhcYGRobHB0eH",
        "EBES ExQVFhcYGRobHB0eHw",
    ):
        assert "base64url" in refused(RESPONSE.replace("EBESExQVFhcYGRobHB0eHw", spelling))
    assert "base64url" in refused(RESPONSE.replace("np-goaKj", "np+goaKj"))


def test_what_is_not_an_object_or_more_than_one():
    for text in (
        "",
        "[]",
        "null",
        '"{}"',
        "{",
        "{}",
        RESPONSE[:-1],
        RESPONSE + RESPONSE,
        RESPONSE + "x",
        "[" + RESPONSE + "]",
    ):
        refused(text)
    for at in range(len(RESPONSE)):
        refused(RESPONSE[:at])


def test_strings_that_are_none():
    url = "https://c2.example/app.srup"
    for bad in ("https://\n", 'a"b', "a\\", "\\x", "\\ud800", "\\u12"):
        refused(INITIATE.replace(url, bad))
    refused(INITIATE.encode().replace(url.encode(), b"\xff\xfe"))


def test_no_character_that_a_peer_thinks_of_stays_in_memory():
    """MicroPython keeps each str of one character for good: 16 bytes for each that is new, and there are a million."""
    if not MICROPYTHON:
        return  # CPython lets go of them
    for text in ('{"a":"\\u%04x"}', '{"a":"\\%s"}', '{"a":"\\u%s%s%s%s"}', '{"a":"%s"}', '{"%s":1}'):
        free = [0, 0, 0]
        for number in range(0x3000, 0x3000 + 600):
            character = bytes((0xE0 | number >> 12, 0x80 | number >> 6 & 0x3F, 0x80 | number & 0x3F))
            data = text.replace("%04x", hex(number)[2:]).encode().replace(b"%s", character)
            try:
                wire_json.flat_object(data)
            except Malformed:
                pass
            if number % 200 == 0:
                gc.collect()
                free = free[1:] + [gc.mem_free()]
        assert free[0] - free[2] < 1024, text
