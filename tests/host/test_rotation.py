"""srup keys rotate: a fleet's key changed over a real broker, step by step, with devices that are away, refuse, or come late."""

import json

import pytest

from srup import keys
from srup_host import keyfiles, rotation, signing
from srup_host.ledger import Ledger
from srup_host.simulate import cards
from srup_host.simulate.device import SimulatedDevice
from tests.host.backdrop import Backdrop
from tests.host.shell import failed, run, srup

ROLES = {"command": keys.COMMAND, "release": keys.RELEASE, "authority": keys.AUTHORITY}


@pytest.fixture
def backdrop(tmp_path, monkeypatch):
    with Backdrop(tmp_path / "fleet") as backdrop:
        monkeypatch.setenv("SRUP_FLEET", str(backdrop.fleet.directory))
        yield backdrop


def make(backdrop, number):
    """So many devices, enrolled and off."""
    return [SimulatedDevice(card, backdrop.fleet, "good", None) for card in cards.take(backdrop.fleet, number)]


def power_on(backdrop, device):
    def behave(frame):
        with pytest.raises(StopIteration):  # DATA keeps it waiting for nothing
            device.take(frame.frame).send(None)
        answers, device.outbox = device.outbox, []
        return answers

    backdrop.play(device.card, behave)


def rotate(*arguments, code=0):
    result = run("keys", "rotate", *arguments, "--json")
    assert result.code == code, result.err
    return result.json


@pytest.mark.parametrize("role", ["command", "release", "authority"])
def test_every_device_changes_its_key_and_the_fleet_signs_with_the_new_one(backdrop, role):
    devices = make(backdrop, 3)
    for device in devices:
        power_on(backdrop, device)
    old = backdrop.fleet.public_key(role)
    done = rotate(role)
    new = backdrop.fleet.public_key(role)
    assert (done["step"], done["left"], done["old"], done["new"]) == ("done", [], old.hex(), new.hex())
    assert new != old and all(device.trusts(ROLES[role]) == [new] for device in devices)
    assert signing.public_bytes(backdrop.fleet.private_key(role)) == new
    assert backdrop.fleet.key_path(role).stat().st_mode & 0o777 == 0o600
    retired = backdrop.fleet.directory / "keys" / "retired" / f"{role}-{keys.key_id(old).hex()}.pem"
    assert signing.public_bytes(keyfiles.load_private(retired)) == old
    again = rotate(role)  # with the keys that are there now
    assert again["old"] == new.hex() and again["step"] == "done"


def test_nothing_is_switched_while_a_device_is_away_and_its_return_lets_it_go_on(backdrop):
    here, away = make(backdrop, 2)
    power_on(backdrop, here)
    old = backdrop.fleet.public_key("command")
    first = rotate("command", "--timeout", "1", code=6)
    assert first["step"] == "add" and [left["device"] for left in first["left"]] == [away.card.name]
    assert backdrop.fleet.public_key("command") == old
    assert {key.hex() for key in here.trusts(keys.COMMAND)} == {first["old"], first["new"]}
    assert rotate("command", "--status")["left"][0]["why"] == "no answer yet"
    power_on(backdrop, away)
    assert rotate("command")["new"] == first["new"]
    for device in (here, away):
        assert [key.hex() for key in device.trusts(keys.COMMAND)] == [first["new"]]


def test_a_device_that_is_gone_is_left_behind_by_name_and_takes_part_when_it_is_back(backdrop):
    here, away = make(backdrop, 2)
    power_on(backdrop, here)
    left = rotate("command", "--without", away.card.name, "--timeout", "1", code=6)
    assert left["step"] == "remove" and backdrop.fleet.public_key("command").hex() == left["new"]
    assert [one["device"] for one in left["left"]] == [away.card.name]
    power_on(backdrop, away)
    assert rotate("command")["step"] == "done"
    assert [key.hex() for key in away.trusts(keys.COMMAND)] == [left["new"]]


def test_a_device_that_comes_after_the_switch_has_the_new_key_and_is_not_asked(backdrop):
    here, away = make(backdrop, 2)
    power_on(backdrop, here)
    rotate("command", "--without", away.card.name, "--timeout", "1", code=6)
    (newcomer,) = make(backdrop, 3)[2:]
    power_on(backdrop, newcomer)
    power_on(backdrop, away)
    done = rotate("command")
    assert done["step"] == "done" and newcomer.card.uuid not in {one["uuid"] for one in done["left"]}
    assert newcomer.trusts(keys.COMMAND) == [backdrop.fleet.public_key("command")]


def test_a_running_server_signs_with_the_new_key_without_a_restart(backdrop):
    (device,) = make(backdrop, 1)
    power_on(backdrop, device)
    ledger = Ledger(backdrop.fleet)
    before = ledger.id_request(backdrop.fleet.devices()[0])
    rotate("command")
    after = ledger.id_request(backdrop.fleet.devices()[0])
    old, new = (ledger.transaction(backdrop.fleet.devices()[0], sent.token).key_id for sent in (before, after))
    assert old != new == keys.key_id(backdrop.fleet.public_key("command"))
    ledger.close()


def test_an_authority_key_that_is_kept_elsewhere_signs_from_there(backdrop, tmp_path):
    (device,) = make(backdrop, 1)
    power_on(backdrop, device)
    kept = tmp_path / "stick.pem"
    backdrop.fleet.key_path("authority").rename(kept)
    assert "run this where it is kept" in failed("keys", "rotate", "command", "--json")
    assert rotate("command", "--authority", kept)["step"] == "done"
    new = tmp_path / "new.pem"
    srup("keys", "new", new, "--no-passphrase")
    done = rotate("authority", "--authority", kept, "--new", new)
    assert done["step"] == "done" and [key.hex() for key in device.trusts(keys.AUTHORITY)] == [done["new"]]


def test_a_release_key_made_offline_is_known_here_by_its_public_half_alone(backdrop, tmp_path):
    (device,) = make(backdrop, 1)
    power_on(backdrop, device)
    srup("keys", "new", tmp_path / "offline.pem", "--no-passphrase")
    done = rotate("release", "--new", tmp_path / "offline.pub.pem")
    assert done["step"] == "done" and backdrop.fleet.public_key("release").hex() == done["new"]
    assert not list((backdrop.fleet.directory / "keys").glob("*.next.pem"))


def test_one_key_has_one_role_and_does_not_come_back(backdrop):
    (device,) = make(backdrop, 1)
    power_on(backdrop, device)
    for key in ("release.pub.pem", "command.pub.pem"):
        assert "already" in failed("keys", "rotate", "command", "--new", backdrop.fleet.directory / "keys" / key)
    public = device.trusts(keys.COMMAND)[0].hex()
    rotate("command")
    assert "retired" in failed("keys", "rotate", "command", "--new", public)
    assert "is a key of" in failed("keys", "rotate", "command", "--new", backdrop.fleet.devices()[0].public_key)


def test_another_new_key_while_one_is_on_its_way_is_refused(backdrop, tmp_path):
    make(backdrop, 1)
    rotate("command", "--timeout", "0", code=6)
    srup("keys", "new", tmp_path / "other.pem", "--no-passphrase")
    assert "being changed" in failed("keys", "rotate", "command", "--new", tmp_path / "other.pem")


@pytest.mark.parametrize("step", range(4))
def test_a_switch_that_was_cut_short_is_made_again_to_its_end(backdrop, monkeypatch, step):
    fleet = backdrop.fleet
    begun = rotation.begin(fleet, "command", rotation.make_key(fleet, "command"))
    real, done = rotation.files.replace, []

    def cut(path, data, mode=0o644):
        if len(done) == step:
            raise KeyboardInterrupt
        done.append(path)
        real(path, data, mode)

    monkeypatch.setattr(rotation.files, "replace", cut)
    with pytest.raises(KeyboardInterrupt):
        rotation.switch(fleet, begun)
    monkeypatch.setattr(rotation.files, "replace", real)
    rotation.switch(fleet, rotation.under_way(fleet, "command"))
    assert fleet.public_key("command").hex() == begun.new
    assert signing.public_bytes(fleet.private_key("command")).hex() == begun.new
    kept = fleet.directory / "keys" / "retired" / f"command-{keys.key_id(bytes.fromhex(begun.old)).hex()}"
    assert signing.public_bytes(keyfiles.load_private(kept.with_suffix(".pem"))).hex() == begun.old


def test_a_file_that_says_nothing_of_use_is_named(backdrop):
    path = backdrop.fleet.directory / "keys" / "rotation-command.json"
    path.write_text(json.dumps({"role": "command"}))
    assert f"{path} is damaged" in failed("keys", "rotate", "command")
