"""srup sign: frames made offline, each signed with the key that the protocol names for it."""

import asyncio
import hashlib
import threading
import time
import uuid

import ecdsa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srup import auth, p256, status, tokens, wire
from srup.errors import BadSignature, InvalidKey, Malformed
from srup_host import actions, credentials, init, keyfiles, net, signing
from srup_host.ledger import Ledger
from tests.host.backdrop import Backdrop
from tests.host.fake_device import FakeDevice
from tests.host.mqtt import Raw
from tests.host.shell import failed, srup

DEVICE = uuid.UUID("823095bb-a266-4edf-862a-8b0d71ddab8c")
TOKEN = bytes.fromhex("01a204e528fc7000a01639615e4cb057")
NONCE = bytes(range(16))
KEY = keyfiles.generate()
PUBLIC = signing.public_bytes(KEY)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = init.create(tmp_path_factory.mktemp("sign") / "fleet", "garden")
    fleet.add_device("kitchen", "UNIX", PUBLIC, DEVICE)
    return fleet


@pytest.fixture(autouse=True)
def chosen(fleet, monkeypatch):
    monkeypatch.setenv("SRUP_FLEET", str(fleet.directory))


def signed(fleet, *arguments, role="command"):
    """The frame that a command writes to stdout, held to what a device asks of its signature."""
    unverified = wire.decode(srup("sign", *arguments).out)
    wire.check_sizes(unverified)
    auth.check_signature(fleet.public_key(role), auth.signed_digest(unverified), unverified.signature)
    return unverified


def test_initiate(fleet, tmp_path):
    (tmp_path / "x.srup").write_bytes(b"a bundle")
    command = (
        "initiate",
        "--target",
        "kitchen",
        "--url",
        "https://localhost:8443/x.srup",
        "--file",
        tmp_path / "x.srup",
    )
    before = time.time_ns() // 1_000_000
    frame = signed(fleet, *command)
    assert frame.type == wire.INITIATE
    assert frame.elements["target"] == DEVICE.bytes
    assert frame.elements["url"] == b"https://localhost:8443/x.srup"
    assert frame.elements["digest"] == hashlib.sha256(b"a bundle").digest()
    assert tokens.is_token(frame.elements["token"])
    assert before <= tokens.milliseconds(frame.elements["token"]) <= time.time_ns() // 1_000_000
    digest = ("initiate", "--target", DEVICE, "--url", "https://localhost:8443/x.srup", "--digest", "ab" * 32)
    assert signed(fleet, *digest).elements["digest"] == b"\xab" * 32


def test_initiate_as_bytes(fleet):
    """All but the signature, written out by hand."""
    command = ("--target", DEVICE, "--url", "https://h/x", "--digest", "cd" * 32, "--token", TOKEN.hex())
    frame = srup("sign", "initiate", *command).out
    assert frame[:4] == b"\x01\x01\x00\x40"
    wanted = "0010823095bba2664edf862a8b0d71ddab8c001001a204e528fc7000a01639615e4cb057000b68747470733a2f2f682f780020"
    assert frame[68:].hex() == wanted + "cd" * 32


def test_the_same_command_makes_the_same_frame():
    command = ("sign", "activate", "--token", TOKEN.hex())
    assert srup(*command).out == srup(*command).out


def test_activate(fleet):
    frame = signed(fleet, "activate", "--token", TOKEN.hex())
    assert (frame.type, frame.elements) == (wire.ACTIVATE, {"token": TOKEN})


def test_action(fleet):
    frame = signed(fleet, "action", "set-mode", "--parameters", "beacon", "--target", "kitchen")
    assert (frame.type, frame.elements["action"], frame.elements["parameters"]) == (wire.ACTION, 0x06, b"beacon")
    frame = signed(fleet, "action", "0x81", "--parameters", "hex:00ff", "--target", "group:upstairs")
    assert (frame.elements["action"], frame.elements["parameters"]) == (0x81, b"\x00\xff")
    assert frame.elements["target"] == fleet.group("upstairs").bytes
    assert "no action" in failed("sign", "action", "explode", "--target", "kitchen")
    assert "no action" in failed("sign", "action", "256", "--target", "kitchen")


@pytest.mark.parametrize(
    "arguments, parameters",
    [
        (("LOW_POWER", "--parameters", "600"), (600).to_bytes(4, "big")),
        (("2", "--parameters", "600"), (600).to_bytes(4, "big")),
        (("CANCEL", "--parameters", TOKEN.hex()), TOKEN),
        (("CANCEL", "--parameters", f"hex:{TOKEN.hex()}"), TOKEN),
        (("SET_MODE", "--parameters", "beacon"), b"beacon"),
        (("REBOOT",), b""),
        (("REBOOT", "--parameters", "hex:00"), b"\0"),
        (("LOW_POWER", "--parameters", "hex:0000"), b"\0\0"),
        (("0x81", "--parameters", "on"), b"on"),
    ],
)
def test_an_action_s_value_is_made_what_a_device_takes(fleet, arguments, parameters):
    """As srup send action makes it; hex:… goes as it is."""
    assert signed(fleet, "action", *arguments, "--target", "kitchen").elements["parameters"] == parameters


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("LOW_POWER",), "seconds"),
        (("LOW_POWER", "--parameters", "abc"), "seconds"),
        (("LOW_POWER", "--parameters", "0"), "seconds"),
        (("REBOOT", "--parameters", "x"), "takes no value"),
        (("CANCEL",), "token of what is staged"),
        (("CANCEL", "--parameters", "hex:"), "token of what is staged"),
        (("CANCEL", "--parameters", "00"), "token of what is staged"),
        (("SELF_DESTRUCT", "--parameters", "x", "--nonce", NONCE.hex()), "names the device by its key"),
    ],
)
def test_what_no_device_would_obey_is_not_signed(arguments, says):
    assert says in failed("sign", "action", *arguments, "--target", "kitchen")


@pytest.mark.parametrize("name, role", [("confirm", "command"), ("keys", "authority"), ("clock", "authority")])
def test_data(fleet, name, role):
    frame = signed(fleet, "data", name, "hex:01", "--target", "kitchen", role=role)
    assert (frame.type, frame.elements["name"], frame.elements["value"]) == (wire.DATA, name.encode(), b"\x01")


def test_values(fleet, tmp_path):
    (tmp_path / "value").write_bytes(b"\x00\x01")
    for given_, value in (
        ("text", b"text"),
        ("ü", "ü".encode()),
        ("hex:", b""),
        (f"@{tmp_path / 'value'}", b"\x00\x01"),
    ):
        assert signed(fleet, "data", "app.x", given_, "--target", "kitchen").elements["value"] == value
    assert "not hex" in failed("sign", "data", "app.x", "hex:0", "--target", "kitchen")
    assert "can't read" in failed("sign", "data", "app.x", f"@{tmp_path / 'none'}", "--target", "kitchen")
    assert "no name of DATA" in failed("sign", "data", "App", "x", "--target", "kitchen")
    assert "value of 701 bytes" in failed("sign", "data", "app.x", "x" * 701, "--target", "kitchen")


def test_the_rest(fleet):
    assert signed(fleet, "id-request", "--target", "kitchen").type == wire.ID_REQUEST
    frame = signed(fleet, "join-command", "--target", "kitchen", "--settings", "{}")
    assert (frame.type, frame.elements["settings"]) == (wire.JOIN_COMMAND, b"{}")


# Two keys


def second_holds(fleet, command, second):
    """The preimage as protocol.md writes it, checked with `ecdsa`."""
    assert second[:16] == NONCE
    preimage = b"SRUP-second-1\0" + command + NONCE
    key = ecdsa.VerifyingKey.from_string(fleet.public_key("authority"), ecdsa.NIST256p, hashlib.sha256)
    return len(second) == 80 and key.verify(second[16:], preimage)


def test_an_action_with_two_keys(fleet):
    own = "ab" * 32
    target = ("--target", "kitchen", "--token", TOKEN.hex())
    frame = signed(fleet, "action", "SELF_DESTRUCT", "--parameters", f"hex:{own}", "--nonce", NONCE.hex(), *target)
    assert frame.elements["parameters"][:32].hex() == own
    command = bytes.fromhex(f"01040010{DEVICE.hex}0010{TOKEN.hex()}070020{own}")
    assert second_holds(fleet, command, frame.elements["parameters"][32:])


def test_self_destruct_names_the_device_by_its_key(fleet, tmp_path, monkeypatch):
    order = ("action", "SELF_DESTRUCT", "--nonce", NONCE.hex())
    for target in ("kitchen", DEVICE):
        frame = signed(fleet, *order, "--target", target)
        assert frame.elements["parameters"][:32] == hashlib.sha256(PUBLIC).digest()
    assert "never for a group" in failed("sign", *order, "--target", "group:all")
    assert "no device" in failed("sign", *order, "--target", uuid.uuid4())
    (tmp_path / "key.pem").write_bytes(keyfiles.private_pem(KEY))
    monkeypatch.delenv("SRUP_FLEET")
    monkeypatch.chdir(tmp_path)
    alone = ("--target", DEVICE, "--key", "key.pem", "--second-key", "key.pem")
    assert "no fleet here that knows it" in failed("sign", *order, *alone)
    assert srup("sign", *order, *alone, "--parameters", f"hex:{'ab' * 32}").out


def test_deregister_takes_two_keys(fleet):
    frame = signed(fleet, "deregister", "--target", "kitchen", "--token", TOKEN.hex(), "--nonce", NONCE.hex())
    command = bytes.fromhex(f"01130010{DEVICE.hex}0010{TOKEN.hex()}000000")
    assert second_holds(fleet, command, frame.elements["second_signature"])


def test_two_keys_are_asked_for(fleet):
    assert "two keys" in failed("sign", "action", "TURN_OFF", "--target", "kitchen")
    assert "never for a group" in failed("sign", "action", "TURN_OFF", "--target", "group:all", "--nonce", NONCE.hex())
    assert "nonce has 1 bytes" in failed("sign", "action", "TURN_OFF", "--target", "kitchen", "--nonce", "00")


# Where it goes


def test_where_it_goes(tmp_path):
    command = ("sign", "activate", "--token", TOKEN.hex())
    piped = srup(*command)
    assert TOKEN.hex() in piped.err and "command key" in piped.err
    assert srup(*command, "--hex").text == piped.out.hex() + "\n"
    written = srup(*command, "-o", tmp_path / "frame")
    assert (written.out, (tmp_path / "frame").read_bytes()) == (b"", piped.out)
    assert "can't write" in failed(*command, "-o", tmp_path / "no" / "frame")


def test_with_a_key_and_no_fleet(tmp_path, monkeypatch):
    monkeypatch.delenv("SRUP_FLEET")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.pem").write_bytes(keyfiles.private_pem(KEY))
    frame = wire.decode(srup("sign", "id-request", "--target", DEVICE, "--key", "key.pem").out)
    signing.verify_frame(PUBLIC, frame)
    assert "no fleet" in failed("sign", "id-request", "--target", "kitchen", "--key", "key.pem")
    assert "no fleet" in failed("sign", "id-request", "--target", DEVICE)


@pytest.mark.parametrize(
    "change, says",
    [
        ({"--target": "cellar"}, "no device 'cellar'"),
        ({"--url": "http://localhost:8443/x"}, "not a plain https url"),
        ({"--url": "https://me@localhost:8443/x"}, "not a plain https url"),
        ({"--url": "https://localhost:8443/x#y"}, "not a plain https url"),
        ({"--url": "https://localhost:8443/" + "x" * 500}, "url of 523 bytes"),
        ({"--digest": "ab"}, "digest has 1 bytes, not 32"),
        ({"--digest": "xy" * 32}, "not hex"),
        ({"--token": "00"}, "token has 1 bytes, not 16"),
        ({"--file": "also.srup"}, "either --file or --digest"),
        ({"--key": "none.pem"}, "can't read none.pem"),
    ],
)
def test_what_is_refused(change, says):
    given_ = {"--target": "kitchen", "--url": "https://localhost:8443/x", "--digest": "ab" * 32} | change
    assert says in failed("sign", "initiate", *[word for option in given_.items() for word in option])


def test_a_host_that_is_not_on_the_allow_list_is_noted():
    command = ("sign", "initiate", "--target", "kitchen", "--digest", "ab" * 32, "--url")
    assert "allow-list" in srup(*command, "https://elsewhere/x").err
    assert "allow-list" not in srup(*command, "https://localhost:8443/x").err


def test_a_frame_signed_offline_is_published_by_hand_and_its_answer_is_an_alarm(tmp_path, monkeypatch):
    """README, Signing without a network: as the server's user, under a name of one's own."""

    async def by_hand(fleet, frame):
        raw = await Raw.open(fleet.broker.port, net.client_context(fleet))
        login = credentials.server(fleet)
        assert await raw.connect(login.user, login.password, f"{login.user}.hand") == 0
        await raw.publish(f"srup/{kitchen.uuid}/c2", frame)

    taken = threading.Event()

    def obey(frame):
        taken.set()
        return [kitchen.response(frame.elements["token"], status.ACTION_SUCCESS)]

    with Backdrop(tmp_path / "home") as backdrop:
        monkeypatch.setenv("SRUP_FLEET", str(backdrop.fleet.directory))
        kitchen = FakeDevice(backdrop.fleet)
        backdrop.play(kitchen, obey)
        asyncio.run(by_hand(backdrop.fleet, srup("sign", "action", "REBOOT", "--target", "kitchen").out))
        assert taken.wait(20)
        ledger, until = Ledger(backdrop.fleet), time.monotonic() + 20
        while not ledger.alarms() and time.monotonic() < until:
            time.sleep(0.05)
        assert [alarm.why for alarm in ledger.alarms()] == ["ACTION_SUCCESS under a token that was never sent"]
        ledger.close()


# signing itself


@given(st.binary(max_size=300))
def test_what_is_signed_verifies_everywhere_and_is_low_s(data):
    signature = signing.sign(KEY, data)
    signing.verify(PUBLIC, data, signature)
    p256.verify(PUBLIC, hashlib.sha256(data).digest(), signature)
    assert ecdsa.VerifyingKey.from_string(PUBLIC, ecdsa.NIST256p, hashlib.sha256).verify(signature, data)
    assert p256.is_low_s(signature)
    assert signature == signing.sign(KEY, data)


def test_the_rfc_6979_vector():
    """RFC 6979, A.2.5, SHA-256, `sample`; its s is high, and so n - s here."""
    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    key = signing.ec.derive_private_key(secret, signing.ec.SECP256R1())
    r = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    s = p256.N - 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
    assert signing.sign(key, b"sample") == r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_what_does_not_verify():
    signature = signing.sign(KEY, b"data")
    high = signature[:32] + (p256.N - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")
    p256.verify(PUBLIC, hashlib.sha256(b"data").digest(), high)  # the twin is a signature, and yet refused
    for bad in (high, signature[:63], signature + b"\x00", b"", bytes(64), b"\xff" * 64):
        with pytest.raises(BadSignature):
            signing.verify(PUBLIC, b"data", bad)
    with pytest.raises(BadSignature):
        signing.verify(PUBLIC, b"date", signature)
    with pytest.raises(BadSignature):
        signing.verify(signing.public_bytes(keyfiles.generate()), b"data", signature)
    for bad in (b"", PUBLIC[1:], b"\x04" + bytes(64), b"\x02" + PUBLIC[1:33]):
        with pytest.raises(InvalidKey):
            signing.verify(bad, b"data", signature)


def test_no_frame_is_made_that_a_device_would_not_read():
    with pytest.raises(Malformed, match="token of 15 bytes"):
        signing.sign_frame(KEY, wire.ACTIVATE, {"token": bytes(15)})
    with pytest.raises(Malformed):
        signing.sign_frame(KEY, wire.ACTIVATE, {"token": bytes(16), "more": b""})


def test_actions_by_name_and_number():
    assert [actions.name(value) for value in (1, 9, 0x80, 0xFF, 0x0B)] == [
        "REBOOT",
        "CANCEL",
        "APPLICATION+0",
        "APPLICATION+127",
        "(unknown)",
    ]
    assert [actions.number(text) for text in ("low_power", "LOW-POWER", "2", "0x02")] == [2, 2, 2, 2]
