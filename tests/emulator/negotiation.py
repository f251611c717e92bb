"""Option negotiation of PPP (RFC 1661), which LCP and IPCP share.

It is the RFC's automaton for a side that waits to be asked: open as soon as each side has accepted the other's options, and
back at the beginning whenever the peer asks once more, which is all that a reset of the board looks like from here.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable

from tests.emulator.segment import Malformed

REQUEST, ACCEPT, NAK, REJECT, TERMINATE, TERMINATED, CODE_REJECT = range(1, 8)
RETRY, RETRIES = 3.0, 10  # RFC 1661, 4.6; in seconds

Option = tuple[int, bytes]


class Negotiation:
    """One negotiated protocol. send: takes a packet of it.

    wanted: this side's options. One that the peer refuses is left out of the next request, which stands for its default.
    """

    def __init__(self, send: Callable[[bytes], None], wanted: dict[int, bytes]) -> None:
        self._send, self._wanted = send, wanted
        self.asking: dict[int, bytes] = {}  # this side's options, as they are in its latest request
        self.agreed: dict[int, bytes] = {}  # the peer's, once accepted
        self._identifier = self._tries = 0
        self._was_accepted = self._has_accepted = False
        self._timer: asyncio.TimerHandle | None = None
        self._handlers: dict[int, Callable[[int, bytes], None]] = {
            REQUEST: self._take_request,
            ACCEPT: self._take_acceptance,
            NAK: self._take_refusal,
            REJECT: self._take_refusal,
            TERMINATE: self._take_termination,
            TERMINATED: ignore,
            CODE_REJECT: ignore,
        }

    def judge(self, kind: int, data: bytes) -> bytes | None:
        """What would be accepted in place of `data`; None if the option is not known at all."""
        raise NotImplementedError

    def opened(self) -> None:
        """Called when it has opened."""

    def closed(self) -> None:
        """Called when it is open no longer."""

    @property
    def open(self) -> bool:
        return self._was_accepted and self._has_accepted

    def receive(self, packet: bytes) -> None:
        """Raises Malformed."""
        if len(packet) < 4 or not 4 <= (size := int.from_bytes(packet[2:4])) <= len(packet):
            raise Malformed("control packet")
        code, identifier = packet[0], packet[1]
        if code in self._handlers:
            self._handlers[code](identifier, packet[4:size])
        else:
            self.reply(CODE_REJECT, self.next_identifier(), packet[:size])

    def reply(self, code: int, identifier: int, body: bytes = b"") -> None:
        self._send(struct.pack("!BBH", code, identifier, 4 + len(body)) + body)

    def next_identifier(self) -> int:
        self._identifier = (self._identifier + 1) % 256
        return self._identifier

    def stop(self) -> None:
        """Back to where nothing is agreed."""
        was_open, self._was_accepted, self._has_accepted = self.open, False, False
        self._stop_timer()
        if was_open:
            self.closed()

    def _begin(self) -> None:
        self.stop()
        self.asking, self._tries = dict(self._wanted), 0
        self._ask(self.next_identifier())

    def _ask(self, identifier: int) -> None:
        self._stop_timer()
        self._tries += 1
        if self._tries <= RETRIES:
            self.reply(REQUEST, identifier, pack(self.asking.items()))
            self._timer = asyncio.get_running_loop().call_later(RETRY, self._ask, identifier)

    def _take_request(self, identifier: int, body: bytes) -> None:
        options = parse(body)
        if self.open or self._timer is None:
            self._begin()
        judged = [(kind, data, self.judge(kind, data)) for kind, data in options]
        unknown = [(kind, data) for kind, data, better in judged if better is None]
        refused = [(kind, better) for kind, data, better in judged if better is not None and better != data]
        self._has_accepted = not unknown and not refused
        if self._has_accepted:
            self.agreed = dict(options)
        code = REJECT if unknown else NAK if refused else ACCEPT
        self.reply(code, identifier, pack(unknown or refused) if unknown or refused else body)
        self._settle()

    def _take_acceptance(self, identifier: int, _: bytes) -> None:
        if identifier == self._identifier and self._timer:
            self._was_accepted = True
            self._settle()

    def _take_refusal(self, identifier: int, body: bytes) -> None:
        if identifier == self._identifier and self._timer:
            for kind, _ in parse(body):
                self.asking.pop(kind, None)
            self._ask(self.next_identifier())

    def _take_termination(self, identifier: int, _: bytes) -> None:
        self.reply(TERMINATED, identifier)
        self.stop()

    def _settle(self) -> None:
        if self.open:
            self._stop_timer()
            self.opened()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None


def ignore(identifier: int, body: bytes) -> None:
    """For packets that need no answer."""


def pack(options: Iterable[Option]) -> bytes:
    return b"".join(bytes((kind, 2 + len(data))) + data for kind, data in options)


def parse(body: bytes) -> list[Option]:
    """Raises Malformed."""
    options = []
    while body:
        if len(body) < 2 or not 2 <= body[1] <= len(body):
            raise Malformed("options")
        options.append((body[0], body[2 : body[1]]))
        body = body[body[1] :]
    return options
