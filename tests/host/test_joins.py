"""Who asks to join: what is kept, what is an alarm, what a person or a voucher lets in."""

import contextlib
import hashlib
import hmac
import os
import uuid

import pytest

from srup import tokens, wire
from srup_host import init, joins, keyfiles, signing, words
from srup_host.console import Failure
from srup_host.joins import Joins
from srup_host.ledger import Ledger
from srup_host.receiving import Kind
from tests.host.fake_device import NOW
from tests.host.shell import failed, srup


class Asking:
    """A device that is in no fleet."""

    def __init__(self, identity=None):
        self.key = keyfiles.generate()
        self.public = signing.public_bytes(self.key)
        self.uuid = identity or str(uuid.uuid4())
        self.target = uuid.UUID(self.uuid).bytes
        self._last = tokens.ZERO

    def token(self):
        self._last = tokens.mint(NOW, self._last, os.urandom(8))
        return self._last

    def request(self, key=None, public=None, target=None, description=b"UNIX, agent 0.1.0", token=None):
        elements = {"target": target or self.target, "token": token or self.token()}
        elements |= {"public_key": public or self.public, "description": description}
        return signing.sign_frame(key or self.key, wire.JOIN_REQUEST, elements)

    def voucher(self, secret, token=None):
        token = token or self.token()
        value = hmac.digest(secret, b"SRUP-voucher" + self.target + token + self.public, hashlib.sha256)
        elements = {"target": self.target, "token": token, "name": b"voucher", "value": value}
        return signing.sign_frame(self.key, wire.DATA, elements)


class Clock:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def fleet(tmp_path, monkeypatch):
    made = init.create(tmp_path / "fleet", "home")
    monkeypatch.setenv("SRUP_FLEET", str(made.directory))
    return made


@pytest.fixture
def waiting(fleet, clock, monkeypatch):
    monkeypatch.setattr(joins, "_BURST", 10_000)
    ledger = Ledger(fleet, clock)
    yield Joins(fleet, ledger, clock)
    ledger.close()


def kind(waiting, frame):
    return waiting.received(frame)[0].kind


def test_a_person_compares_six_words_and_the_device_is_in(fleet, waiting):
    shed = Asking()
    assert kind(waiting, shed.request()) is Kind.REQUEST and fleet.devices() == []
    (listed,) = srup("join", "list", "--json").json
    assert listed["words"] == words.of(shed.target, shed.public) and listed["description"] == "UNIX, agent 0.1.0"
    member, sent = waiting.accept(shed.uuid, "shed")
    assert (member.key, member.board, fleet.device("shed").uuid) == (shed.public, "UNIX", shed.uuid)
    assert wire.TYPES[sent.type][0] == "JOIN_COMMAND" and waiting.waiting() == []


def test_words_that_differ_let_nobody_in(fleet, waiting):
    shed = Asking()
    waiting.received(shed.request())
    other = words.of(shed.target, Asking().public)
    assert "not the words" in failed("join", "accept", shed.uuid[:8], *other.split(), code=1)
    assert fleet.devices() == [] and len(waiting.waiting()) == 1


def test_a_request_that_is_not_its_own_key_s_is_refused(waiting):
    shed, thief = Asking(), Asking()
    for frame in (
        shed.request(key=thief.key),
        shed.request(target=b"\x11" * 6 + b"\x51" + b"\x11" * 9),  # a group's
        shed.request()[:-1],
        shed.request(token=b"x" * 16),
        b"",
    ):
        assert kind(waiting, frame) is Kind.REFUSED
    assert waiting.waiting() == []


def test_one_that_is_known_is_an_alarm_and_its_key_stays(fleet, waiting):
    shed = Asking()
    waiting.received(shed.request())
    waiting.accept(shed.uuid, "shed")
    thief = Asking(shed.uuid)
    assert kind(waiting, thief.request()) is Kind.ALARM
    assert fleet.device("shed").key == shed.public and waiting.waiting() == []


def test_one_that_left_unheard_is_an_alarm_and_takes_two_persons_or_the_name_that_it_has(fleet, waiting):
    """The server was restored from a backup in which it still is a member."""
    shed = Asking()
    waiting.received(shed.request())
    waiting.accept(shed.uuid, "shed")
    before = fleet.devices()
    secret = bytes.fromhex(waiting.make_voucher()[0])
    assert kind(waiting, shed.request()) is Kind.ALARM
    assert kind(waiting, shed.voucher(secret)) is Kind.REFUSED, "no person at all"
    with pytest.raises(Failure, match="is in the fleet already, as shed"):
        waiting.accept(shed.uuid, "shed")
    for person in ("account:anna", "account:anna"):  # one is not two
        waiting.compared(shed.uuid, person)
        assert kind(waiting, shed.request()) is Kind.ALARM, (
            "with each connection, and the first person is not forgotten"
        )
        with pytest.raises(Failure, match="takes two persons"):
            waiting.accept(shed.uuid, "other", person)
    member, sent = waiting.accept(shed.uuid, "other", "account:bert")
    assert [member] == before == fleet.devices() and wire.TYPES[sent.type][0] == "JOIN_COMMAND"
    assert kind(waiting, shed.request()) is Kind.ALARM
    with pytest.raises(Failure, match="in the fleet already"):
        waiting.accept(shed.uuid, "shed", again="hut")
    assert waiting.accept(shed.uuid, "shed", again="shed")[0] == before[0]


def test_of_two_that_claim_a_uuid_the_first_waits_and_the_second_is_an_alarm(waiting):
    shed = Asking()
    waiting.received(shed.request())
    thief = Asking(shed.uuid)
    thief._last = shed._last
    assert kind(waiting, thief.request()) is Kind.ALARM
    assert [one.key for one in waiting.waiting()] == [shed.public]


def test_one_that_has_left_comes_back_with_the_key_that_it_had_and_a_replay_brings_nobody_back(fleet, waiting):
    shed = Asking()
    first = shed.request()
    waiting.received(first)
    waiting.accept(shed.uuid, "shed")
    fleet.retire(shed.uuid)
    assert fleet.devices() == []
    assert kind(waiting, first) is Kind.DUPLICATE and waiting.waiting() == []
    assert kind(waiting, Asking(shed.uuid).request()) is Kind.ALARM
    assert kind(waiting, shed.request()) is Kind.REQUEST
    assert waiting.accept(shed.uuid, "shed")[0].key == shed.public


def test_a_thousand_wait_and_no_more_and_none_twice(waiting, monkeypatch):
    monkeypatch.setattr(joins, "MOST", 3)
    asking = [Asking() for _ in range(4)]
    kinds = [kind(waiting, one.request()) for one in asking]
    assert kinds == [Kind.REQUEST] * 3 + [Kind.REFUSED]
    assert kind(waiting, asking[0].request()) is Kind.REQUEST and len(waiting.waiting()) == 3


def test_a_flood_is_turned_away_before_any_signature_is_looked_at(fleet, clock, monkeypatch):
    ledger = Ledger(fleet, clock)
    waiting = Joins(fleet, ledger, clock)
    looked = []
    monkeypatch.setattr(joins.signing, "verify_frame", lambda key, frame: looked.append(key))
    shed = Asking()
    frames = [shed.request() for _ in range(3)] * 50
    looked.clear()
    for frame in frames:
        waiting.received(frame)
    assert len(looked) <= joins._BURST + 10
    ledger.close()


def test_a_voucher_lets_one_device_in_once_and_for_a_day(fleet, waiting, clock):
    secret = bytes.fromhex(waiting.make_voucher("shed")[0])
    shed, other = Asking(), Asking()
    assert kind(waiting, shed.voucher(secret)) is Kind.REFUSED  # it has not asked
    for one in (shed, other):
        waiting.received(one.request())
    assert kind(waiting, shed.voucher(b"x" * 16)) is Kind.REFUSED
    event, sent = waiting.received(shed.voucher(secret))
    assert event.kind is Kind.REQUEST and sent.device == shed.uuid and fleet.device("shed").key == shed.public
    assert kind(waiting, other.voucher(secret)) is Kind.REFUSED
    late = bytes.fromhex(waiting.make_voucher()[0])
    clock.now += joins.VOUCHER_MS + 1
    assert kind(waiting, other.voucher(late)) is Kind.REFUSED
    assert [one.name for one in fleet.devices()] == ["shed"]


def test_who_is_refused_is_forgotten_and_may_ask_again(waiting):
    shed = Asking()
    waiting.received(shed.request())
    srup("join", "refuse", shed.uuid)
    assert waiting.waiting() == []
    assert "devices that wait" in failed("join", "refuse", shed.uuid)
    assert kind(waiting, shed.request()) is Kind.REQUEST


def test_a_voucher_that_is_used_while_another_is_made_is_good_once(fleet, waiting):
    secret, _ = waiting.make_voucher()
    together = waiting._ledger.together
    shed = Asking()
    waiting.received(shed.request())

    @contextlib.contextmanager
    def taken_first():  # somebody else has the lock
        waiting._ledger.together = together
        assert waiting.received(shed.voucher(bytes.fromhex(secret)))[1]
        with together() as session:
            yield session

    waiting._ledger.together = taken_first
    waiting.make_voucher("other")
    assert [one["name"] for one in waiting._vouchers().values()] == ["other"]


def test_a_voucher_is_shown_once_and_kept_from_others(fleet):
    made = srup("voucher", "make", "--name", "shed", "--json").json
    assert len(bytes.fromhex(made["voucher"])) == 16
    assert (fleet.directory / "vouchers.json").stat().st_mode & 0o077 == 0


def test_the_words_are_those_of_bip_39():
    """https://github.com/bitcoin/bips/blob/master/bip-0039/english.txt: its first, its last, and the hash of all."""
    listed = words.all_words()
    assert (len(listed), listed[0], listed[2047]) == (2048, "abandon", "zoo")
    digest = hashlib.sha256(b"SRUP-join" + bytes(16) + bytes(65)).digest()
    bits = f"{int.from_bytes(digest, 'big'):0256b}"
    assert words.of(bytes(16), bytes(65)).split() == [listed[int(bits[at : at + 11], 2)] for at in range(0, 66, 11)]


def test_a_list_that_was_changed_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "list.txt"
    path.write_text("abandon\n" * 2048)
    monkeypatch.setattr(words, "_LIST", path)
    words.all_words.cache_clear()
    with pytest.raises(Failure, match="is not the BIP-39 list"):
        words.all_words()
    words.all_words.cache_clear()
