"""Two keys: what a stolen command key, a withheld frame or a copied proof can't do."""

from binascii import unhexlify
from hashlib import sha256

from srup import keys, p256, second, trust, wire
from srup.errors import BadSignature
from srup.store import Store
from tests.unit.check import raises
from tests.unit.scratch import folder
from tests.unit.server import DEVICE, STRANGER, Key

COMMAND, AUTHORITY, OLD_AUTHORITY = Key("command"), Key("authority"), Key("old authority")
NONCE = unhexlify("000102030405060708090a0b0c0d0e0f")
TOKEN = unhexlify("01a0c5c7e800700080010000000000aa")
GROUP = unhexlify("886313e13b8a53729b900c9aee199e5d")
TURN_OFF, SELF_DESTRUCT = 4, 7

# Written out by hand from protocol.md, Two keys: label, version, type, L16 target, L16 token, action, L16 own parameters, nonce.
SIGNED = unhexlify(
    "535255502d7365636f6e642d3100" + "01" + "04"
    "00106ba7b8109dad41d180b400c04fd430c8"
    "001001a0c5c7e800700080010000000000aa" + "07"
    "0003616263" + "000102030405060708090a0b0c0d0e0f"
)  # fmt: skip


class Command:
    def __init__(self, kind=wire.ACTION, target=DEVICE, token=TOKEN):
        self.type, self.target, self.token = kind, target, token


def trusted():
    store = Store(folder() + "/log")
    for role, key in ((keys.COMMAND, COMMAND), (keys.AUTHORITY, AUTHORITY), (keys.AUTHORITY, OLD_AUTHORITY)):
        trust.install(store, role, key.public, bytes(16))
    return keys.Keys(store, "")


def proof(key=AUTHORITY, signed=SIGNED):
    return NONCE + p256.sign(key.private, sha256(signed).digest())


def check(given, nonce=NONCE, command=None, action=SELF_DESTRUCT, own=b"abc"):
    second.check(trusted(), DEVICE, nonce, command or Command(), action, own, given)


def test_the_bytes_that_are_signed_are_those_of_the_protocol():
    assert second.signed(wire.ACTION, DEVICE, TOKEN, SELF_DESTRUCT, b"abc", NONCE) == SIGNED


def test_either_authority_key_is_the_second_and_no_other_is():
    check(proof())
    check(proof(OLD_AUTHORITY))
    for key in (COMMAND, Key("stranger")):
        raises(BadSignature, check, proof(key))


def test_a_proof_is_for_one_device_one_token_one_action_one_parameter():
    good = proof()
    raises(BadSignature, check, good, NONCE, Command(token=TOKEN[:-1] + b"\xab"))
    raises(BadSignature, check, good, NONCE, Command(kind=wire.DEREGISTER_COMMAND))
    raises(BadSignature, check, good, NONCE, None, TURN_OFF)
    raises(BadSignature, check, good, NONCE, None, SELF_DESTRUCT, b"abd")
    elsewhere = second.signed(wire.ACTION, STRANGER, TOKEN, SELF_DESTRUCT, b"abc", NONCE)
    raises(BadSignature, check, proof(signed=elsewhere))


def test_a_withheld_command_dies_at_the_next_start():
    raises(BadSignature, check, proof(), bytes(16))
    raises(BadSignature, check, bytes(16) + proof()[16:], bytes(16))


def test_without_a_nonce_of_its_own_a_device_takes_no_proof():
    signed = second.signed(wire.ACTION, DEVICE, TOKEN, SELF_DESTRUCT, b"abc", b"")
    signature = p256.sign(AUTHORITY.private, sha256(signed).digest())
    raises(BadSignature, check, signature, b"")
    raises(BadSignature, check, bytes(16) + signature, b"")


def test_a_group_is_never_ordered_what_takes_two_keys():
    signed = second.signed(wire.ACTION, GROUP, TOKEN, SELF_DESTRUCT, b"abc", NONCE)
    raises(BadSignature, check, proof(signed=signed), NONCE, Command(target=GROUP))


def test_a_proof_that_is_cut_short_or_has_more_is_none():
    good = proof()
    for given in (b"", good[:16], good[:-1], good + b"\0", NONCE + bytes(64)):
        raises(BadSignature, check, given)


def test_parameters_end_with_the_proof():
    assert second.split(b"abc" + proof()) == (b"abc", proof())
    assert second.split(proof()) == (b"", proof())
    raises(BadSignature, second.split, proof()[:-1])
