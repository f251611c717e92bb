"""Devices that ask to join: kept until a person has compared six words, or let in by a voucher (protocol.md, section 6).

    joins/<uuid>.json     one that waits: uuid, public_key (hex), description, at (ms since 1970), token (hex), and of one that the
                          fleet has already: known, and first, the person who has compared its words
    vouchers.json         {id: {secret (hex), name, until (ms since 1970)}}, 0600; each is good once

Whoever can reach the broker can send a JOIN_REQUEST: how many are looked at, before any signature is, and how many are kept is
bounded. One for a UUID that the fleet knows is an alarm. With another key than the one that is known it goes no further. With the
same, for it may be that the device has left and the server does not know (a backup that was restored), it takes two persons; or
one who has the fleet's own directory, and says by its name which device it is that comes back. The key stays in any case.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from srup import tokens, wire
from srup.errors import BadSignature, InvalidKey, Malformed
from srup_host import console, files, signing, words
from srup_host.console import Failure
from srup_host.fleet import NAME, Device, Fleet
from srup_host.ledger import Ledger
from srup_host.receiving import Event, Kind
from srup_host.server import audit
from srup_host.server.errors import TooMany
from srup_host.server.rates import Rate
from srup_host.tables import Sent

MOST = 1_000  # that wait
VOUCHER_MS = 24 * 3_600_000
_BURST, _EACH_S = 50, 0.2  # looked at: so many at once, and then one each
_SECRET = 16


@dataclass(frozen=True)
class Waiting:
    uuid: str
    public_key: str
    description: str
    at: int
    token: str
    known: bool = False
    first: str = ""

    @property
    def target(self) -> bytes:
        return uuid.UUID(self.uuid).bytes

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.public_key)

    @property
    def words(self) -> str:
        return words.of(self.target, self.key)


class Joins:
    """now: the clock, ms since 1970."""

    def __init__(self, fleet: Fleet, ledger: Ledger, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000):
        self._fleet = fleet
        self._ledger = ledger
        self._now = now
        self._folder = fleet.directory / "joins"
        self._rate = Rate(_BURST, _EACH_S)

    # What comes on srup/join

    def received(self, frame: bytes) -> tuple[Event, Sent | None]:
        """Judge it; and the JOIN_COMMAND that is to be sent, where a voucher lets the device in."""
        try:
            self._rate.check("join")
            unverified = wire.decode(frame)
            wire.check_sizes(unverified)
            device = str(uuid.UUID(bytes=unverified.elements["target"]))
            if unverified.type == wire.JOIN_REQUEST:
                return self._asked(device, unverified), None
            if unverified.type == wire.DATA and unverified.elements["name"] == b"voucher":
                return self._vouched(device, unverified)
            raise Malformed(f"{wire.TYPES[unverified.type][0]} from a device that is in no fleet")
        except (Malformed, BadSignature, InvalidKey, Failure, TooMany, KeyError) as error:
            return Event(Kind.REFUSED, "", why=str(error) or "too many at once", size=len(frame)), None

    def _asked(self, device: str, unverified: wire.Unverified) -> Event:
        elements = unverified.elements
        token, key = elements["token"], elements["public_key"]
        if not tokens.is_token(token) or elements["target"][6] >> 4 != 4:
            raise Malformed("no UUIDv7 for a token, or no UUIDv4 for a device")
        before = self._find(device)
        if before is None and len(list(self._folder.glob("*.json"))) >= MOST:
            raise Failure(f"{MOST} devices wait already")
        signing.verify_frame(key, unverified)
        known = self._fleet.known_key(device)
        if known and known != key:
            return self._alarm(device, token, "another key", unverified)
        if before and before.key != key:
            return self._alarm(device, token, "asks to join with another key than the one that waits", unverified)
        if not self._is_new(device, token, before):
            return Event(Kind.DUPLICATE, device, token, name="JOIN_REQUEST")
        self._folder.mkdir(mode=0o700, exist_ok=True)
        description = console.printable(elements["description"].decode("utf-8", "replace"))
        first = before.first if before else ""  # of the same key, and so of the same words
        waiting = Waiting(device, key.hex(), description, self._now(), token.hex(), self._fleet.has(device), first)
        self._write(waiting)
        if waiting.known:
            return self._alarm(device, token, "asks to join, and is in the fleet", unverified)
        return Event(Kind.REQUEST, device, token, name="JOIN_REQUEST")

    def _write(self, waiting: Waiting) -> None:
        path = self._folder / f"{waiting.uuid}.json"
        files.replace(path, json.dumps(asdict(waiting), indent=1).encode() + b"\n")

    def _is_new(self, device: str, token: bytes, before: Waiting | None) -> bool:
        """The device's own tokens put its frames in order: one from before it left is a replay."""
        heard = self._ledger.heard_token(device)
        return token > heard and (before is None or token.hex() > before.token)

    def _vouched(self, device: str, unverified: wire.Unverified) -> tuple[Event, Sent | None]:
        waiting, elements = self._find(device), unverified.elements
        if waiting is None:
            raise Failure("a voucher of a device that does not ask to join")
        if waiting.known:
            raise Failure("a voucher of a device that is in the fleet: that takes two persons")
        signing.verify_frame(waiting.key, unverified)
        token = elements["token"]
        if token.hex() <= waiting.token:
            return Event(Kind.DUPLICATE, device, token, name="voucher"), None
        message = b"SRUP-voucher" + waiting.target + token + waiting.key
        vouchers = self._vouchers()
        for identity, voucher in vouchers.items():
            secret = bytes.fromhex(voucher["secret"])
            if hmac.compare_digest(hmac.digest(secret, message, hashlib.sha256), elements["value"]):
                del vouchers[identity]
                self._keep(vouchers)  # first: it is good once, whatever comes now
                with audit.acting(f"voucher:{identity}"):
                    _, sent = self.accept(device, voucher["name"] or f"{waiting.uuid[:8]}")
                return Event(Kind.REQUEST, device, token, name="voucher"), sent
        raise Failure("a voucher that is not good, or not any more")

    def _alarm(self, device: str, token: bytes, why: str, unverified: wire.Unverified) -> Event:
        """Its own key has signed the frame; whether that is the device's is another question."""
        own = self._fleet.known_key(device) == unverified.elements["public_key"]
        with audit.acting(f"device:{device}" if own else "stranger"):
            self._ledger.alarm(device, why, unverified.frame)
        return Event(Kind.ALARM, device, token, why=why, size=len(unverified.frame))

    # What a person does

    def waiting(self) -> list[Waiting]:
        """The oldest first."""
        found = [_read(path) for path in self._folder.glob("*.json")]
        return sorted(found, key=lambda one: one.at)

    def one(self, text: str) -> Waiting:
        """By its UUID, or how that begins."""
        found = [one for one in self.waiting() if one.uuid.startswith(text.lower())]
        if len(found) != 1:
            raise Failure(f"{len(found)} devices that wait have a UUID that begins with {text!r}", "srup join list")
        return found[0]

    def accept(self, device: str, name: str, person: str = "", again: str = "") -> tuple[Device, Sent]:
        """Let it in: from here on it is one of the fleet, and is told so. person: who has compared the words, see `compared` · again: the
        name of the device of the fleet that it is. Raises Failure, also where such a one takes another person."""
        waiting = self.one(device)
        if waiting.known and self._fleet.has(waiting.uuid):
            self._check_known(waiting, person, again)
        if not NAME.fullmatch(name):
            raise Failure(f"{name!r} is no device name", "1 to 32 of A-Z a-z 0-9 . _ -")
        if self._fleet.has(waiting.uuid):  # an attempt that came no further; its key is never replaced
            member = self._fleet.device(waiting.uuid)
            if member.key != waiting.key:
                raise Failure(f"{waiting.uuid} is in the fleet with another key", "srup join refuse")
        else:
            member = self._fleet.take_in(waiting.uuid, name, waiting.description.partition(",")[0], waiting.key)
        self._ledger.note_token(member, bytes.fromhex(waiting.token))
        sent = self._ledger.join_command(member)
        (self._folder / f"{waiting.uuid}.json").unlink(missing_ok=True)
        return member, sent

    def _check_known(self, waiting: Waiting, person: str, again: str) -> None:
        name = self._fleet.device(waiting.uuid).name
        if again == name or (person and waiting.first and person != waiting.first):
            return
        if not person:
            raise Failure(
                f"{waiting.uuid} is in the fleet already, as {name}: did it leave, unheard?", f"if so: --again {name}"
            )
        raise Failure(f"it is in the fleet already, as {name}: that takes two persons", "another one says the same now")

    def compared(self, device: str, person: str) -> None:
        """Before `accept`, and in a transaction of its own, for that one fails: this person has compared the words. Kept of the first
        of two persons, where the device takes two; nothing for any other device. Raises Failure."""
        with self._ledger.together() as session:
            waiting = self.one(device)
            if not waiting.known or not self._fleet.has(waiting.uuid) or waiting.first:
                return
            audit.append(session, self._now(), "join compared", waiting.uuid, {"words": waiting.words})
            self._write(replace(waiting, first=person))

    def refuse(self, device: str) -> Waiting:
        """Forget it. Raises Failure where it does not wait."""
        waiting = self.one(device)
        with self._ledger.together() as session:
            audit.append(session, self._now(), "join refused", waiting.uuid)
            (self._folder / f"{waiting.uuid}.json").unlink(missing_ok=True)
        return waiting

    def _find(self, device: str) -> Waiting | None:
        path = self._folder / f"{device}.json"
        return _read(path) if path.is_file() else None

    # Vouchers

    def make_voucher(self, name: str = "") -> tuple[str, int]:
        """(32 hex digits, until when it is good, ms since 1970). name: of the device that uses it."""
        if name and not NAME.fullmatch(name):
            raise Failure(f"{name!r} is no device name", "1 to 32 of A-Z a-z 0-9 . _ -")
        secret, until = secrets.token_hex(_SECRET), self._now() + VOUCHER_MS
        identity = secrets.token_hex(4)
        with self._ledger.together() as session:  # or one that is used meanwhile would come back
            told = {"name": name, "until": until}
            audit.append(session, self._now(), "voucher made", f"voucher:{identity}", told)
            self._keep(self._vouchers() | {identity: {"secret": secret, **told}})
        return secret, until

    def void_vouchers(self) -> None:
        """None is good any more, whoever has it."""
        (self._fleet.directory / "vouchers.json").unlink(missing_ok=True)

    def _vouchers(self) -> dict[str, dict[str, str]]:
        path = self._fleet.directory / "vouchers.json"
        try:
            kept = json.loads(files.read(path)) if path.exists() else {}
            return {identity: one for identity, one in kept.items() if int(one["until"]) > self._now()}
        except (ValueError, TypeError, KeyError):
            raise Failure(f"{path} is damaged", "remove it: new vouchers are made") from None

    def _keep(self, vouchers: dict[str, dict[str, object]] | dict[str, dict[str, str]]) -> None:
        files.replace(self._fleet.directory / "vouchers.json", json.dumps(vouchers, indent=1).encode() + b"\n", 0o600)


def _read(path: Path) -> Waiting:
    try:
        found = Waiting(**json.loads(files.read(path)))
        if found.uuid != path.stem or not re.fullmatch(r"04[0-9a-f]{128}", found.public_key):
            raise ValueError
        return found
    except (ValueError, TypeError):
        raise Failure(f"{path} describes no device that waits", "remove it: it asks again") from None
