"""New settings: what is taken, and that those that hold stay as they are until the boot record says otherwise."""

import json
import os
from binascii import b2a_base64

from srup import config, limits
from srup.errors import Refused, StorageError
from srup.settings import store
from srup.status import DATA_UNKNOWN
from srup_boot.record import NONE, other_copy
from tests.unit.bundles import flipped
from tests.unit.check import raises
from tests.unit.scratch import folder, read, write

DER = b"\x30\x82\x01\x00certificate"
BASE64 = b2a_base64(DER).decode().strip()


def root():
    path = folder()
    provisioned = {
        "uuid": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
        "board": "UNIX",
        "broker": {"host": "old", "port": 8883, "tls": True, "user": "me", "password": "secret"},
        "allow": ["old:8443"],
        "provisioned": 1,
        "wifi": [{"ssid": "old", "password": "12345678"}],
    }
    write(path + "/config.json", json.dumps(provisioned).encode())
    write(path + "/ca0.der", b"provisioned")
    return path


def put(path, active, **changes):
    """Store changes; the copy that they are in."""
    store(path, active, json.dumps(changes).encode())
    return other_copy(active)


def test_what_was_provisioned_holds_until_something_else_does():
    path = root()
    copy = put(path, NONE, broker={"host": "new"}, allow=["new:1"], wifi=[{"ssid": "new"}], ntp=["ntp"], trial_s=60)
    old, new = config.Config(path), config.Config(path, copy)
    assert (old.broker["host"], old.allow, old.trial_s) == ("old", ["old:8443"], limits.TRIAL_S)
    assert new.broker == {"host": "new", "port": 8883, "tls": True, "user": "me", "password": "secret"}
    assert (new.allow, new.wifi, new.ntp, new.trial_s) == (["new:1"], [{"ssid": "new"}], ["ntp"], 60)
    assert (new.uuid, new.provisioned) == (old.uuid, old.provisioned)


def test_changes_add_up_in_turn_and_leave_the_copy_that_holds_alone():
    path = root()
    active = put(path, NONE, broker={"host": "second"}, ca={"1": BASE64})
    held = read(config.path(path, active))
    copy = put(path, active, broker={"port": 1}, wifi=[])
    assert copy != active and read(config.path(path, active)) == held
    found = config.Config(path, copy)
    assert (found.broker["host"], found.broker["port"], found.wifi) == ("second", 1, [])
    assert found.authorities == [b"provisioned", DER]


def test_two_authorities_are_trusted_while_the_one_takes_the_place_of_the_other():
    path = root()
    both = put(path, NONE, ca={"1": BASE64})
    assert config.Config(path, both).authorities == [b"provisioned", DER]
    new = put(path, both, ca={"0": None})
    assert config.Config(path, new).authorities == [DER]
    assert config.Config(path).authorities == [b"provisioned"]


def test_what_is_not_of_the_form_is_refused_and_nothing_is_written():
    path = root()
    for value in (
        b"",
        b"[]",
        b"{}",
        b"7",
        b"\xff",
        b'{"uuid": "x"}',
        b'{"board": "OTHER"}',
        b'{"provisioned": 0}',
        b'{"wifi": {}}',
        b'{"wifi": [{"password": "x"}]}',
        b'{"broker": {"port": "x"}}',
        b'{"broker": {"port": true}}',
        b'{"broker": {"tls": 0}}',
        b'{"broker": {"path": "x"}}',
        b'{"allow": "x"}',
        b'{"allow": [1]}',
        b'{"trial_s": 1}',
        b'{"trial_s": 1e9}',
        b'{"ca": {"4": null}}',
        b'{"ca": {"0": "!"}}',
        b'{"ca": {"0": ""}}',
        b'{"ca": []}',
        b'{"wifi": [], "more": 1}',
        b"[" * 650,
        b"{1: 2}",  # to MicroPython's json these have names
        b'{"allow": [], null: 2}',
        b"{true: []}",
        b"{[1]: 2}",
        b'{"broker": {1: 2}}',
        b'{"ca": {0: null}}',
    ):
        refusal = raises(Refused, store, path, NONE, value)
        assert refusal.status == DATA_UNKNOWN, value
        assert config.changed(path, 0) == {}


def test_settings_that_would_fill_the_flash_are_refused():
    path = root()
    big = b2a_base64(b"\x30" + bytes(3 * 600)).decode().strip()
    copy = put(path, NONE, ca={"1": big})
    raises(Refused, lambda: put(path, copy, ca={"2": big}))


def test_a_flipped_bit_in_the_settings_is_noticed():
    path = root()
    copy = put(path, NONE, allow=["new:1"])
    good = read(config.path(path, copy))
    for bit in range(len(good) * 8):
        write(config.path(path, copy), flipped(good, bit))
        assert config.Config(path, copy).allow == ["old:8443"]


def test_settings_that_flash_does_not_take_are_no_settings():
    path = root()
    os.mkdir(config.path(path, 0))
    raises(StorageError, lambda: put(path, NONE, allow=["new:1"]))
    assert config.Config(path, 0).allow == ["old:8443"]
    os.rmdir(config.path(path, 0))
