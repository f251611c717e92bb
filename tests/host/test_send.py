"""srup send: what goes over the wire, what a person and a script see of the outcome, and the exit codes."""

import hashlib
import http.client
import json
import signal
import ssl
import subprocess
import sys

import pytest

from srup import p256, sealed, status, wire
from srup_host import bundle, init, offers, signing
from srup_host.ledger import Ledger
from tests.host.backdrop import Backdrop
from tests.host.fake_device import FakeDevice
from tests.host.shell import failed, run, srup

SUCCESS, TRIAL, REVERTED = status.ACTIVATE_SUCCESS, status.ACTIVATE_TRIAL, status.ACTIVATE_REVERTED


@pytest.fixture
def backdrop(tmp_path, monkeypatch):
    with Backdrop(tmp_path / "fleet") as backdrop:
        monkeypatch.setenv("SRUP_FLEET", str(backdrop.fleet.directory))
        yield backdrop


@pytest.fixture
def kitchen(backdrop):
    return FakeDevice(backdrop.fleet)


@pytest.fixture
def packed(backdrop, tmp_path):
    contents = {"app.py": b"pass\n"}
    key = backdrop.fleet.private_key("release")
    path = tmp_path / "app.srup"
    path.write_bytes(bundle.pack(contents, key, name="thermometer", version="2.0", counter=0))
    return path


class Device:
    """Behaves: `says` are the statuses with which it answers, by type; the inventory says that it runs `manifest`."""

    def __init__(self, fake, manifest=None, **says):
        self.fake = fake
        self.manifest = manifest
        self.says = says
        self.frames = []
        self.update = None

    def __call__(self, frame):
        self.frames.append(frame)
        name = wire.TYPES[frame.type][0]
        token = frame.elements["token"]
        if frame.type == wire.ID_REQUEST:
            return [self.fake.inventory(self.manifest)]
        if frame.type == wire.INITIATE:
            self.update = token
        answers = [self.fake.response(token, value) for value in self.says.get(name, ())]
        if frame.type == wire.DATA and frame.elements["name"] == b"confirm":
            assert frame.elements["value"] == self.update
            answers = [self.fake.response(self.update, value) for value in self.says["confirm"]] + answers
        return answers

    def types(self):
        return [wire.TYPES[frame.type][0] for frame in self.frames]


def manifest(path):
    return bundle.read(path).manifest


def play(backdrop, fake, *arguments, **says):
    device = Device(fake, *arguments, **says)
    backdrop.play(fake, device)
    return device


def test_initiate_offers_the_bundle_and_waits_until_it_is_staged(backdrop, kitchen, packed):
    device = play(backdrop, kitchen, INITIATE=[status.UPDATE_SUCCESS])
    result = srup("send", "initiate", "kitchen", packed)
    assert result.text == "kitchen: thermometer 2.0 is staged (UPDATE_SUCCESS)\n"
    elements = device.frames[0].elements
    assert elements["digest"] == bundle.read(packed).digest
    host, _, path = elements["url"].decode().removeprefix("https://").partition("/")
    context = ssl.create_default_context(cafile=str(backdrop.fleet.ca))
    connection = http.client.HTTPSConnection(host, context=context)
    connection.request("GET", f"/{path}")
    assert connection.getresponse().read() == packed.read_bytes()
    connection.close()
    assert host in backdrop.fleet.allow


# A delta, where there is one


@pytest.fixture
def versions(backdrop, tmp_path):
    """app.srup, version 2.0, and beside it deltas to 1.0 and 1.5; their manifests: (of 1.0, of 2.0)."""
    pytest.importorskip("detools")
    key = backdrop.fleet.private_key("release")
    table = bytes(range(256)) * 30
    bases = []
    for version in ("1.0", "1.5", "2.0"):
        contents = {"app.py": f"VERSION = {version!r}\n".encode(), "table.bin": table}
        path = tmp_path / ("app.srup" if version == "2.0" else f"old-{version}.srup")
        path.write_bytes(bundle.pack(contents, key, name="thermometer", version=version, counter=0))
        if version != "2.0":
            bases.append(bundle.read(path))
    for base in bases:
        delta = bundle.pack(contents, key, name="thermometer", version="2.0", counter=0, base=base)
        (tmp_path / f"app.from-{base.manifest['version']}.srup").write_bytes(delta)
    (tmp_path / "app.from-nowhere.srup").write_bytes(b"not a bundle")
    return bases[0].manifest, manifest(tmp_path / "app.srup")


def says_it_runs(backdrop, kitchen, runs):
    device = play(backdrop, kitchen, runs)
    srup("send", "id-request", "kitchen")
    return device


def fetched(device):
    """The bundles that the device was told to fetch: the versions that they are changes to."""
    digests = [frame.elements["digest"] for frame in device.frames if frame.type == wire.INITIATE]
    hosted = [bundle.read(path) for path in (device.folder / "public").iterdir()]
    return [next(each.manifest["base"][:8] for each in hosted if each.digest == digest) for digest in digests]


def test_the_delta_to_what_the_device_runs_is_found_beside_the_bundle(backdrop, kitchen, tmp_path, versions):
    device = says_it_runs(backdrop, kitchen, versions[0])
    device.says["INITIATE"], device.folder = [status.UPDATE_SUCCESS], backdrop.fleet.directory
    result = srup("send", "initiate", "kitchen", tmp_path / "app.srup")
    assert result.text == "kitchen: thermometer 2.0 is staged (UPDATE_SUCCESS)\n"
    assert fetched(device) == [versions[0]["tree"][:8]]


@pytest.mark.parametrize("named", ["app.srup", "app.from-1.0.srup"])
@pytest.mark.parametrize("why", [status.UPDATE_FAIL_BOARD, status.UPDATE_FAIL_STORAGE])
def test_a_device_that_can_t_use_the_delta_gets_the_full_bundle(backdrop, kitchen, tmp_path, versions, named, why):
    device = says_it_runs(backdrop, kitchen, versions[0])
    device.says["INITIATE"], device.folder = [why], backdrop.fleet.directory
    answers = iter(([why], [status.UPDATE_SUCCESS]))
    device.says = type(
        "Says", (dict,), {"get": lambda self, name, other=(): next(answers) if name == "INITIATE" else other}
    )()
    result = srup("send", "initiate", "kitchen", tmp_path / named)
    assert result.text == "kitchen: thermometer 2.0 is staged (UPDATE_SUCCESS)\n"
    assert "full bundle" in result.err
    assert fetched(device) == [versions[0]["tree"][:8], ""]


@pytest.mark.parametrize("runs", [None, {"name": "thermometer", "version": "0.9", "tree": "ab" * 32}])
def test_a_device_that_runs_something_else_gets_the_full_bundle_at_once(backdrop, kitchen, tmp_path, versions, runs):
    device = says_it_runs(backdrop, kitchen, runs)
    device.says["INITIATE"], device.folder = [status.UPDATE_SUCCESS], backdrop.fleet.directory
    srup("send", "initiate", "kitchen", tmp_path / "app.srup")
    assert fetched(device) == [""]


def test_the_delta_to_the_data_that_an_application_has_is_found_by_the_data_s_own_tree(backdrop, tmp_path):
    pytest.importorskip("detools")
    key, table = backdrop.fleet.private_key("release"), bytes(range(256)) * 30
    packed = {"name": "table", "counter": 0, "kind": "data"}
    old, new, delta = (tmp_path / name for name in ("old.srup", "table.srup", "table.from-1.srup"))
    old.write_bytes(bundle.pack({"t": table}, key, version="1", **packed))
    new.write_bytes(bundle.pack({"t": table + b"more"}, key, version="2", **packed))
    base = bundle.read(old)
    delta.write_bytes(bundle.pack({"t": table + b"more"}, key, version="2", base=base, **packed))
    for inventory, first in (
        ({"tree": "ab" * 32, "data": ["table", "1", base.manifest["tree"]]}, delta),
        ({"tree": base.manifest["tree"], "data": ["table", "0", "ab" * 32]}, new),
        ({"tree": base.manifest["tree"]}, new),
        ({}, new),
    ):
        assert offers.choose(new, inventory)[0].path == first


def test_no_second_try_for_what_has_nothing_to_do_with_the_delta(backdrop, kitchen, tmp_path, versions):
    device = says_it_runs(backdrop, kitchen, versions[0])
    device.says["INITIATE"], device.folder = [status.UPDATE_FAIL_SERVER], backdrop.fleet.directory
    assert run("send", "initiate", "kitchen", tmp_path / "app.srup").code == 4
    assert len(fetched(device)) == 1


def test_sealed_for_the_device_alone(backdrop, kitchen, packed, tmp_path):
    assert "no key for that" in failed("send", "initiate", "kitchen", packed, "--seal")
    secret = bytes(31) + b"\x07"
    file = backdrop.fleet.directory / "devices" / f"{kitchen.uuid}.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"sealing_key": p256.public_key(secret).hex()}))
    device = play(backdrop, kitchen, INITIATE=[status.UPDATE_SUCCESS])
    srup("send", "initiate", "kitchen", packed, "--seal")
    (served,) = (backdrop.fleet.directory / "public").iterdir()
    assert hashlib.sha256(served.read_bytes()).digest() == device.frames[0].elements["digest"]
    list(sealed.unseal(str(served), str(tmp_path / "out"), secret))
    assert (tmp_path / "out").read_bytes() == packed.read_bytes() != served.read_bytes()


def test_another_url_copies_nothing(backdrop, kitchen, packed):
    device = play(backdrop, kitchen, INITIATE=[status.UPDATE_SUCCESS])
    srup("send", "initiate", "kitchen", packed, "--url", "https://cdn.example/app.srup")
    assert device.frames[0].elements["url"] == b"https://cdn.example/app.srup"
    assert list((backdrop.fleet.directory / "public").iterdir()) == []


def test_activate_confirms_the_trial_and_asks_what_runs(backdrop, kitchen, packed):
    device = play(
        backdrop,
        kitchen,
        manifest(packed),
        INITIATE=[status.UPDATE_SUCCESS],
        ACTIVATE=[TRIAL],
        confirm=[SUCCESS],
        DATA=[status.DATA_SUCCESS],
    )
    result = srup("send", "initiate", "kitchen", packed, "--activate")
    assert device.types() == ["INITIATE", "ACTIVATE", "DATA", "ID_REQUEST"]
    assert result.text.splitlines()[-1] == "kitchen: thermometer 2.0 is confirmed (ACTIVATE_SUCCESS)"
    ledger = Ledger(backdrop.fleet)
    assert ledger.latest_update(kitchen.device).confirmed
    assert ledger.alarms() == []  # `srup serve` has heard it all, too


def test_no_confirm_lets_the_trial_end(backdrop, kitchen, packed):
    device = play(backdrop, kitchen, INITIATE=[0], ACTIVATE=[TRIAL, REVERTED])
    srup("send", "initiate", "kitchen", packed)
    result = run("send", "activate", "kitchen", "--no-confirm")
    assert (result.code, result.text) == (5, "kitchen: ACTIVATE_REVERTED\n")
    assert device.types() == ["INITIATE", "ACTIVATE"]


def test_said_to_be_confirmed_and_the_inventory_says_otherwise(backdrop, kitchen, packed):
    play(
        backdrop,
        kitchen,
        manifest(packed) | {"version": "1.0"},
        INITIATE=[0],
        ACTIVATE=[TRIAL],
        confirm=[SUCCESS],
        DATA=[status.DATA_SUCCESS],
    )
    result = run("send", "initiate", "kitchen", packed, "--activate")
    assert result.code == 7
    assert "ACTIVATE_SUCCESS: reported, and the inventory says otherwise" in result.text


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (status.UPDATE_FAIL_SERVER, 4),
        (status.UPDATE_FAIL_FILE, 4),
        (status.UPDATE_FAIL_DIGEST, 4),
        (status.UPDATE_FAIL_DOWNGRADE, 4),
        (status.UPDATE_FAIL_URL, 3),
        (status.TOKEN_STALE, 3),
        (status.TOKEN_EXPIRED, 3),
        (status.TOKEN_AHEAD, 3),
        (status.SUPERSEDED, 3),
    ],
)
def test_exit_codes_of_initiate(backdrop, kitchen, packed, value, code):
    device = play(backdrop, kitchen, INITIATE=[value])
    result = run("send", "initiate", "kitchen", packed, "--activate")
    assert (result.code, result.text) == (code, f"kitchen: {status.name(value)}\n")
    assert device.types() == ["INITIATE"]  # what is not staged is not activated


def test_a_device_that_was_off_for_too_long_and_what_brings_it_back(backdrop, kitchen, packed):
    play(backdrop, kitchen, INITIATE=[status.TOKEN_AHEAD])
    assert "srup send clock kitchen" in run("send", "initiate", "kitchen", packed).err


def test_a_floor_that_no_board_could_start_with_is_not_sent(backdrop, kitchen):
    device = play(backdrop, kitchen, DATA=[status.DATA_SUCCESS])
    for day in ("2038-01-20", "2040-01-01", "1970-01-01"):
        said = failed("send", "clock", "kitchen", "--floor", day)
        assert "no time for a clock" in said and "2038-01-19 03:14:07" in said
    assert not device.frames
    assert run("send", "clock", "kitchen", "--floor", "2038-01-19").code == 0


@pytest.mark.parametrize(
    ("value", "code"), [(REVERTED, 5), (status.TRIAL_RETRY, 5), (status.ACTIVATE_FAIL, 4), (status.TOKEN_EXPIRED, 3)]
)
def test_exit_codes_of_activate(backdrop, kitchen, packed, value, code):
    play(backdrop, kitchen, INITIATE=[0], ACTIVATE=[value])
    srup("send", "initiate", "kitchen", packed)
    assert run("send", "activate", "kitchen").code == code


def test_action_and_data(backdrop, kitchen):
    device = play(backdrop, kitchen, ACTION=[status.ACTION_REFUSED], DATA=[status.DATA_SUCCESS])
    assert run("send", "action", "kitchen", "0x81", "hex:00ff").code == 3
    assert device.frames[0].elements["action"] == 0x81 and device.frames[0].elements["parameters"] == b"\0\xff"
    assert srup("send", "data", "kitchen", "app.colour", "blue").text == "kitchen: DATA_SUCCESS\n"
    assert device.frames[1].elements["value"] == b"blue"


def test_the_inventory_of_id_request(backdrop, kitchen, packed):
    play(backdrop, kitchen, manifest(packed))
    result = srup("send", "id-request", "kitchen", "--json").json
    assert result["outcome"] == "DONE" and result["inventory"]["version"] == "2.0"
    assert [event["what"] for event in result["events"]] == ["ID_REQUEST", "inventory"]
    assert "thermometer 2.0 in slot a" in srup("send", "id-request", "kitchen").text


def test_json_has_the_whole_story(backdrop, kitchen, packed):
    play(backdrop, kitchen, INITIATE=[status.UPDATE_FAIL_FILE])
    result = run("send", "initiate", "kitchen", packed, "--json")
    told = result.json
    assert result.code == 4
    assert (told["device"], told["uuid"], told["type"]) == ("kitchen", kitchen.uuid, "INITIATE")
    assert (told["outcome"], told["status"], told["status_name"]) == ("FAILED", 0xFE, "UPDATE_FAIL_FILE")
    assert [event["what"] for event in told["events"]] == ["INITIATE", "UPDATE_FAIL_FILE"]
    assert len(bytes.fromhex(told["token"])) == 16


def test_no_answer_in_time_then_a_late_one(backdrop, kitchen, packed):
    result = run("send", "initiate", "kitchen", packed, "--timeout", "0")
    assert (result.code, result.text) == (6, "kitchen: no answer in time\n")
    assert "has not answered the INITIATE" in failed("send", "action", "kitchen", "reboot")
    device = play(backdrop, kitchen, INITIATE=[status.UPDATE_SUCCESS])  # the broker has kept it
    assert srup("send", "wait", "kitchen").text.endswith("is staged (UPDATE_SUCCESS)\n")
    assert len({frame.frame for frame in device.frames}) == 1  # never signed a second time


def test_set_aside_and_no_wait(backdrop, kitchen, packed):
    assert "INITIATE is with the broker" in srup("send", "initiate", "kitchen", packed, "--no-wait").text
    told = srup("send", "action", "kitchen", "reboot", "--no-wait", "--set-aside", "--json").json
    assert told["outcome"] == "SENT"
    device = play(backdrop, kitchen, ACTION=[status.ACTION_SUCCESS])
    assert run("send", "wait", "kitchen").code == 0
    assert device.types()[:2] == ["INITIATE", "ACTION"]  # in the order in which they were sent


def test_ctrl_c_ends_the_wait_and_not_the_command(backdrop, kitchen):
    command = [sys.executable, "-m", "srup_host.cli", "send", "action", "kitchen", "reboot"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sent = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert "-> ACTION, 107 bytes" in sent
    assert (process.returncode, out) == (130, "")
    assert err.splitlines()[0] == "not waiting any longer; the frame stays queued: srup send wait kitchen"
    assert "Traceback" not in err
    play(backdrop, kitchen, ACTION=[status.ACTION_SUCCESS])
    assert srup("send", "wait", "kitchen").text == "kitchen: ACTION_SUCCESS\n"


def test_forged_answers_are_shown_and_do_not_count(backdrop, kitchen, packed):
    stranger = FakeDevice(backdrop.fleet, "stranger")

    def behave(frame):
        forged = kitchen.response(frame.elements["token"], 0, stranger.key)
        return [forged, kitchen.response(frame.elements["token"], status.UPDATE_FAIL_HTTP)]

    backdrop.play(kitchen, behave)
    result = run("send", "initiate", "kitchen", packed)
    assert result.code == 4
    assert "refused: does not match" in result.err


def test_commands_that_another_key_must_sign_are_not_sent(backdrop, kitchen):
    assert "--request" in failed("send", "action", "kitchen", "turn-off")
    assert "srup sign data" in failed("send", "data", "kitchen", "keys", "x")
    assert Ledger(backdrop.fleet).last_command(kitchen.device) is None


def test_what_can_not_be_sent_says_so_in_one_line(backdrop, kitchen, packed, tmp_path):
    assert "nothing staged" in failed("send", "activate", "kitchen")
    assert "no device 'cellar'" in failed("send", "initiate", "cellar", packed)
    assert "nothing was ever sent" in failed("send", "wait", "kitchen")
    (tmp_path / "bad.srup").write_bytes(b"not one")
    failed("send", "initiate", "kitchen", tmp_path / "bad.srup", code=1)


def test_without_a_broker_nothing_is_signed(tmp_path, monkeypatch):
    fleet = init.create(tmp_path / "fleet", "home", broker_port=1)
    monkeypatch.setenv("SRUP_FLEET", str(fleet.directory))
    kitchen = FakeDevice(fleet)
    line = failed("send", "action", "kitchen", "reboot")
    assert "no MQTT broker for us at localhost:1" in line and line.endswith("start one: srup serve")
    assert Ledger(fleet).last_command(kitchen.device) is None


def test_a_broker_with_a_certificate_of_another_fleet_is_not_talked_to(backdrop, kitchen, tmp_path):
    other = init.create(tmp_path / "other", "other", broker_port=backdrop.fleet.broker.port)
    FakeDevice(other)
    assert "certificate verify failed" in failed("send", "action", "kitchen", "reboot", "--fleet", other.directory)


def test_frames_are_the_command_keys(backdrop, kitchen):
    device = play(backdrop, kitchen, ACTION=[status.ACTION_SUCCESS])
    srup("send", "action", "kitchen", "reboot")
    signing.verify_frame(backdrop.fleet.public_key("command"), device.frames[0])


def test_a_group_is_made_though_there_is_no_broker_to_tell_its_members(tmp_path, monkeypatch):
    """And the error says so: the same line again would be told that there is such a group."""
    fleet = init.create(tmp_path / "fleet", "home", broker_port=1)
    monkeypatch.setenv("SRUP_FLEET", str(fleet.directory))
    FakeDevice(fleet)
    line = failed("group", "create", "indoors", "kitchen")
    assert "the group indoors is made, but the devices were not told: no MQTT broker for us" in line
    assert line.endswith("srup group sync tells them")
    assert srup("group", "list", "--json").json["behind"] == ["kitchen"]
    assert "the group outdoors is changed" in failed("group", "add", "outdoors", "kitchen")
    assert failed("group", "sync").endswith("start one: srup serve")
