"""Fuzz targets: frames in binary and in JSON, what auth and replay let through, and what a device says of itself."""

import json
from hashlib import sha256

from srup import auth, clock, keys, limits, p256, port, replay, store, tokens, trust, wire, wire_json
from srup.errors import BadSignature, Malformed, SrupError
from srup_host import inventory
from tests.unit.server import DEVICE, NOON, STRANGER

GROUP = bytes.fromhex("886313e13b8a53729b900c9aee199e5d")


def target_wire(data: bytes) -> None:
    try:
        found = wire.decode(data)
    except Malformed:
        return
    signed = wire.preimage(found.type, found.elements)
    assert wire.seal(signed, found.signature) == data, "one frame, one encoding"
    assert b"".join(found.signed_parts()) == signed
    try:
        wire.check_sizes(found)
    except Malformed:
        return
    assert len(data) <= limits.FRAME and len(found.signature) == limits.SIGNATURE


def seeds_wire() -> list[bytes]:
    values: dict[str, bytes | int] = {"target": DEVICE, "token": tokens.first_at(NOON), "status": 0, "action": 1}
    found = []
    for kind, (_, names) in wire.TYPES.items():
        elements = {name: values.get(name, b"x" * wire.SIZES.get(name, (1,))[0]) for name in names}
        found.append(wire.seal(wire.preimage(kind, elements), bytes(64)))
    return found


def target_json(data: bytes) -> None:
    """Text of a poll's answer; or, behind a 0, a frame that is to go out in JSON."""
    if data[:1] == b"\0":
        _json_of(data[1:])
        return
    try:
        found = wire_json.flat_object(data)
    except Malformed:
        return
    pairs = json.loads(data.decode(), object_pairs_hook=list)
    assert pairs == list(found.items()), "another reader of JSON reads the same"
    try:
        frame = wire_json.decode(data)
    except Malformed:
        return
    assert wire_json.decode(wire_json.encode(frame).encode()) == frame


def _json_of(frame: bytes) -> None:
    try:
        text = wire_json.encode(frame)
    except Malformed:
        return
    assert wire_json.decode(text.encode()) == frame
    assert json.loads(text)["type"] == frame[1]


def seeds_json() -> list[bytes]:
    frames = seeds_wire()
    odd = [b'{"url":"\\u00e9\\n\\"\\\\","type" : 1 }', b'{"nonce":"AAAA"}']
    return [wire_json.encode(frame).encode() for frame in frames] + [b"\0" + frame for frame in frames] + odd


# Steps 3 and 4. ECDSA has vectors and cross-checks of its own; here a hash takes its place, which leaves time for the rest.

PUBLIC = {role: p256.public_key(sha256(bytes((role,))).digest()) for role in keys.ROLES}
ROLE_OF = {keys.key_id(public): role for role, public in PUBLIC.items()}
ROLE_OF_PUBLIC = {public: role for role, public in PUBLIC.items()}
STRANGE = p256.public_key(sha256(b"strange").digest())
TARGETS = (DEVICE, GROUP, STRANGER, b"")
DATA_NAMES = (b"keys", b"clock", b"settings", b"confirm", b"groups", b"x")


def stand_in(public: bytes, digest: bytes) -> bytes:
    r, s = sha256(b"r" + public + digest).digest(), sha256(b"s" + public + digest).digest()
    return r + bytes((s[0] & 0x3F,)) + s[1:]


def _verify(public, digest, signature, table=None):
    if signature != stand_in(bytes(public), digest):
        raise BadSignature("does not match")


class Table:
    """Store's table and records, without its files, which have a campaign of their own."""

    def __init__(self, table: dict[bytes, bytes], damaged: bool = False):
        self.table = dict(table)
        self.damaged = damaged

    def get(self, key):
        return self.table.get(key)

    def items(self, prefix):
        return sorted(item for item in self.table.items() if item[0].startswith(prefix))

    def put(self, changes):
        payload = store._payload(changes)
        assert len(payload) <= store._RECORD, "a record that the state log would not take"
        store._apply(self.table, payload, set())


def _provisioned() -> dict[bytes, bytes]:
    made = Table({})
    for role, public in PUBLIC.items():
        trust.install(made, role, public, tokens.first_at(NOON - 86_400_000))
    return made.table


PROVISIONED = _provisioned()


class Story:
    """A device, and an attacker who has some signed frames, and the bytes of the input to make something of them."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0
        self.store = Table(PROVISIONED)
        self.now: int | None = NOON
        self.staged: tuple[bytes, bytes] | None = None
        self.genuine: dict[bytes, int] = {}  # frame: role of the key that signed it
        self.sent: list[bytes] = []
        self.admitted: set[bytes] = set()
        self.open: set[bytes] = set()
        self.start()

    def start(self) -> None:
        port.clock_is_set, port.now_ms = (lambda: self.now is not None), (lambda: self.now or 0)
        trusted = keys.Keys(self.store, "/nowhere")
        trusted.table = lambda public: None
        self.auth = auth.Auth(trusted, DEVICE, lambda: (GROUP,))
        self.clock = clock.Clock(self.store, NOON - 86_400_000)
        self.replay = replay.Replay(self.store, trusted, self.clock, lambda: self.staged, lambda: None)

        left = [self.replay.command(entry).frame for entry in self.replay.received()]
        assert set(left) <= self.open, "what a power cut left open is what was not done"

    def lose(self, which: int) -> None:
        """Both copies of the state log have lost records: highest tokens, frames. What is then refused is all up to the newest
        time that is known; the server's own clock must have been wrong for a token to be beyond that."""
        known = max(self.clock.floor(), self.now + limits.AHEAD if self.now else 0)
        self.admitted = {frame for frame in self.admitted if tokens.milliseconds(self.token_of(frame)) <= known}
        lost = [entry for entry in self.store.table if entry[:1] in b"TX"][which & 3 :]
        kept = {entry: value for entry, value in self.store.table.items() if entry not in lost}
        self.store = Table(kept, True)
        self.staged = None
        self.start()
        self.store.damaged = False

    def token_of(self, frame: bytes) -> bytes:
        return wire.decode(frame).elements["token"]

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at].ljust(count, b"\0")

    def byte(self) -> int:
        return int.from_bytes(self.take(1), "big")

    def run(self) -> None:
        while self.at < len(self.data):
            step = self.byte()
            if step < 160:
                self.receive(self.signed(step))
            elif step < 200 and self.sent:
                self.receive(self.sent[step % len(self.sent)])
            elif step < 220 and self.sent:
                self.receive(self.bent(self.sent[step % len(self.sent)]))
            elif step < 235:
                self.receive(self.take(self.byte()))
            elif step < 245:
                self.lose(self.byte()) if step > 240 else self.start()
            else:
                self.now = None if step == 255 else NOON + (self.byte() - 128) * 3_600_000

    def signed(self, step: int) -> bytes:
        kind = sorted(wire.TYPES)[step % len(wire.TYPES)]
        signer = (*PUBLIC.values(), STRANGE)[self.byte() % 4]
        choice = self.byte()
        ms = NOON + (self.byte() - 128) * 3_600_000 * (choice >> 4)
        token = self.staged[0] if choice & 8 and self.staged else tokens.mint(ms, tokens.ZERO, self.take(1) * 8)
        values = {"target": TARGETS[choice & 3], "token": token, "name": DATA_NAMES[choice % 6]}
        values |= {"status": 0, "action": choice, "url": b"https://h/x", "digest": bytes(32), "public_key": STRANGE}
        signed = wire.preimage(kind, {name: values.get(name, self.data[:9]) for name in wire.TYPES[kind][1]})
        frame = wire.seal(signed, stand_in(signer, sha256(signed).digest()))
        if signer in ROLE_OF_PUBLIC:
            self.genuine[frame] = ROLE_OF_PUBLIC[signer]
        self.sent.append(frame)
        return frame

    def bent(self, frame: bytes) -> bytes:
        at, mask = self.byte() % len(frame), self.byte()
        return frame[:at] + bytes((frame[at] ^ mask,)) + frame[at + 1 :]

    def receive(self, frame: bytes) -> None:
        before = dict(self.store.items(b"T"))
        record, floor = dict(self.store.table), self.clock.floor()
        try:
            command = self.replay.admit(self.auth.authenticate(wire.decode(frame)))
        except SrupError as error:
            assert error.reason in ("malformed", "target", "signature", "throttled", "refused", "repeated")
            assert self.store.table == record, "what is refused changes nothing"
            return
        self.check(frame, command, before)
        assert floor <= self.clock.floor() <= floor + limits.FLOOR_STEP
        self.open.add(frame)
        if self.byte() & 3:
            self.store.put(command.done())
            self.open.remove(frame)
        if command.type == wire.INITIATE:
            self.staged = (command.token, command.key_id)
        elif command.type == wire.ACTIVATE:
            self.staged = None

    def check(self, frame: bytes, command: replay.Command, before: dict[bytes, bytes]) -> None:
        assert self.genuine.get(frame) == ROLE_OF[command.key_id], "nothing is obeyed that its key has not signed"
        privileged = command.type == wire.DATA and command.element("name") in (b"keys", b"clock", b"settings")
        assert ROLE_OF[command.key_id] == (keys.AUTHORITY if privileged else keys.COMMAND)
        assert command.target in (DEVICE, GROUP)
        assert frame not in self.admitted, "a frame is obeyed once"
        self.admitted.add(frame)
        after = dict(self.store.items(b"T"))
        if command.type == wire.ACTIVATE:
            assert self.staged == (command.token, command.key_id) and after == before
        else:
            entry = b"T" + command.key_id + command.target
            assert after[entry] == command.token > before.get(entry, b"")
        assert all(after[entry] >= token for entry, token in before.items()), "the highest token never falls"
        assert len(self.store.items(b"X")) <= 2 * (limits.TRANSACTIONS + limits.OUTBOX)


def target_replay(data: bytes) -> None:
    real = p256.verify, port.clock_is_set, port.now_ms
    p256.verify = _verify
    try:
        Story(data).run()
    finally:
        p256.verify, port.clock_is_set, port.now_ms = real


def seeds_replay() -> list[bytes]:
    initiate, activate, data = b"\x00\x00\x10\x80\x01", b"\x02\x00\x08\x80\x02", b"\x04\x02\x12\x81\x03"
    return [
        initiate + activate,
        initiate + b"\xa0" + activate + b"\xf0\xa1",
        data + b"\xff" + initiate + b"\xc8\x05\x01",
    ]


def target_inventory(data: bytes) -> None:
    """What a malicious device may sign: the server reads it, or says that it can't, and people are shown it."""
    try:
        told = inventory.read(data)
    except ValueError:
        return
    assert all(isinstance(text, str) for row in inventory.rows(told) for text in row)
    json.dumps(told)


def seeds_inventory() -> list[bytes]:
    slot = ["demo", "1.0", 5, "AAAA"]
    told = {"slot": "a", "a": slot, "b": slot, "latest": {"AAAA": 0}, "refused": {"malformed": 1}, "counter": 1}
    told |= {
        "board": "UNIX",
        "mp": "1.25",
        "clock": NOON,
        "set": 1,
        "nonce": "AAAA",
        "data": ["d", "1", "AAAA"],
        "up": 9,
    }
    return [json.dumps(told).encode(), json.dumps({"slot": "", "latest": {}}).encode()]
