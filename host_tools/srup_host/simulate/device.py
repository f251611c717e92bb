"""What a simulated device makes of a frame: the device package's own steps, over a flash that is memory."""

import json
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from srup import groups as members
from srup import inventory, keys, second, status, tokens, trust, update, wire
from srup.auth import Auth
from srup.clock import Clock
from srup.errors import BadSignature, Refused, Repeated, SrupError
from srup.replay import Command, Replay, groups
from srup_host import actions, signing
from srup_host.fleet import Fleet
from srup_host.simulate import ways
from srup_host.simulate.cards import BOARD, Card

Fetch = Callable[[str, bytes], Awaitable[dict[str, Any] | int]]  # url, digest -> manifest, or the status of a failure


class Memory:
    """As srup.store.Store, without a file below it."""

    damaged = False

    def __init__(self) -> None:
        self._table: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self._table.get(key)

    def items(self, prefix: bytes) -> list[tuple[bytes, bytes]]:
        return sorted(item for item in self._table.items() if item[0].startswith(prefix))

    def put(self, changes: Mapping[bytes, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                self._table.pop(key, None)
            else:
                self._table[key] = value


class _Keys(keys.Keys):
    """public_key: the device's own."""

    def __init__(self, store: Memory, public_key: bytes):
        super().__init__(store, "")
        self._own = public_key

    def own(self) -> list[bytes]:
        return [self._own]


class SimulatedDevice:
    """`take` a frame, acknowledge it, and send what is in `outbox`; where `restarting` is set then, connect anew and `start`.

    way: of `ways` · fetch: has a bundle downloaded.
    """

    def __init__(self, card: Card, fleet: Fleet, way: str, fetch: Fetch):
        self.card = card
        self.state = update.IDLE
        self.restarting = False
        self._way = way
        self._fetch = fetch
        self._key = card.private_key()
        self._target = fleet.device(card.uuid).target
        self._store = Memory()
        self._trusted = trusted = _Keys(self._store, signing.public_bytes(self._key))
        for role, number in (("command", keys.COMMAND), ("release", keys.RELEASE), ("authority", keys.AUTHORITY)):
            trust.install(self._store, number, fleet.public_key(role), tokens.ZERO, trusted.own())
        self._auth = Auth(trusted, self._target, lambda: groups(self._store))
        clock = Clock(self._store, 0)
        self._replay = Replay(self._store, trusted, clock, self._staged_as, lambda: self._token)
        self._token = self._signer = b""
        self._staged: dict[str, Any] | None = None
        self._on_trial = False
        self._unproven = False  # the trial ended because nobody confirmed it
        self._last = tokens.ZERO
        self._mode = "normal"
        self._nonce = os.urandom(16)
        self._latest: dict[bytes, int] = {}
        self.outbox: list[bytes] = []  # frames to be sent; each is taken out when the broker has it

    @property
    def on_trial(self) -> bool:
        """The new version runs, and is not confirmed."""
        return self._on_trial

    def _staged_as(self) -> tuple[bytes, bytes] | None:
        return (self._token, self._signer) if self.state == update.STAGED else None

    # Frames in

    async def take(self, frame: bytes) -> None:
        try:
            command = self._replay.admit(self._auth.authenticate(wire.decode(frame)))
        except Repeated as again:
            if again.token in self._latest:
                self.outbox.append(self._response(again.token, self._latest[again.token]))
        except Refused as refused:
            self.outbox.append(self._response(refused.token, refused.status))
        except SrupError:
            pass  # no answer: no oracle
        else:
            await self._obey(command)
            self._store.put(command.done())

    async def _obey(self, command: Command) -> None:
        if command.type == wire.INITIATE:
            await self._event(update.INITIATE, command)
        elif command.type == wire.ACTIVATE:
            await self._event(update.ACTIVATE, command)
        elif command.type == wire.ID_REQUEST:
            self.outbox.append(self._inventory())
        elif command.type == wire.DATA:
            await self._data(command)
        else:
            await self._action(command)

    async def _data(self, command: Command) -> None:
        name, value = command.element("name"), command.element("value")
        taken = name.startswith(b"app.")
        if name == b"confirm":
            taken = value == self._token and self._on_trial and await self._event(update.CONFIRM, command)
        elif name in (b"keys", b"clock", b"groups"):
            taken = self._govern(command)
        self._answer(command.token, status.DATA_SUCCESS if taken else status.DATA_UNKNOWN)

    def _govern(self, command: Command) -> bool:
        try:
            if command.element("name") == b"groups":
                self._store.put(members.changes(self._store, self._target, command))
            else:
                self._store.put(trust.changes(self._store, self._trusted, command))
            return True
        except Refused:
            return False

    def topics(self) -> set[str]:
        """What it subscribes to."""
        of_groups = {f"srup/group/{uuid.UUID(bytes=bytes(group))}/c2" for group in groups(self._store)}
        return {f"srup/{self.card.uuid}/c2"} | of_groups

    def trusts(self, role: int) -> list[bytes]:
        """The public keys of a role."""
        return [public_key for _, public_key in self._trusted.of(role)]

    async def _action(self, command: Command) -> None:
        action, own = command.element("action"), command.element("parameters")
        try:
            if action in actions.TWO_KEYS:
                own, proof = second.split(own)
                second.check(self._trusted, self._target, self._nonce, command, action, own, proof)
            value = await self._do(command, action, own)
        except BadSignature:
            value = status.ACTION_REFUSED
        self._answer(command.token, value)

    async def _do(self, command: Command, action: int, own: bytes) -> int:
        """What a device with no hardware can do of it; the status that answers it."""
        if action == actions.REBOOT:
            self.restarting = True
        elif action == actions.CANCEL:
            done = own == self._token and await self._event(update.CANCEL, command)
            return status.ACTION_SUCCESS if done else status.ACTION_FAIL
        elif action == actions.SET_MODE:
            self._mode = own.decode("utf-8", "replace")
        elif action == actions.SELF_TEST:
            found = {"passed": True, "of": command.token.hex()}
            self.outbox.append(self._data_frame(b"self-test", json.dumps(found).encode()))
        elif action not in (actions.LOW_POWER, actions.WAKE, actions.CONNECT) and action < actions.APPLICATION:
            return status.ACTION_UNKNOWN
        return status.ACTION_SUCCESS

    # What happens next: the device's own table

    async def _event(self, event: str, cause: Command | int | None = None) -> bool:
        found = update.step(self.state, event, cause)
        if found is None:
            return False
        after, effects = found
        if update.SUPERSEDE in effects:
            self._answer(self._token, status.SUPERSEDED)
        if event == update.INITIATE and isinstance(cause, Command) and after == update.FETCHING:
            self._token, self._signer = cause.token, cause.key_id
        self.state = after
        for effect in effects:
            self._carry_out(effect)
        if update.FETCH in effects and isinstance(cause, Command):
            await self._download(cause)
        return True

    def _carry_out(self, effect: Any) -> None:
        if effect[0] == update.ANSWER:
            self._answer(self._token, effect[1])
        elif effect in (update.DROP, update.DISCARD):
            self._staged = None
        elif effect == update.SWITCH:
            self._on_trial, self._unproven = True, False
        elif effect == update.GO_BACK:
            self._on_trial = False
        elif effect == update.MAKE_PERMANENT and self._staged:
            self.card.runs, self._staged, self._on_trial = self._staged, None, False
        elif effect == update.RESTART:
            self.restarting = True

    async def _download(self, initiate: Command) -> None:
        if self._way == ways.BROKEN:
            await self._event(update.FAILED, status.UPDATE_FAIL_SERVER)
            return
        fetched = await self._fetch(initiate.element("url").decode(), initiate.element("digest"))
        if isinstance(fetched, int):
            await self._event(update.FAILED, fetched)
        else:
            self._staged = fetched
            await self._event(update.FETCHED)

    # Restarts and trials

    async def start(self) -> None:
        """It is connected; perhaps after a restart."""
        self.restarting = False
        if self._on_trial and self._way == ways.CRASH:
            self.give_up()  # none of the trial's boots came so far
            self.restarting = False
        if self.state == update.TRIAL and self._on_trial:
            await self._event(update.UNHEALTHY if self._way == ways.BAD else update.HEALTHY)
        elif self.state == update.TRIAL:
            await self._event(update.TRIAL_UNPROVEN if self._unproven else update.TRIAL_REFUTED)
        if self.state == update.DOUBT:
            await self._event(update.ONLINE)

    def give_up(self) -> None:
        """The trial's time is up, or its boots are: the previous version starts."""
        self._on_trial, self._unproven, self.restarting = False, True, True

    # Frames out

    def _answer(self, token: bytes, value: int) -> None:
        self._latest = dict([*self._latest.items(), (token, value)][-8:])
        self.outbox.append(self._response(token, value))

    def _response(self, token: bytes, value: int) -> bytes:
        return self._signed(wire.RESPONSE, {"token": token, "status": value})

    def _inventory(self) -> bytes:
        runs = self._staged if self._on_trial and self._staged else self.card.runs
        told: dict[str, Any] = {"slot": "a", "counter": runs["counter"], "trial": int(self._on_trial), "board": BOARD}
        told["a"] = [runs["name"], runs["version"], runs["counter"], inventory.tree(runs["tree"])]
        told |= {"agent": "simulated", "mode": self._mode, "nonce": inventory.text(self._nonce)}
        told["latest"] = {inventory.text(token): value for token, value in list(self._latest.items())[-4:]}
        return self._data_frame(b"inventory", inventory.packed(told))

    def _data_frame(self, name: bytes, value: bytes) -> bytes:
        self._last = tokens.mint(time.time_ns() // 1_000_000, self._last, os.urandom(8))
        elements = {"target": self._target, "token": self._last, "name": name, "value": value}
        return self._signed(wire.DATA, elements)

    def _signed(self, kind: int, elements: dict[str, Any]) -> bytes:
        signed = wire.preimage(kind, elements)
        return wire.seal(signed, signing.sign(self._key, signed))
