"""The server's connection to the broker: frames out, and what comes back to the ledger."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from typing import Self

import aiomqtt

from srup_host import credentials, net
from srup_host.console import Failure
from srup_host.fleet import Fleet
from srup_host.ledger import Ledger
from srup_host.receiving import Event
from srup_host.tables import Sent

UP = "srup/+/up"
STATE = "srup/+/state"

_CONNECT_S = 10


class Courier:
    """lasting: the broker keeps what devices send while nobody is here; for the one server, not for a command among others.

    host: where the broker is, if not where devices find it · state: called with a device's UUID, and whether it is online as
    far as the broker knows.
    """

    def __init__(
        self,
        fleet: Fleet,
        ledger: Ledger,
        lasting: bool = False,
        host: str = "",
        state: Callable[[str, bool], None] | None = None,
    ):
        self._fleet = fleet
        self._host = host or fleet.broker.host
        self._ledger = ledger
        self._lasting = lasting
        self._state = state

    async def __aenter__(self) -> Self:
        login = credentials.server(self._fleet)
        address = self._fleet.broker
        self._client = aiomqtt.Client(
            self._host,
            address.port,
            username=login.user,
            password=login.password,
            identifier=login.user if self._lasting else f"{login.user}.{secrets.token_hex(8)}",
            clean_session=not self._lasting,
            tls_context=net.client_context(self._fleet) if address.tls else None,
            timeout=_CONNECT_S,
        )
        try:
            await self._client.__aenter__()
            self._client._client.manual_ack_set(True)  # aiomqtt has no way of its own
            await self._client.subscribe(UP, qos=1)
            if self._state:
                await self._client.subscribe(STATE, qos=1)
        except aiomqtt.MqttError as error:
            where = f"{self._host}:{address.port}"
            raise Failure(f"no MQTT broker for us at {where}: {error}", "start one: srup serve") from None
        except asyncio.CancelledError:
            await self._hang_up()
            raise
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._pump = asyncio.create_task(self._receive())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pump.cancel()
        await asyncio.wait([self._pump])
        await self._hang_up()

    async def _hang_up(self) -> None:
        with contextlib.suppress(aiomqtt.MqttError):
            await self._client.__aexit__(None, None, None)

    async def send(self, sent: Sent) -> None:
        """Hand a frame to the broker, which keeps it until the device takes it. Raises Failure."""
        try:
            await self._client.publish(sent.topic, sent.frame, qos=1)
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
        try:
            async for message in self._client.messages:
                _, uuid, kind = message.topic.value.split("/")
                payload = message.payload if isinstance(message.payload, bytes) else b""
                if kind == "up":
                    self._events.put_nowait(await asyncio.to_thread(self._ledger.received, uuid, payload))
                elif self._state:
                    await asyncio.to_thread(self._state, uuid, payload == b"online")
                self._client._client.ack(message.mid, message.qos)  # now that it is on record, and not before
        except aiomqtt.MqttError as error:
            raise Failure(f"the broker is gone: {error}", "start it again: srup serve") from None
