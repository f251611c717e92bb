"""The server's connection to the broker: frames out, and what comes back to the ledger."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Any, Self

import aiomqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from srup_host import credentials, net
from srup_host.console import Failure
from srup_host.fleet import Fleet, is_uuid
from srup_host.joins import Joins
from srup_host.ledger import Ledger
from srup_host.receiving import Event
from srup_host.tables import Sent
from srup_host.tasks import end

UP = "srup/+/up"
JOIN = "srup/join"
STATE = "srup/+/state"

_CONNECT_S = 10
_PUBLISH_S = 60  # for PUBACK: a broker that has much to do is not a broker that is gone
_SHARED = "$share/c2/"
_WORKER_S = 86_400  # after which the broker forgets a worker that does not come back
_BATCH = 64  # messages judged in one transaction


class Courier:
    """lasting: the broker keeps what devices send while nobody is here; for the one server, not for a command among others.

    host: where the broker is, if not where devices find it · state: called with a device's UUID, and whether it is online as
    far as the broker knows · worker: the name of one of several, which share what comes (MQTT 5, shared subscriptions).
    """

    def __init__(
        self,
        fleet: Fleet,
        ledger: Ledger,
        lasting: bool = False,
        host: str = "",
        state: Callable[[str, bool], None] | None = None,
        worker: str = "",
    ):
        self._fleet = fleet
        self._host = host or fleet.broker.host
        self._ledger = ledger
        self._lasting = lasting
        self._joins = Joins(fleet, ledger)
        self._let_in: list[Sent] = []  # JOIN_COMMANDs to those whose voucher was good
        self._state = state
        self._worker = worker

    async def __aenter__(self) -> Self:
        login = credentials.server(self._fleet)
        address = self._fleet.broker
        self._client = aiomqtt.Client(
            self._host,
            address.port,
            username=login.user,
            password=login.password,
            identifier=self._identifier(login.user),
            tls_context=net.client_context(self._fleet) if address.tls else None,
            timeout=_CONNECT_S,
            **self._session(),
        )
        try:
            await self._client.__aenter__()
            self._client._client.manual_ack_set(True)  # aiomqtt has no way of its own
            shared = _SHARED if self._worker else ""
            topics = [UP] + [STATE] * bool(self._state) + [JOIN] * self._lasting
            await self._client.subscribe([(shared + topic, 1) for topic in topics])
        except aiomqtt.MqttError as error:
            where = f"{self._host}:{address.port}"
            raise Failure(f"no MQTT broker for us at {where}: {error}", "start one: srup serve") from None
        except asyncio.CancelledError:
            await self._hang_up()
            raise
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._pump = asyncio.create_task(self._receive())
        return self

    def _session(self) -> dict[str, Any]:
        """A worker's lasts while it is away: what had been handed to it comes again when it is back."""
        if not self._worker:
            return {"clean_session": not self._lasting}
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = _WORKER_S
        return {"protocol": aiomqtt.ProtocolVersion.V5, "clean_start": False, "properties": properties}

    def _identifier(self, user: str) -> str:
        if self._worker:
            return f"{user}.{self._worker}"
        return user if self._lasting else f"{user}.{secrets.token_hex(8)}"

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(Failure):
            await end(self._pump)
        await self._hang_up()

    async def _hang_up(self) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)

    async def send(self, sent: Sent) -> None:
        """Hand a frame to the broker, which keeps it until the device takes it. Raises Failure."""
        await self.publish(sent.topic, sent)

    async def publish(self, topic: str, sent: Sent) -> None:
        """As `send`, on another topic: a group's."""
        try:
            await self._client.publish(topic, sent.frame, qos=1, timeout=_PUBLISH_S)
        except aiomqtt.MqttError as error:
            raise Failure(
                f"the broker did not take the {sent.name}: {error}", "send it again: srup send wait"
            ) from None

    async def next_event(self, seconds: float | None = None) -> Event | None:
        """What a device has sent, as the ledger judges it; None if nothing comes in time. Raises Failure: the broker is gone."""
        incoming = asyncio.ensure_future(self._events.get())
        try:
            done, _ = await asyncio.wait((incoming, self._pump), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not incoming.done():
                incoming.cancel()
        if incoming in done:
            return incoming.result()
        if self._pump in done:
            raise self._pump.exception() or Failure("the broker has said goodbye")
        return None

    async def _receive(self) -> None:
        incoming = self._client.messages
        try:
            while True:
                batch = [await anext(incoming)]
                while len(incoming) and len(batch) < _BATCH:
                    batch.append(await anext(incoming))
                for event in await asyncio.to_thread(self._take, batch):
                    self._events.put_nowait(event)
                while self._let_in:
                    await self.send(self._let_in.pop(0))
                for message in batch:
                    self._client._client.ack(message.mid, message.qos)  # now that it is on record, and not before
        except aiomqtt.MqttError as error:
            raise Failure(f"the broker is gone: {error}", "start it again: srup serve") from None

    def _take(self, batch: list[aiomqtt.Message]) -> list[Event]:
        """In one transaction: what has come by the time that we look."""
        frames: list[tuple[str, bytes]] = []
        asked: list[Event] = []
        with self._ledger.together():
            for message in batch:
                payload = message.payload if isinstance(message.payload, bytes) else b""
                if message.topic.value == JOIN:
                    event, sent = self._joins.received(payload)
                    asked.append(event)
                    self._let_in += [sent] if sent else []
                    continue
                _, uuid, kind = message.topic.value.split("/")
                if kind == "up":
                    frames.append((uuid, payload))
                elif self._state and is_uuid(uuid):
                    self._state(uuid, payload == b"online")
            return asked + self._ledger.received_all(frames, by="" if self._worker else "mqtt")
