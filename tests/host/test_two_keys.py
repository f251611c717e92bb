"""Two keys on two machines: request, second signature, command; and what each of the three refuses."""

import hashlib
import json

import pytest

from srup import errors, second, status, wire
from srup_host import keyfiles, signing
from tests.host.backdrop import Backdrop
from tests.host.fake_device import FakeDevice
from tests.host.shell import failed, run, srup


@pytest.fixture
def backdrop(tmp_path, monkeypatch):
    with Backdrop(tmp_path / "fleet") as backdrop:
        monkeypatch.setenv("SRUP_FLEET", str(backdrop.fleet.directory))
        yield backdrop


class Device:
    """Judges an ACTION with two keys as a device does, and takes down what it was ordered."""

    def __init__(self, backdrop):
        self.fake = FakeDevice(backdrop.fleet)
        self.ordered = []
        self._authority = backdrop.fleet.public_key("authority")
        backdrop.play(self.fake, self._take)

    def of(self, role):
        return [(b"", self._authority)]

    def _take(self, frame):
        token = frame.elements["token"]
        if frame.type == wire.ID_REQUEST:
            return [self.fake.inventory()]
        if frame.type == wire.DATA:
            return [self.fake.data("log", b"ValueError: app"), self.fake.response(token, status.DATA_SUCCESS)]
        frame.token, frame.target = token, frame.elements["target"]
        try:
            own, proof = second.split(frame.elements["parameters"])
            second.check(self, self.fake.device.target, self.fake.nonce, frame, frame.elements["action"], own, proof)
        except errors.BadSignature:
            return [self.fake.response(token, status.ACTION_REFUSED)]
        self.ordered.append((frame.elements["action"], own))
        return [self.fake.response(token, status.ACTION_SUCCESS)]


@pytest.fixture
def kitchen(backdrop):
    device = Device(backdrop)
    srup("send", "id-request", "kitchen")
    return device


@pytest.fixture
def requested(kitchen, tmp_path):
    path = tmp_path / "off.request"
    srup("send", "action", "kitchen", "TURN_OFF", "--request", path, "--name", "kitchen")
    return path


def test_the_three_steps(backdrop, kitchen, requested, tmp_path, monkeypatch):
    assert kitchen.ordered == []
    authority, signed = tmp_path / "authority.pem", tmp_path / "off.signed"
    authority.write_bytes((backdrop.fleet.directory / "keys/authority.pem").read_bytes())
    authority.chmod(0o600)
    with monkeypatch.context() as elsewhere:  # a machine that has nothing of the fleet but this key
        elsewhere.delenv("SRUP_FLEET")
        elsewhere.chdir(tmp_path)
        shown = srup("sign", "second", requested, "-o", signed, "--key", authority, "--name", "kitchen").err
    assert f"kitchen ({kitchen.fake.uuid})" in shown and "TURN_OFF" in shown and kitchen.fake.nonce.hex() in shown
    result = srup("send", "action", "kitchen", "TURN_OFF", "--second", signed, "--name", "kitchen")
    assert result.text == "kitchen: ACTION_SUCCESS\n" and kitchen.ordered == [(4, b"")]
    again = failed("send", "action", "kitchen", "TURN_OFF", "--second", signed, "--name", "kitchen")
    assert "something else has been sent to kitchen since" in again


def test_with_the_authority_key_here_it_is_one_step(kitchen):
    run("send", "action", "kitchen", "SELF_DESTRUCT", "--authority", "--name", "kitchen")
    assert kitchen.ordered == [(7, hashlib.sha256(kitchen.fake.device.key).digest())]


def test_what_can_not_be_undone_takes_the_device_s_name(kitchen, requested, tmp_path):
    for name in ((), ("--name", "cellar")):
        assert "name" in failed("send", "action", "kitchen", "SELF_DESTRUCT", "--authority", *name)
        refused = run("sign", "second", requested, "-o", tmp_path / "signed", *name)
        assert refused.code == 2 and "name" in refused.err.splitlines()[-1]
    assert kitchen.ordered == [] and not (tmp_path / "signed").exists()


def test_two_keys_are_asked_for_before_anything_is_sent(kitchen):
    assert "--request" in failed("send", "action", "kitchen", "TURN_OFF")
    assert "never for a group" in failed(
        "send", "action", "group:all", "TURN_OFF", "--authority", "--name", "group:all"
    )


def test_another_key_another_action_another_start(backdrop, kitchen, requested, tmp_path):
    stranger, signed = tmp_path / "stranger.pem", tmp_path / "signed"
    stranger.write_bytes(keyfiles.private_pem(keyfiles.generate()))
    stranger.chmod(0o600)
    srup("sign", "second", requested, "-o", signed, "--key", stranger, "--name", "kitchen")
    order = ("send", "action", "kitchen", "TURN_OFF", "--name", "kitchen", "--second", signed)
    assert "not signed with the fleet's authority key" in failed(*order)
    srup("sign", "second", requested, "-o", signed, "--name", "kitchen")
    changed = json.loads(signed.read_text())
    changed["request"]["action"] = "SELF_DESTRUCT"
    signed.write_text(json.dumps(changed))
    assert "not signed with the fleet's authority key" in failed(*order)
    srup("sign", "second", requested, "-o", signed, "--name", "kitchen")
    assert "of something else" in failed(*(word if word != "TURN_OFF" else "SELF_DESTRUCT" for word in order))
    kitchen.fake.nonce = bytes(16)
    srup("send", "id-request", "kitchen")
    assert "has started again" in failed(*order) and kitchen.ordered == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"token": 1}'])
def test_what_is_no_request_is_not_signed(backdrop, tmp_path, text):
    path = tmp_path / "x"
    path.write_text(text)
    said = failed("sign", "second", path, "-o", tmp_path / "y", "--name", "kitchen")
    assert str(path) in said and "__init__" not in said


def test_what_is_signed_already_says_so(requested, tmp_path):
    signed = tmp_path / "off.signed"
    srup("sign", "second", requested, "-o", signed, "--name", "kitchen")
    assert "is signed already" in failed("sign", "second", signed, "-o", tmp_path / "again", "--name", "kitchen")


def test_values_are_what_the_action_takes(kitchen):
    for arguments, words in (
        (("CANCEL",), "token"),
        (("CANCEL", "00"), "token"),
        (("LOW_POWER",), "seconds"),
        (("LOW_POWER", "soon"), "seconds"),
        (("CANCEL", "x"), "token"),
        (("REBOOT", "now"), "takes no value"),
        (("SELF_DESTRUCT", "x", "--authority"), "names the device by its key"),
    ):
        assert words in failed("send", "action", "kitchen", *arguments)


def test_the_last_traceback(kitchen):
    assert srup("send", "log", "kitchen").text == "kitchen: DATA_SUCCESS\nlog: \nValueError: app\n"
    assert srup("send", "log", "kitchen", "--json").json["values"] == {"log": "ValueError: app"}


def test_inspect_takes_the_parameters_apart(kitchen, backdrop):
    elements = {"target": kitchen.fake.device.target, "token": kitchen.fake.token(), "action": 4, "parameters": b""}
    proof = signing.second_signature(backdrop.fleet.private_key("authority"), wire.ACTION, elements, kitchen.fake.nonce)
    frame = signing.sign_frame(backdrop.fleet.private_key("command"), wire.ACTION, elements | {"parameters": proof})
    assert f"nonce {kitchen.fake.nonce.hex()}, second signature" in srup("inspect", frame.hex()).text
